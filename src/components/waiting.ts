/** The line that is never empty while something runs: what it waits for, how long, until when. */
import type { RunSnapshot } from '../engine/run/model.ts';
import { duration, limitWords } from './format.ts';
import { type Line, span, spread, squeeze, truncateMiddle } from './line.ts';
import type { Glyphs } from './theme.ts';

export function waitingLine(snapshot: RunSnapshot, now: number, width: number, glyphs: Glyphs): Line {
  const ageLine = staleness(snapshot);
  const right: Line = ageLine === '' ? [] : [span(`${glyphs.warn} ${ageLine} `, 'warn')];
  const rightWidth = ageLine === '' ? 0 : ageLine.length + 4;
  if (snapshot.status === 'ended') return spread([span(' ended: nothing runs any more', 'muted')], right, width);
  const waiting = snapshot.waitingFor;
  const mine = snapshot.status === 'asking' || snapshot.status === 'held';
  if (waiting === undefined || waiting.text === '') {
    // Should not happen; a silent line would hide it.
    return spread(
      [span(` waiting for ${mine ? 'you' : 'the engine, which does not say what it does'}`, 'warn')],
      right,
      width,
    );
  }
  const since = now - Date.parse(waiting.since);
  const limit =
    waiting.until === undefined ? '' : ` of ${limitWords(Date.parse(waiting.until) - Date.parse(waiting.since))}`;
  const over = waiting.until !== undefined && now > Date.parse(waiting.until);
  const room = (time: string) => Math.max(8, width - 13 - time.length - 2 - rightWidth);
  // What is waited for is worth more than how long it may take.
  const whole = ` ${duration(since)}${limit}`;
  const fits = squeeze(waiting.text, room(whole), glyphs.more);
  const time = fits === undefined ? ` ${duration(since)}` : whole;
  const text =
    fits ??
    squeeze(waiting.text, room(time), glyphs.more) ??
    truncateMiddle(waiting.text.replace(/ \([^()]*\)$/, ''), room(time), glyphs.more);
  return spread(
    [span(' waiting for ', mine ? 'key' : 'info'), span(text), span(` ${glyphs.dot}${time}`, over ? 'warn' : 'muted')],
    right,
    width,
  );
}

/** What is old in what is shown; empty when all is fresh. */
function staleness(snapshot: RunSnapshot): string {
  if (snapshot.cluster.state === 'unreachable') return `cluster unreachable for ${duration(snapshot.cluster.ageMs)}`;
  if (snapshot.cluster.state === 'stale') return `cluster data ${duration(snapshot.cluster.ageMs)} old`;
  if (snapshot.lock !== undefined && !snapshot.lock.mine) return `locked by ${snapshot.lock.holder}`;
  return '';
}
