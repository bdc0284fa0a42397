/** A change, before it is made: the diff, what departs from the guide, the same by hand. */
import { previewLines } from '../components/diff.ts';
import { type Line, paragraph, span } from '../components/line.ts';
import type { Ask } from '../engine/run/model.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function confirmScreen(view: View, ask: Extract<Ask, { kind: 'confirm' }>): Body {
  const { snapshot, width, glyphs } = view;
  const step = snapshot.steps.find((one) => one.id === ask.stepId);
  const head: Line[] = [
    [
      span(` ${glyphs.decide} `, 'warn'),
      span(ask.title, 'title'),
      span(step === undefined || step.guide === '-' ? '' : `   guide ${step.guide}`, 'muted'),
    ],
  ];
  const content: Line[] = [
    ...(step?.why === undefined ? [] : [...paragraph(step.why, width - 1, 'muted', 1), [] as Line]),
    ...previewLines(ask.preview, width, glyphs),
    ...(ask.typed === undefined
      ? []
      : ([[], [span(` ${glyphs.warn} this asks for a typed name: ${ask.typed}`, 'warn')]] as Line[])),
  ];
  return { lines: scrolled(view, head, content, ask.id) };
}
