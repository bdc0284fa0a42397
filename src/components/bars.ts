/** Bars, gauges and sparklines: pictures of numbers in one row. */
import { type Line, type Span, span } from './line.ts';
import type { Glyphs, Tone } from './theme.ts';

/** The last `cells` values, newest at the right, scaled from 0 to `max` (their own maximum when not given). */
export function sparkline(values: readonly number[], cells: number, glyphs: Glyphs, max?: number): string {
  if (cells <= 0) return '';
  const shown = values.slice(-cells);
  const top = Math.max(max ?? 0, ...shown.filter(Number.isFinite), Number.EPSILON);
  const steps = glyphs.sparks.length;
  const drawn = shown.map((value) => {
    if (!Number.isFinite(value)) return ' ';
    const height = Math.ceil((Math.max(0, value) / top) * steps);
    return glyphs.sparks[Math.min(steps, Math.max(1, height)) - 1] ?? ' ';
  });
  return ' '.repeat(cells - drawn.length) + drawn.join('');
}

/** `███████░░░`: `done` of `total` in `cells` cells; full only when it is really done. */
export function progressBar(done: number, total: number, cells: number, glyphs: Glyphs): string {
  if (cells <= 0) return '';
  const share = total <= 0 ? 0 : Math.min(1, Math.max(0, done / total));
  const full = share >= 1 ? cells : Math.min(cells - 1, Math.floor(share * cells));
  return glyphs.full.repeat(full) + glyphs.empty.repeat(cells - full);
}

export interface Part {
  readonly value: number;
  readonly glyph: string;
  readonly tone?: Tone;
}

/** Parts of a whole side by side, at least one cell for every part that is not zero, the rest of `total` empty. */
export function stackedBar(parts: readonly Part[], total: number, cells: number, glyphs: Glyphs): Line {
  const out: Span[] = [];
  let used = 0;
  for (const part of parts) {
    if (part.value <= 0) continue;
    const wanted = Math.max(1, Math.round((part.value / Math.max(1, total)) * cells));
    const width = Math.max(0, Math.min(wanted, cells - used));
    used += width;
    if (width > 0) out.push(span(part.glyph.repeat(width), part.tone));
  }
  if (used < cells) out.push(span(glyphs.empty.repeat(cells - used), 'muted'));
  return out;
}
