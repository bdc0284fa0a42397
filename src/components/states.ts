/** The one place that says how a state is drawn: glyph, word, colour. */
import type { PhaseView, RunSnapshot, ServiceState, StepState, StepView, Verdict } from '../engine/run/model.ts';
import type { Glyphs, Tone } from './theme.ts';

/** Nothing new is begun until somebody lets the run go on, whether something is asked meanwhile or not. */
export const isHeld = ({ status, heldFor }: Pick<RunSnapshot, 'status' | 'heldFor'>): boolean =>
  status === 'held' || (heldFor !== undefined && status !== 'ended');

export interface Sign {
  readonly glyph: string;
  readonly word: string;
  readonly tone: Tone;
}

export function stepSign(step: Pick<StepView, 'state' | 'kind'>, glyphs: Glyphs): Sign {
  const signs: Record<StepState, Sign> = {
    todo: { glyph: step.kind === 'decide' ? glyphs.decide : glyphs.todo, word: 'to do', tone: 'muted' },
    running: { glyph: glyphs.running, word: 'running', tone: 'info' },
    pass: { glyph: glyphs.ok, word: 'pass', tone: 'ok' },
    fail: { glyph: glyphs.bad, word: 'FAIL', tone: 'bad' },
    inconclusive: { glyph: glyphs.unknown, word: 'unknown', tone: 'warn' },
    waived: { glyph: glyphs.waived, word: 'waived', tone: 'warn' },
    skipped: { glyph: glyphs.skipped, word: 'skipped', tone: 'muted' },
  };
  return signs[step.state];
}

/** `2.1`, or nothing where the guide has a heading and no number; the step's title says the same. */
export function guideNumber({ guide }: Pick<StepView, 'guide'>): string {
  return /^\d+(\.\d+)?$/.test(guide) ? guide : '';
}

export function verdictSign(verdict: Verdict | 'todo', glyphs: Glyphs): Sign {
  const signs: Record<Verdict | 'todo', Sign> = {
    pass: { glyph: glyphs.ok, word: 'pass', tone: 'ok' },
    fail: { glyph: glyphs.bad, word: 'FAIL', tone: 'bad' },
    inconclusive: { glyph: glyphs.unknown, word: 'unknown', tone: 'warn' },
    todo: { glyph: glyphs.todo, word: 'to do', tone: 'muted' },
  };
  return signs[verdict];
}

export function serviceSign(state: ServiceState, glyphs: Glyphs): Sign {
  const signs: Record<ServiceState, Sign> = {
    direct: { glyph: glyphs.todo, word: 'direct', tone: 'muted' },
    switching: { glyph: glyphs.running, word: 'switching', tone: 'info' },
    pooled: { glyph: glyphs.ok, word: 'pooled', tone: 'ok' },
    'rolled-back': { glyph: glyphs.back, word: 'rolled back', tone: 'warn' },
  };
  return signs[state];
}

export function phaseSign(state: PhaseView['state'], glyphs: Glyphs): Sign {
  const signs: Record<PhaseView['state'], Sign> = {
    todo: { glyph: glyphs.todo, word: 'to do', tone: 'muted' },
    running: { glyph: glyphs.current, word: 'running', tone: 'info' },
    done: { glyph: glyphs.ok, word: 'done', tone: 'ok' },
    failed: { glyph: glyphs.bad, word: 'FAILED', tone: 'bad' },
    'rolled-back': { glyph: glyphs.back, word: 'rolled back', tone: 'warn' },
  };
  return signs[state];
}
