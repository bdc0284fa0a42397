/** A chart of one value over time: columns of eighth blocks, a scale at the left, marks where something happened. */
import { compact } from './format.ts';
import { type Line, padStart, type Span, span } from './line.ts';
import type { Glyphs, Tone } from './theme.ts';

export interface Measured {
  /** ms since the epoch. */
  readonly at: number;
  /** Samples are missing between the point before and this one: a gap is drawn as a gap. */
  readonly gap?: boolean;
}

/**
 * The worst value in each of `cells` equal spans of time from `from` to `to`. A span between two points that belong together
 * has the value of the first (there are more cells than samples); NaN where nothing is known.
 */
export function bucket<T extends Measured>(
  points: readonly T[],
  reading: (point: T) => number,
  from: number,
  to: number,
  cells: number,
): number[] {
  const out = new Array<number>(cells).fill(Number.NaN);
  const span = Math.max(1, to - from);
  let last = -1;
  let before = Number.NaN;
  for (const point of points) {
    const { at, gap } = point;
    if (at < from || at > to) continue;
    const value = reading(point);
    const cell = Math.min(cells - 1, Math.floor(((at - from) / span) * cells));
    if (!gap && last >= 0) for (let between = last + 1; between < cell; between++) out[between] = before;
    const known = out[cell] ?? Number.NaN;
    if (Number.isFinite(value)) out[cell] = Number.isNaN(known) ? value : Math.max(known, value);
    last = cell;
    before = value;
  }
  return out;
}

const AXIS = 7;

export interface ChartOptions<T extends Measured> {
  readonly title: string;
  readonly unit: string;
  readonly tone: Tone;
  /** NaN where nothing was measured. */
  readonly of: (point: T) => number;
  readonly width: number;
  /** Rows of the bars; the title takes one more. */
  readonly rows: number;
  readonly from: number;
  readonly to: number;
  /** Cells (by time) that are marked with a vertical line. */
  readonly marks: readonly number[];
  /** A limit drawn into the title. */
  readonly limit?: string;
}

export function chartCells(width: number): number {
  return Math.max(1, width - AXIS - 1);
}

/**
 * The end of a time axis of `cells` that begins at `from` and holds `last`: 1, 1.5, 2, 3, 4, 6, 8, 12 … seconds a cell. It stands still
 * until the axis is full: what was drawn stays where it is, and a new sample draws its own cell.
 */
export function axisEnd(from: number, last: number, cells: number): number {
  let cellMs = 1000;
  for (let step = 0; from + cells * cellMs <= last; step++) cellMs *= step % 2 === 0 ? 3 / 2 : 4 / 3;
  return from + cells * cellMs;
}

/** `rows + 1` lines: the title with the newest value, then the bars. */
export function chart<T extends Measured>(points: readonly T[], options: ChartOptions<T>, glyphs: Glyphs): Line[] {
  const { width, rows, from, to } = options;
  const cells = chartCells(width);
  const values = bucket(points, options.of, from, to, cells);
  const top = Math.max(1, ...values.filter(Number.isFinite));
  const last = points[points.length - 1];
  const newest = last === undefined ? Number.NaN : options.of(last);
  const steps = glyphs.sparks.length;
  const marked = new Set(
    options.marks.map((at) =>
      Math.min(cells - 1, Math.max(0, Math.floor(((at - from) / Math.max(1, to - from)) * cells))),
    ),
  );
  const out: Line[] = [
    [
      span(` ${options.title}`, 'title'),
      span(` ${Number.isNaN(newest) ? 'not measured' : `${compact(newest)}${options.unit}`}`, options.tone),
      span(options.limit === undefined ? '' : ` ${glyphs.dot} ${options.limit}`, 'muted'),
    ],
  ];
  for (let row = 0; row < rows; row++) {
    const base = (rows - 1 - row) * steps;
    const label = row === 0 ? compact(top) : row === rows - 1 ? '0' : '';
    const cellsOfRow: Span[] = [span(`${padStart(label, AXIS - 1)}${glyphs.v}`, 'muted')];
    // Most of a chart is empty: equal cells are counted, and written at once.
    let run = '';
    let runTone: Tone | undefined;
    let same = '';
    let count = 0;
    const flush = (tone: Tone | undefined) => {
      run += same.repeat(count);
      if (tone === runTone) return;
      if (run !== '') cellsOfRow.push(span(run, runTone));
      run = '';
      runTone = tone;
    };
    for (let cell = 0; cell < cells; cell++) {
      const value = values[cell] ?? Number.NaN;
      const height = Number.isNaN(value) ? 0 : value <= 0 ? 0 : Math.max(1, Math.ceil((value / top) * rows * steps));
      const here = Math.min(steps, height - base);
      const glyph =
        here > 0
          ? (glyphs.sparks[here - 1] ?? ' ')
          : marked.has(cell)
            ? glyphs.mark
            : row === rows - 1 && !Number.isNaN(value)
              ? glyphs.dot
              : ' ';
      const tone: Tone = here > 0 ? options.tone : marked.has(cell) ? 'accent' : 'muted';
      if (glyph === same && tone === runTone) count += 1;
      else {
        flush(tone);
        same = glyph;
        count = 1;
      }
    }
    flush(undefined);
    out.push(cellsOfRow);
  }
  return out;
}
