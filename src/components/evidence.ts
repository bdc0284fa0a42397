/** Observations, newest value of every check, glyph + word + colour, the number at the right where there is room. */
import type { Evidence, RolloutProgress } from '../engine/run/model.ts';
import { progressBar } from './bars.ts';
import { duration, limitWords } from './format.ts';
import { type Line, padEnd, paragraph, span, squeeze, truncateMiddle, widthOf } from './line.ts';
import { verdictSign } from './states.ts';
import type { Glyphs, Tone } from './theme.ts';

/** The last evidence of each check, in the order in which the checks first appeared. */
export function latestByCheck(evidence: readonly Evidence[]): Evidence[] {
  const last = new Map<string, Evidence>();
  for (const one of evidence) last.set(one.check, one);
  return [...last.values()];
}

/** `rollout of cdn-service` under the heading cdn-service is `rollout`. */
function without(subject: string | undefined, check: string): string {
  if (subject === undefined) return check;
  return check.replace(` of ${subject}`, '').replace(`${subject} `, '') || check;
}

/** One row an observation; a failed one also says what was expected. `subject`: whom the heading names already. */
export function evidenceLines(evidence: readonly Evidence[], width: number, glyphs: Glyphs, subject?: string): Line[] {
  const latest = latestByCheck(evidence).map((one) => ({ ...one, check: without(subject, one.check) }));
  const longest = latest.reduce((most, one) => Math.max(most, one.check.length), 0);
  const narrow = width < 56;
  const name = Math.max(8, Math.min(longest, narrow ? width - 13 : Math.floor(width * 0.45)));
  const room = Math.max(4, width - name - 14);
  return latest.flatMap((one) => {
    const sign = verdictSign(one.verdict, glyphs);
    const tone: Tone = one.verdict === 'pass' ? 'muted' : sign.tone;
    // What does not fit beside its check stands beneath it: half of an observation is none.
    const below = widthOf(one.observed) > room;
    const own = below ? Math.max(name, Math.min(widthOf(one.check), width - 13)) : name;
    const row: Line = [
      span(` ${sign.glyph} `, sign.tone),
      // In the middle: a check of a pod ends with the pod's own suffix.
      span(`${padEnd(truncateMiddle(one.check, own, glyphs.more), own)} `),
      span(padEnd(sign.word, 8), sign.tone),
      ...(below ? [] : [span(one.observed, tone)]),
    ];
    return [
      row,
      ...(below ? paragraph(one.observed, width - 1, tone, 5) : []),
      ...(one.verdict === 'pass' || one.expected === undefined
        ? []
        : paragraph(`expected ${one.expected}`, width - 1, 'muted', 5)),
    ];
  });
}

/**
 * Pods that are new and pods that serve, of twice as many as are wanted; an old pod that is left is work that is left. A surge
 * makes more pods available than are wanted, and says nothing about how far the rollout is.
 */
export function rolloutBar(rollout: RolloutProgress, cells: number, glyphs: Glyphs, over = false): string {
  const { updated, available, desired, old } = rollout;
  const done = Math.min(updated, desired) + Math.min(available, desired);
  return progressBar(done, desired * 2 + (over ? 0 : old), cells, glyphs);
}

/** `rollout  ███████░░░  2/3 updated · 2/3 available · 1 old · 14 s of 5 m`, in two rows when it must be. `over`: it is history. */
export function rolloutLines(rollout: RolloutProgress, width: number, glyphs: Glyphs, over = false): Line[] {
  const bar = rolloutBar(rollout, 10, glyphs, over);
  const room = width - 11;
  // Which pod it is matters less than what is the matter with it.
  const detail =
    squeeze(rollout.detail, room, glyphs.more) ?? squeeze(rollout.detail.replace(/^\S+: /, ''), room, glyphs.more);
  const tone = rollout.stage === 'failed' ? 'bad' : rollout.stage === 'done' ? 'ok' : 'info';
  const facts = [
    `${rollout.updated}/${rollout.desired} updated`,
    `${rollout.available}/${rollout.desired} available`,
    ...(rollout.old > 0 && !over ? [`${rollout.old} old`] : []),
    over ? 'over' : `${duration(rollout.elapsedMs)} of ${limitWords(rollout.limitMs)}`,
  ];
  const rows = packed(facts, ` ${glyphs.dot} `, Math.max(10, width - 22));
  return [
    ...rows.map((row, index) => [
      span(index === 0 ? ' rollout  ' : '          '),
      span(index === 0 ? bar : ' '.repeat(10), tone),
      span(` ${row}`),
    ]),
    // What is waited for stands beneath every screen as well: half a sentence of it helps nobody.
    ...(detail === undefined || detail === '' || over || rollout.stage === 'done'
      ? []
      : [[span(`          ${detail}`, 'muted')]]),
  ] as Line[];
}

/** Facts joined into rows, never broken inside one. */
function packed(facts: readonly string[], join: string, cells: number): string[] {
  const rows: string[] = [];
  for (const fact of facts) {
    const last = rows[rows.length - 1];
    if (last !== undefined && last.length + join.length + fact.length <= cells)
      rows[rows.length - 1] = last + join + fact;
    else rows.push(fact);
  }
  return rows;
}
