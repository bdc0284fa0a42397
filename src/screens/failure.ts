/** A step that failed: cause, what to do, what was found, the last words of the log, the ways on. */
import { findingLines, labelled } from '../components/findings.ts';
import { type Line, paragraph, span, wrapWords } from '../components/line.ts';
import type { Ask, FailureAnswer } from '../engine/run/model.ts';
import { type ActionId, keyName } from './keys.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

const WAYS: Readonly<Record<FailureAnswer['action'], { readonly action: ActionId; readonly text: string }>> = {
  retry: { action: 'retry', text: 'try this step again' },
  'rollback-service': { action: 'rollback', text: 'roll back: this service' },
  'rollback-phase': { action: 'rollback', text: 'roll back: the whole phase' },
  'rollback-all': { action: 'rollback', text: 'roll back: everything' },
  waive: { action: 'waive', text: 'waive it, with a reason for the record' },
  leave: { action: 'leave', text: 'leave; nothing is undone, the run can be resumed' },
};

export function failureScreen(view: View, ask: Extract<Ask, { kind: 'failure' }>): Body {
  const { width, glyphs, keymap } = view;
  const unknown = ask.verdict === 'inconclusive';
  const head: Line[] = [
    [
      span(` ${unknown ? glyphs.unknown : glyphs.bad} `, unknown ? 'warn' : 'bad'),
      span(unknown ? 'Could not measure: ' : 'FAILED: ', unknown ? 'warn' : 'bad'),
      span(ask.title, 'title'),
    ],
  ];
  const content: Line[] = [
    ...labelled('cause', ask.cause, width, unknown ? 'warn' : 'bad'),
    ...labelled('do', ask.hint, width, 'ok'),
    [],
    ...ask.options.map((option) => {
      const way = WAYS[option];
      return [span(`   ${keyName(keymap[way.action][0] ?? '').padEnd(9)}`, 'key'), span(way.text)];
    }),
    ...(ask.findings.length === 0
      ? []
      : [[], [span(' what the doctor found', 'title')] as Line, ...findingLines(ask.findings, width, glyphs)]),
    ...(ask.logTail.length === 0
      ? []
      : [
          [span(' last lines of the log', 'title')] as Line,
          ...ask.logTail.flatMap((row) =>
            wrapWords(row, width - 3).map((part) => [span(`  ${part}`, 'muted')] as Line),
          ),
        ]),
    ...(ask.findings.length === 0 && ask.logTail.length === 0
      ? paragraph('No finding and no log line came with it.', width - 1, 'muted', 1)
      : []),
  ];
  return { lines: scrolled(view, head, content, ask.id) };
}
