/** Lines over time as inline SVG, with the words a screen reader needs. No script, no external file. */
import { html } from './escape.ts';

export interface Series {
  readonly name: string;
  readonly colour: string;
  /** A dash pattern too, so that colour alone never tells the lines apart (and on paper). */
  readonly dash: string;
  readonly points: readonly { readonly atMs: number; readonly value: number }[];
}

export interface Mark {
  readonly atMs: number;
  readonly text: string;
}

const WIDTH = 900;
const HEIGHT = 220;
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 12, 12, 24];
/** More points than pixels help nobody. */
const MOST_POINTS = 900;

/** One chart. Empty text when there is nothing to draw. */
export function lineChart(title: string, series: readonly Series[], marks: readonly Mark[]): string {
  const all = series.flatMap((one) => one.points);
  if (all.length === 0) return '';
  const from = Math.min(...extent(all.map((point) => point.atMs)));
  const to = Math.max(...extent(all.map((point) => point.atMs)), from + 1);
  const top = niceCeiling(Math.max(1, ...extent(all.map((point) => point.value))));
  const x = (atMs: number) => round(LEFT + ((atMs - from) / (to - from)) * (WIDTH - LEFT - RIGHT));
  const y = (value: number) => round(TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM));
  const grid = [0, 0.5, 1].map((part) => {
    const value = top * part;
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/><text x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end">${value}</text>`;
  });
  const lines = series.map((one) => {
    const path = thin(one.points)
      .map((point, index) => `${index === 0 ? 'M' : 'L'}${x(point.atMs)} ${y(point.value)}`)
      .join('');
    return `<path d="${path}" fill="none" stroke="${one.colour}" stroke-width="1.5" stroke-dasharray="${one.dash}"><title>${html(one.name)}</title></path>`;
  });
  const flags = marks
    .filter((mark) => mark.atMs >= from && mark.atMs <= to)
    .map(
      (mark) =>
        `<line class="mark" x1="${x(mark.atMs)}" x2="${x(mark.atMs)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"><title>${html(mark.text)}</title></line>`,
    );
  const clock = (atMs: number) => new Date(atMs).toISOString().slice(11, 19);
  const legend = series
    .map(
      (one) =>
        `<span><svg width="28" height="8" aria-hidden="true"><line x1="0" x2="28" y1="4" y2="4" stroke="${one.colour}" stroke-width="2" stroke-dasharray="${one.dash}"/></svg> ${html(one.name)}</span>`,
    )
    .join(' ');
  const highest = series
    .map((one) => `${one.name} at most ${Math.max(...extent(one.points.map((point) => point.value)))}`)
    .join(', ');
  return [
    `<figure><figcaption>${html(title)}</figcaption>`,
    `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${html(`${title}: ${highest}`)}">`,
    ...grid,
    ...flags,
    ...lines,
    `<text x="${LEFT}" y="${HEIGHT - 6}">${clock(from)}</text><text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">${clock(to)} UTC</text>`,
    `</svg><p class="legend">${legend}</p></figure>`,
  ].join('\n');
}

/** Lowest and highest, without spreading a long list over an argument list. */
function extent(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [values[0] ?? 0, values[0] ?? 0],
  );
}

/** Keeps the highest point of each stretch: a peak must not vanish from the picture. */
function thin(points: Series['points']): Series['points'] {
  if (points.length <= MOST_POINTS) return points;
  const stretch = Math.ceil(points.length / MOST_POINTS);
  const kept: Series['points'][number][] = [];
  for (let start = 0; start < points.length; start += stretch) {
    kept.push(points.slice(start, start + stretch).reduce((best, point) => (point.value > best.value ? point : best)));
  }
  return kept;
}

function niceCeiling(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * step).find((ceiling) => ceiling >= value) ?? value;
}

const round = (value: number) => Math.round(value * 10) / 10;
