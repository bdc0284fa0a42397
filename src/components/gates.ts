/** Gates with what was seen, their limits and their history. */
import type { GateView } from '../engine/run/model.ts';
import { sparkline } from './bars.ts';
import { type Line, padEnd, span, widthOf } from './line.ts';
import { verdictSign } from './states.ts';
import type { Glyphs } from './theme.ts';

/** Cells of the sign, the verdict and the blanks between the columns. */
const FIXED = 14;
/** `20, computed 20` and `0 of 21 (0.0 %)` fit. */
const SEEN_LEAST = 20;

export function gateLines(gates: readonly GateView[], width: number, glyphs: Glyphs): Line[] {
  if (gates.length === 0) return [[span(' no gate is measured here', 'muted')]];
  const longest = (pick: (gate: GateView) => string) => Math.max(...gates.map((gate) => widthOf(pick(gate))));
  // What a gate is about and what was seen come first: a number that is cut tells nothing. The limit takes what is left.
  const name = Math.max(8, Math.min(longest((gate) => gate.title) + 1, Math.floor(width * 0.46)));
  const history = width >= 80 ? 8 : 0;
  const rest = width - name - history - FIXED;
  const wanted = longest((gate) => gate.observed) + 1;
  const seen = Math.max(
    6,
    Math.min(width >= 160 ? 112 : 60, wanted, width >= 90 ? Math.max(SEEN_LEAST, Math.floor(rest * 0.55)) : rest),
  );
  const limit = width >= 90 ? Math.max(0, Math.min(28, longest((gate) => gate.limit) + 2, rest - seen)) : 0;
  const trail = history === 0 ? 0 : Math.min(40, history + rest - seen - limit);
  return gates.map((gate) => {
    const sign = verdictSign(gate.verdict, glyphs);
    return [
      span(` ${sign.glyph} `, sign.tone),
      span(`${padEnd(gate.title, name, glyphs.more)} `),
      span(padEnd(sign.word, 8), sign.tone),
      span(`${padEnd(gate.observed, seen - 1, glyphs.more)} `, gate.verdict === 'pass' ? undefined : sign.tone),
      ...(limit > 0 ? [span(padEnd(gate.limit, limit - 1, glyphs.more), 'muted'), span(' ')] : []),
      ...(trail > 0 ? [span(' '), ...trailOf(gate, trail, glyphs)] : []),
    ];
  });
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
