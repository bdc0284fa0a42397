/** Gates with what was seen, their limits and their history. */
import type { GateView } from '../engine/run/model.ts';
import { sparkline } from './bars.ts';
import { type Line, padEnd, paragraph, span, widthOf } from './line.ts';
import { verdictSign } from './states.ts';
import type { Glyphs, Tone } from './theme.ts';

/** Cells of the sign, the verdict and the blanks between the columns; two more before a history. */
const FIXED = 12;
/** `20, computed 20` and `0 of 21 (0.0 %)` fit. */
const SEEN_LEAST = 20;

/** The panel beside the steps of a terminal of 200 columns. */
const WIDE = 140;

export function gateLines(gates: readonly GateView[], width: number, glyphs: Glyphs): Line[] {
  if (gates.length === 0) return [[span(' no gate is measured here', 'muted')]];
  const longest = (pick: (gate: GateView) => string) => Math.max(...gates.map((gate) => widthOf(pick(gate))));
  // What a gate is about and what was seen come first: a number that is cut tells nothing. The limit takes what is left.
  const name = Math.max(8, Math.min(longest((gate) => gate.title) + 1, Math.floor(width * 0.46)));
  const history = width >= 80 ? 8 : 0;
  const rest = width - name - history - FIXED - (history > 0 ? 2 : 0);
  const wanted = longest((gate) => gate.observed) + 1;
  const seen = Math.max(
    6,
    Math.min(width >= WIDE ? 112 : 60, wanted, width >= 90 ? Math.max(SEEN_LEAST, Math.floor(rest * 0.55)) : rest),
  );
  const limit =
    width >= 90 ? Math.max(0, Math.min(width >= WIDE ? 64 : 28, longest((gate) => gate.limit) + 2, rest - seen)) : 0;
  const trail = history === 0 ? 0 : Math.min(40, history + rest - seen - limit);
  return gates.flatMap((gate): Line[] => {
    const sign = verdictSign(gate.verdict, glyphs);
    const cut = widthOf(gate.observed) > seen - 1;
    // Of a gate that does not pass everything counts: what does not fit beside it stands beneath it, with the limit.
    const below = gate.verdict === 'pass' || (limit > 0 && !cut) ? [] : beneath(gate, cut, width, sign.tone);
    const beside = !cut ? gate.observed : below.length > 0 ? '' : shorter(gate.observed, seen - 1);
    const row: Line = [
      span(` ${sign.glyph} `, sign.tone),
      span(`${padEnd(gate.title, name, glyphs.more)} `),
      span(padEnd(sign.word, 8), sign.tone),
      span(`${padEnd(beside, seen - 1, glyphs.more)} `, gate.verdict === 'pass' ? undefined : sign.tone),
      ...(limit > 0 ? [span(padEnd(gate.limit, limit - 1, glyphs.more), 'muted'), span(' ')] : []),
      ...(trail > 0 ? [span(' '), ...trailOf(gate, trail, glyphs)] : []),
    ];
    return [row, ...below];
  });
}

/** `1.5 ms` of `1.5 ms, slower from 20 ms; auth-service, …`: the remarks behind the value go, as many as must. */
function shorter(observed: string, cells: number): string {
  const ends = [...observed.matchAll(/[,;] | \(/g)].map((found) => found.index);
  const fits = ends.filter((end) => widthOf(observed.slice(0, end)) <= cells).at(-1);
  return fits === undefined ? observed : observed.slice(0, fits);
}

/** What stands beneath a gate that does not pass: what was seen, where it does not fit beside it, and the limit. */
function beneath(gate: GateView, cut: boolean, width: number, tone: Tone): Line[] {
  return paragraph(
    cut ? `${gate.observed}; limit: ${gate.limit}` : `limit: ${gate.limit}`,
    width - 1,
    cut ? tone : 'muted',
    5,
  );
}

/** The values as a sparkline where there are values, else the verdicts as glyphs. */
function trailOf(gate: GateView, cells: number, glyphs: Glyphs): Line {
  const values = gate.history.flatMap((one) => (one.value === undefined ? [] : [one.value]));
  if (values.length > 1) return [span(sparkline(values, cells, glyphs), gate.verdict === 'fail' ? 'bad' : 'info')];
  return gate.history.slice(-cells).map((one) => {
    const sign = verdictSign(one.verdict, glyphs);
    return span(sign.glyph, sign.tone);
  });
}
