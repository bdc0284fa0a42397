/** The live pools of every pooler pod, and PostgreSQL's connections beneath them. */
import type { PoolRow, PoolSample, PoolsView, PostgresView } from '../engine/run/model.ts';
import { sparkline, stackedBar } from './bars.ts';
import { compact, duration } from './format.ts';
import { type Line, lineWidth, padEnd, padStart, span, truncateMiddle } from './line.ts';
import type { Glyphs, Tone } from './theme.ts';

interface Column {
  readonly title: string;
  readonly width: number;
  readonly value: (row: PoolRow) => string;
  readonly tone?: (row: PoolRow) => Tone | undefined;
  /** Terminal columns from which the column is shown. */
  readonly from: number;
}

const COLUMNS: readonly Column[] = [
  { title: 'clients', width: 8, value: (row) => compact(row.clActive), from: 0 },
  {
    title: 'waiting',
    width: 8,
    value: (row) => compact(row.clWaiting),
    tone: (row) => (row.clWaiting > 0 ? 'warn' : undefined),
    from: 0,
  },
  { title: 'active', width: 7, value: (row) => compact(row.svActive), from: 46 },
  { title: 'idle', width: 6, value: (row) => compact(row.svIdle), from: 50 },
  { title: 'used', width: 6, value: (row) => compact(row.svUsed), from: 76 },
  { title: 'login', width: 6, value: (row) => compact(row.svLogin), from: 120 },
  {
    title: 'maxwait',
    width: 8,
    value: (row) => `${(row.maxwaitMs / 1000).toFixed(1)}s`,
    tone: (row) => (row.maxwaitMs >= 1000 ? 'warn' : undefined),
    from: 70,
  },
  {
    title: 'query',
    width: 9,
    value: (row) => (row.avgQueryMs === undefined ? '-' : `${row.avgQueryMs.toFixed(1)}ms`),
    from: 120,
  },
  { title: 'queries/s', width: 10, value: (row) => compact(row.queriesPerSecond), from: 84 },
];

function poolKey(row: Pick<PoolRow, 'pod' | 'database' | 'user'>): string {
  return `${row.pod}\u0000${row.database}\u0000${row.user}`;
}

const rates = new WeakMap<PoolSample, ReadonlyMap<string, number>>();

/** queries/s (or, until rates exist, clients) of every pool in one sample, by `poolKey`. A sample never changes. */
function ratesOf(sample: PoolSample): ReadonlyMap<string, number> {
  const known = rates.get(sample);
  if (known !== undefined) return known;
  const made = new Map(sample.rows.map((row) => [poolKey(row), row.queriesPerSecond ?? row.clActive]));
  rates.set(sample, made);
  return made;
}

/** The newest `cells` values of one pool. */
function seriesOf(row: PoolRow, history: readonly PoolSample[], cells: number): number[] {
  const key = poolKey(row);
  return history.slice(-cells).flatMap((sample) => ratesOf(sample).get(key) ?? []);
}

function titleOf(pools: PoolsView, glyphs: Glyphs): { text: string; tone: Tone | undefined } {
  if (pools.poolers.length === 0) return { text: 'pools: no pooler yet', tone: 'muted' };
  const bad = pools.poolers.filter((pooler) => pooler.state !== 'ok');
  const age = Math.max(0, ...bad.map((pooler) => pooler.ageMs));
  if (bad.length > 0) {
    const down = bad.filter((pooler) => pooler.state === 'down').length;
    const what = `of ${pools.poolers.length} ${down > 0 ? 'DOWN' : 'stale'}`;
    return { text: `pools ${glyphs.dot} ${down || bad.length} ${what} ${duration(age)}`, tone: 'warn' };
  }
  const count = `${pools.poolers.length} pooler${pools.poolers.length === 1 ? '' : 's'}`;
  return { text: `pools ${glyphs.dot} ${count} ${glyphs.dot} every ${duration(pools.everyMs)}`, tone: 'title' };
}

/** A head row and as many pools as fit, the ones in trouble first when not all do. */
export function poolTable(pools: PoolsView, width: number, rows: number, glyphs: Glyphs): Line[] {
  if (rows <= 0) return [];
  const columns = COLUMNS.filter((column) => width >= column.from);
  const numbers = columns.reduce((sum, column) => sum + column.width, 0);
  // On a wide terminal the course of a pool is worth more than blanks behind its name.
  const spark = width >= 96 ? Math.min(60, Math.max(8, width - numbers - (width >= 160 ? 52 : 40))) : 0;
  const name = Math.max(10, width - numbers - (spark > 0 ? spark + 2 : 1) - 1);
  const head = titleOf(pools, glyphs);
  const out: Line[] = [
    [
      span(` ${padEnd(head.text, name, glyphs.more)}`, head.tone),
      ...columns.map((column) => span(padStart(column.title, column.width), 'muted')),
    ],
  ];
  const stale = new Map(pools.poolers.map((pooler) => [pooler.pod, pooler.state !== 'ok']));
  const room = rows - 1;
  const all = pools.rows;
  const chosen =
    all.length <= room
      ? all
      : [...all].sort((a, b) => b.clWaiting - a.clWaiting || b.clActive - a.clActive).slice(0, Math.max(0, room - 1));
  for (const row of chosen) {
    const old = stale.get(row.pod) === true;
    const label = nameOf(row, name, glyphs);
    out.push([
      // Dimmed alone says nothing without colour.
      span(old ? glyphs.warn : ' ', 'warn'),
      span(label, old ? 'muted' : undefined),
      ...columns.map((column) => span(padStart(column.value(row), column.width), old ? 'muted' : column.tone?.(row))),
      ...(spark > 0
        ? [span(` ${sparkline(seriesOf(row, pools.history, spark), spark, glyphs)}`, old ? 'muted' : 'info')]
        : []),
    ]);
  }
  if (all.length > chosen.length && out.length < rows) {
    out.push([
      span(` ${glyphs.more} ${all.length - chosen.length} more pools, none with more clients waiting`, 'muted'),
    ]);
  }
  return out;
}

function nameOf(row: PoolRow, cells: number, glyphs: Glyphs): string {
  // The pod's random suffix tells pods apart; its Deployment's name is the same for all.
  const suffix = `${glyphs.more}${row.pod.slice(-5)}`;
  const pool = `${row.database}/${row.user}`;
  const left = Math.max(1, cells - suffix.length - 2);
  return `${padEnd(truncateMiddle(pool, left, glyphs.more), left)} ${suffix} `;
}

/** `PostgreSQL 50 of 200 connections · pooled 20 · direct 31`, with a bar where there is room. */
export function postgresLine(postgres: PostgresView | undefined, width: number, glyphs: Glyphs): Line {
  if (postgres === undefined) return [span(' PostgreSQL: connections not measured yet', 'muted')];
  const free = Math.max(0, postgres.maxConnections - postgres.total);
  const old = postgres.ageMs > 15_000;
  const crowded = free < postgres.maxConnections * 0.1;
  const fact = (text: string, tone: Tone): Line => [span(` ${glyphs.dot} ${text}`, tone)];
  const expected = postgres.expectedPooled;
  const facts: readonly { readonly line: Line; readonly needed: number }[] = [
    { line: fact(`pooled ${postgres.pooled}`, old ? 'muted' : 'ok'), needed: 5 },
    { line: fact(`direct ${postgres.direct}`, old ? 'muted' : 'warn'), needed: 4 },
    { line: fact(`other ${postgres.other}`, 'muted'), needed: 1 },
    { line: fact(`free ${free}`, 'muted'), needed: 2 },
    { line: old ? fact(`${duration(postgres.ageMs)} old`, 'warn') : [], needed: 3 },
    { line: expected === undefined || width < 120 ? [] : fact(`expected pooled ${expected}`, 'muted'), needed: 0 },
  ];
  const head = span(
    ` PostgreSQL ${postgres.total} of ${postgres.maxConnections}`,
    old ? 'muted' : crowded ? 'bad' : 'title',
  );
  const lineWith = (least: number): Line => [
    head,
    ...facts.filter((one) => one.needed >= least).flatMap((one) => one.line),
  ];
  // Whole facts, the least needed going first.
  let least = 0;
  while (least < 5 && lineWidth(lineWith(least)) > width) least++;
  const text = lineWith(least);
  const room = width - lineWidth(text) - 3;
  if (room < 10) return text;
  return [...text, span('  '), ...postgresBar(postgres, Math.min(room, 60), glyphs)];
}

function postgresBar(postgres: PostgresView, cells: number, glyphs: Glyphs): Line {
  return stackedBar(
    [
      { value: postgres.pooled, glyph: glyphs.full, tone: 'ok' },
      { value: postgres.direct, glyph: glyphs.half, tone: 'warn' },
      { value: postgres.other, glyph: glyphs.mid, tone: 'accent' },
    ],
    postgres.maxConnections,
    cells,
    glyphs,
  );
}
