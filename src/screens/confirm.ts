/** A change, before it is made: the diff, what departs from the guide, the same by hand. */
import { previewLines } from '../components/diff.ts';
import { type Line, paragraph, span } from '../components/line.ts';
import { isHeld } from '../components/states.ts';
import type { Ask } from '../engine/run/model.ts';
import { keyName } from './keys.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

/** Why nothing can be approved now, and what to do about it. */
function heldLines({ snapshot, width, glyphs, keymap }: View): Line[] {
  if (!isHeld(snapshot)) return [];
  const text = `On hold: ${snapshot.heldFor ?? 'no reason given'}. ${keyName(keymap.hold[0] ?? '')} lets it go on; before that nothing can be approved.`;
  return [...paragraph(`${glyphs.warn} ${text}`, width - 1, 'warn', 1), []];
}

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
    ...heldLines(view),
    ...(step?.why === undefined ? [] : [...paragraph(step.why, width - 1, 'muted', 1), [] as Line]),
    ...previewLines(ask.preview, width, glyphs),
    ...(ask.typed === undefined
      ? []
      : ([[], [span(` ${glyphs.warn} this asks for a typed name: ${ask.typed}`, 'warn')]] as Line[])),
  ];
  return { lines: scrolled(view, head, content, ask.id) };
}
