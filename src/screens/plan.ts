/** What will be done and has been done: every step in order, the selected one with its reason and commands. */
import { previewLines } from '../components/diff.ts';
import { evidenceLines } from '../components/evidence.ts';
import { fitRows, type Line, padEnd, paragraph, span, truncateMiddle } from '../components/line.ts';
import { guideNumber, type Sign, stepSign } from '../components/states.ts';
import { windowAround } from '../components/window.ts';
import type { StepView } from '../engine/run/model.ts';
import { rule, split } from './layout.ts';
import { firstSelected } from './press.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function planScreen(view: View): Body {
  const { snapshot, ui, width, height, glyphs } = view;
  const steps = snapshot.steps;
  const selected = Math.min(ui.selected.plan ?? firstSelected('plan', snapshot), steps.length - 1);
  const current = steps[selected];
  if (current === undefined) return { lines: [[span(' The plan has no step.', 'muted')]] };
  if (ui.detail) {
    const [head = [], ...rest] = detailOf(view, current, width);
    return { lines: scrolled(view, [head], rest, 'plan.detail') };
  }
  const wide = width >= 96;
  const listWidth = wide ? Math.min(70, Math.floor(width * 0.5)) : width;
  const listRows = wide ? height : Math.max(4, Math.floor(height * 0.5));
  const list = listOf(view, selected, listWidth, listRows);
  if (wide) return split(view, listWidth, list, detailOf(view, current, width - listWidth - 1));
  return {
    lines: [
      ...fitRows(list, listRows),
      rule(width, glyphs),
      ...fitRows(detailOf(view, current, width), height - listRows - 1),
    ],
  };
}

function listOf(view: View, selected: number, width: number, rows: number): Line[] {
  const { snapshot, glyphs } = view;
  const { start, end } = windowAround(selected, snapshot.steps.length, rows - 1);
  const passed = snapshot.steps.filter((step) => step.state === 'pass').length;
  return [
    [
      span(` Plan ${snapshot.planName}`, 'title'),
      span(` ${glyphs.dot} ${passed} of ${snapshot.steps.length} steps passed`, 'muted'),
    ],
    ...snapshot.steps.slice(start, end).map((step, index): Line => {
      const asked = snapshot.ask?.kind === 'confirm' && snapshot.ask.stepId === step.id;
      const sign: Sign = asked ? { glyph: glyphs.decide, word: 'asked', tone: 'warn' } : stepSign(step, glyphs);
      const chosen = start + index === selected;
      const room = Math.max(8, width - 20);
      return [
        span(chosen ? ` ${glyphs.select} ` : '   ', 'key'),
        span(`${sign.glyph} `, sign.tone),
        span(padEnd(guideNumber(step), 5), 'muted'),
        span(padEnd(truncateMiddle(step.title, room, glyphs.more), room), chosen ? 'title' : undefined),
        span(` ${sign.word}`, sign.tone),
      ];
    }),
  ];
}

function detailOf(view: View, step: StepView, width: number): Line[] {
  const { glyphs } = view;
  return [
    [span(` ${truncateMiddle(step.id, width - 2, glyphs.more)}`, 'title')],
    [
      span(
        ` ${step.kind}${step.guide === '-' ? '' : ` ${glyphs.dot} guide ${step.guide}`}${step.attempts > 1 ? ` ${glyphs.dot} attempt ${step.attempts}` : ''}`,
        'muted',
      ),
    ],
    ...(step.why === undefined ? [] : paragraph(step.why, width - 1, undefined, 1)),
    ...(step.note === undefined ? [] : paragraph(step.note, width - 1, 'warn', 1)),
    ...(step.cause === undefined ? [] : paragraph(step.cause, width - 1, 'bad', 1)),
    [],
    ...evidenceLines(step.evidence, width, glyphs, step.service),
    ...(step.preview === undefined
      ? [[span(' The diff is shown when the step is reached.', 'muted')] as Line]
      : previewLines(step.preview, width, glyphs)),
  ];
}
