/** A decision point of the guide: the soak's countdown, the live gates, and what each answer means. */
import { progressBar } from '../components/bars.ts';
import { duration, limitWords } from '../components/format.ts';
import { gateLines } from '../components/gates.ts';
import { type Line, padEnd, paragraph, span, wrapWords } from '../components/line.ts';
import type { Tone } from '../components/theme.ts';
import type { Ask } from '../engine/run/model.ts';
import { poolBlock, poolRows } from './dashboard.ts';
import { overrideOf } from './intents.ts';
import { keyName } from './keys.ts';
import { rule } from './layout.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

type Decide = Extract<Ask, { kind: 'decide' }>;

const ADVICE: Readonly<Record<Decide['recommendation'], { readonly text: string; readonly tone: Tone }>> = {
  continue: { text: 'all gates pass, the soak is over: continuing is safe', tone: 'ok' },
  wait: { text: 'the soak is not over: wait', tone: 'info' },
  rollback: { text: 'a gate fails: roll back', tone: 'bad' },
  human: { text: 'something could not be measured: look, then decide', tone: 'warn' },
};

/** What the gates and the soak say, and how it is meant. */
export function adviceOf(ask: Decide, now: number): { readonly text: string; readonly tone: Tone } {
  // The engine says so with its next look; until then the clock of the screen is ahead of it.
  if (ask.recommendation === 'wait' && Date.parse(ask.soakUntil) <= now)
    return { text: 'the soak is over: the gates are looked at once more', tone: 'info' };
  const { text, tone } = ADVICE[ask.recommendation];
  // On a small terminal the gate itself may be out of sight.
  const named = ask.gates.filter(
    (gate) => gate.verdict === (ask.recommendation === 'rollback' ? 'fail' : 'inconclusive'),
  );
  const which =
    ask.recommendation === 'rollback' || ask.recommendation === 'human'
      ? named.map((gate) => gate.title).join(', ')
      : '';
  return { text: which === '' ? text : `${text} (${which})`, tone };
}

export function decisionScreen(view: View, ask: Decide): Body {
  const { width, height, glyphs, now, keymap, snapshot } = view;
  const left = Date.parse(ask.soakUntil) - now;
  const gone = ask.soakMs - Math.max(0, left);
  const bar = progressBar(gone, ask.soakMs, Math.max(6, Math.min(40, width - 46)), glyphs);
  const advice = adviceOf(ask, now);
  const override = overrideOf(ask, now);
  const key = (id: 'continue' | 'rollback' | 'extend' | 'hold') => keyName(keymap[id][0] ?? '');
  const option = (id: 'continue' | 'rollback' | 'extend' | 'hold', word: string, text: string): Line[] =>
    wrapWords(text, Math.max(10, width - 17)).map((row, index) => [
      span(index === 0 ? `  ${key(id)}  ` : '     ', 'key'),
      span(padEnd(index === 0 ? word : '', 11)),
      span(row, 'muted'),
    ]);
  const options: Line[] = [
    ...option(
      'continue',
      'continue',
      override === undefined ? 'go on with the next phase' : `override, because ${override}: needs a reason`,
    ),
    ...option('rollback', 'roll back', `this phase, or more: shows what is put back first`),
    ...option(
      'extend',
      'extend',
      `soak for ${limitWords(ask.soakMs)} more;  ${key('hold')}  holds here until you let it go on`,
    ),
  ];
  const head: Line[] = [[span(` ${glyphs.decide} `, 'warn'), span(ask.title, 'title')]];
  const content: Line[] = [
    [
      span(' soak  '),
      span(bar, left > 0 ? 'info' : 'ok'),
      span(
        left <= 0
          ? `  over, ${limitWords(ask.soakMs)}`
          : left > ask.soakMs
            ? `  ${duration(left)} left, extended`
            : `  ${duration(left)} left of ${limitWords(ask.soakMs)}`,
        left > 0 ? undefined : 'ok',
      ),
    ],
    ...paragraph(
      `${ask.recommendation === 'continue' ? glyphs.ok : ask.recommendation === 'rollback' ? glyphs.bad : glyphs.warn} ${advice.text}`,
      width - 1,
      advice.tone,
      1,
    ),
    ...(height < 20 ? [] : [[] as Line]),
    ...gateLines(ask.gates.length > 0 ? ask.gates : snapshot.gates, width, glyphs),
    ...(height >= 30 ? [[] as Line] : []),
    ...(height < 20 ? shortOptions(override, key, width) : options),
  ];
  const bottom = height >= 22 ? poolRows(width, height) : 0;
  const lines = scrolled(view, head, content, ask.id, { rows: bottom > 0 ? height - bottom - 1 : height });
  if (bottom === 0) return { lines };
  return {
    lines: [...lines, rule(width, glyphs), ...poolBlock(view, bottom)],
  };
}

/** Where every row counts the footer names the keys; only what it can't say is said here. */
function shortOptions(override: string | undefined, key: (id: 'continue') => string, width: number): Line[] {
  if (override === undefined) return [];
  return wrapWords(`an override, because ${override}`, width - 6).map(
    (row, index): Line => [span(index === 0 ? `  ${key('continue')}  ` : '     ', 'key'), span(row, 'muted')],
  );
}
