/** Preflight: the findings by severity, each with what was expected. */
import { latestByCheck } from '../components/evidence.ts';
import { labelled } from '../components/findings.ts';
import { type Line, paragraph, span } from '../components/line.ts';
import { stepSign, verdictSign } from '../components/states.ts';
import type { Evidence } from '../engine/run/model.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

const WORST_FIRST: readonly Evidence['verdict'][] = ['fail', 'inconclusive', 'pass'];

export function preflightScreen(view: View): Body {
  const { snapshot, width, glyphs } = view;
  const step = snapshot.steps.find((one) => one.id === 'preflight');
  const all = latestByCheck(step?.evidence ?? []);
  const count = (verdict: Evidence['verdict']) => all.filter((one) => one.verdict === verdict).length;
  const sign = step === undefined ? undefined : stepSign(step, glyphs);
  const head: Line[] = [
    [
      span(` ${sign?.glyph ?? glyphs.todo} `, sign?.tone ?? 'muted'),
      span('Preflight', 'title'),
      span(`   ${count('fail')} fail`, count('fail') > 0 ? 'bad' : 'muted'),
      span(` ${glyphs.dot} ${count('inconclusive')} unknown`, count('inconclusive') > 0 ? 'warn' : 'muted'),
      span(` ${glyphs.dot} ${count('pass')} pass`, 'muted'),
    ],
    [],
  ];
  const sorted = WORST_FIRST.flatMap((verdict) => all.filter((one) => one.verdict === verdict));
  const content = sorted.flatMap((one): Line[] => {
    const mark = verdictSign(one.verdict, glyphs);
    return [
      [
        span(` ${mark.glyph} `, mark.tone),
        span(mark.word.padEnd(9), mark.tone),
        span(one.check, one.verdict === 'pass' ? undefined : 'title'),
      ],
      ...labelled('seen', one.observed, width, one.verdict === 'pass' ? 'muted' : undefined),
      ...(one.verdict === 'pass' || one.expected === undefined ? [] : labelled('wanted', one.expected, width, 'ok')),
    ];
  });
  const none = step?.state === 'running' ? 'Looking: nothing has been found yet.' : 'The preflight has not run.';
  const tail = step?.hint === undefined ? [] : ([[], ...paragraph(step.hint, width - 1, 'ok', 1)] as Line[]);
  return {
    lines: scrolled(
      view,
      head,
      content.length === 0 ? [[span(` ${none}`, 'muted')]] : [...content, ...tail],
      'preflight',
    ),
  };
}
