/** The pools over the whole change: clients, waiting, active, latency, with a mark where each service switched. */
import { axisEnd, chart, chartCells } from '../components/chart.ts';
import { duration, shortTime } from '../components/format.ts';
import { fitLine, fitRows, type Line, padEnd, padStart, span, truncateMiddle } from '../components/line.ts';
import { poolTable, postgresLine } from '../components/pool-table.ts';
import type { Glyphs, Tone } from '../components/theme.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import type { PoolTotals } from '../hooks/pool-totals.ts';
import type { Body, View } from './screen.ts';
import { wholeSpans } from './scrolled.ts';

interface Metric {
  readonly title: string;
  readonly unit: string;
  readonly tone: Tone;
  readonly limit?: string;
  readonly of: (totals: PoolTotals) => number;
}

const METRICS: readonly Metric[] = [
  { title: 'clients', unit: '', tone: 'info', of: (totals) => totals.clients },
  { title: 'waiting', unit: '', tone: 'warn', limit: 'alert above 0', of: (totals) => totals.waiting },
  { title: 'servers active', unit: '', tone: 'ok', limit: 'alert above 40', of: (totals) => totals.active },
  { title: 'query time', unit: ' ms', tone: 'accent', limit: 'alert above 5 s', of: (totals) => totals.queryMs },
];

/** When each service was switched: the end of its migrate step. */
function switches(snapshot: RunSnapshot): { readonly service: string; readonly at: number }[] {
  return snapshot.steps.flatMap((step) =>
    step.service !== undefined && step.id.endsWith('.migrate') && step.finishedAt !== undefined
      ? [{ service: step.service, at: Date.parse(step.finishedAt) }]
      : [],
  );
}

interface Area {
  readonly width: number;
  /** Rows of each chart's bars. */
  readonly rows: number;
  readonly from: number;
  readonly to: number;
  readonly marks: readonly number[];
}

const drawn = new WeakMap<readonly PoolTotals[], { readonly key: string; readonly lines: readonly Line[] }>();

/** Charts one above the other, drawn once a sample: a tick a second moves the clocks beside them, and nothing in them. */
function chartsOf(
  history: readonly PoolTotals[],
  metrics: readonly Metric[],
  area: Area,
  glyphs: Glyphs,
): readonly Line[] {
  const key = JSON.stringify([metrics.map(({ title }) => title), area, glyphs.ascii]);
  const known = drawn.get(history);
  if (known?.key === key) return known.lines;
  const lines = metrics
    .flatMap((metric) => chart(history, { ...metric, ...area }, glyphs))
    .map((line) => fitLine(line, area.width));
  drawn.set(history, { key, lines });
  return lines;
}

export function poolsScreen(view: View): Body {
  const { snapshot, width, height, glyphs, history } = view;
  if (history.length === 0)
    return {
      lines: [
        [span(' Pools over the change', 'title')],
        [],
        [span(' No sample yet: there is no pooler, or none has answered.', 'muted')],
      ],
    };
  const from = history[0]?.at ?? Date.parse(snapshot.startedAt);
  const to = Math.max(from + 1000, history[history.length - 1]?.at ?? 0);
  const end = axisEnd(from, to, chartCells(width));
  const marks = switches(snapshot).filter((one) => one.at >= from && one.at <= to);
  const head: Line = wholeSpans(
    [
      span(' Pools over the change', 'title'),
      span(
        width < 80
          ? `   ${duration(to - from)}`
          : `   ${shortTime(new Date(from).toISOString())} to ${shortTime(new Date(to).toISOString())} UTC ${glyphs.dot} ${duration(to - from)}`,
        'muted',
      ),
      span(marks.length === 0 ? '' : `   ${glyphs.mark} a service switched`, 'muted'),
    ],
    width,
  );
  const attribution = height >= 26 ? attributionLines(view, Math.min(8, Math.floor(height * 0.2))) : [];
  const tableRows = height >= 40 ? 6 : 0;
  const room = height - 1 - 2 - attribution.length - tableRows;
  const shown = METRICS.slice(0, Math.max(1, Math.min(4, Math.floor(room / 3))));
  const rows = Math.max(1, Math.floor(room / shown.length) - 1);
  const charts = chartsOf(history, shown, { width, rows, from, to: end, marks: marks.map((one) => one.at) }, glyphs);
  return {
    lines: [
      head,
      ...charts,
      markNames(marks, from, end, width, glyphs.more),
      postgresLine(snapshot.pools.postgres, width, glyphs),
      ...(tableRows > 0 ? fitRows(poolTable(snapshot.pools, width, tableRows, glyphs), tableRows) : []),
      ...attribution,
    ],
  };
}

/** Clients and query time in `rows` lines, for a tall dashboard. */
export function courseLines(history: readonly PoolTotals[], width: number, rows: number, glyphs: Glyphs): Line[] {
  const first = history[0];
  const last = history[history.length - 1];
  if (first === undefined || last === undefined) return fitRows([], rows);
  const from = first.at;
  const to = axisEnd(from, last.at, chartCells(width));
  const each = Math.floor(rows / 2);
  const shown = METRICS.filter((metric) => metric.title === 'clients' || metric.title === 'query time');
  const charts = chartsOf(history, shown, { width, rows: each - 1, from, to, marks: [] }, glyphs);
  return fitRows(charts, rows);
}

/** Names under their marks, as far as they do not run into each other. */
function markNames(
  marks: readonly { service: string; at: number }[],
  from: number,
  to: number,
  width: number,
  more: string,
): Line {
  const cells = chartCells(width);
  let row = '';
  for (const mark of marks) {
    const at = 7 + Math.floor(((mark.at - from) / (to - from)) * cells);
    const name = truncateMiddle(mark.service.replace(/-(service|gateway)$/, ''), 12, more);
    if (at < row.length + (row === '' ? 0 : 1) || at + name.length > width) continue;
    row = row.padEnd(at) + name;
  }
  return [span(row, 'accent')];
}

/** Whose clients they are: connections by service, the most first. */
function attributionLines(view: View, rows: number): Line[] {
  const { snapshot, width, glyphs } = view;
  const known = snapshot.services.filter((service) => (service.pooled ?? 0) + (service.direct ?? 0) > 0);
  const sorted = [...known]
    .sort((a, b) => (b.pooled ?? 0) + (b.direct ?? 0) - (a.pooled ?? 0) - (a.direct ?? 0))
    .slice(0, Math.max(0, rows - 1));
  const most = Math.max(1, ...sorted.map((service) => (service.pooled ?? 0) + (service.direct ?? 0)));
  const cells = Math.max(4, Math.min(60, width - 56));
  return fitRows(
    [
      [span(` ${padEnd('connections by service', 30)}${padStart('pooled', 8)}${padStart('direct', 8)}`, 'muted')],
      ...sorted.map((service): Line => {
        const bar = (value: number) => Math.round((value / most) * cells);
        return [
          span(
            ` ${padEnd(truncateMiddle(service.name, 30, glyphs.more), 30)}${padStart(String(service.pooled ?? '-'), 8)}${padStart(String(service.direct ?? '-'), 8)}  `,
          ),
          span(glyphs.full.repeat(bar(service.pooled ?? 0)), 'ok'),
          span(glyphs.half.repeat(bar(service.direct ?? 0)), 'warn'),
        ];
      }),
    ],
    rows,
  );
}
