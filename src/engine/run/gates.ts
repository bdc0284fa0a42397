/**
 * The gates: limits of the plan against measured values, N failing measurements in a row to fail. What could not be
 * measured is `inconclusive`, neither pass nor fail: a human decides on it (promise 3). Pure; the thresholds are the
 * guide's (3.2 alerts, 4.2 connections, checklist 10 % and 0 %).
 *
 * Departure: the guide's alert `servers_active > 40` is per pooler pod, where a pool of 25 can never reach it; here it is
 * the sum over all pooler pods.
 */
import type { PlanGates } from '../plan/schema.ts';
import type { FailureSample, GateId, GateSample, Gates, ResponseSample } from './gates-types.ts';
import type { GateView, PoolRow, Verdict } from './model.ts';

export type { GateId, GateSample, Gates } from './gates-types.ts';

const HISTORY_KEPT = 120;
const NOT_MEASURED = 'not measured';

/** The console's own database is no pool of the services. */
const CONSOLE_DATABASE = 'pgbouncer';

interface Measurement {
  readonly value: number;
  readonly observed: string;
  /** Undefined: it was measured, and does not say either way. */
  readonly within: boolean | undefined;
}

interface Gate {
  readonly id: GateId;
  readonly title: string;
  readonly limit: string;
  measure(sample: GateSample): Measurement | undefined;
}

const number = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
const plural = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
const usable = (value: number | undefined): value is number => value !== undefined && Number.isFinite(value);

/** The gates of a plan, with no measurement yet; `without` those that have nothing to measure here. */
export function createGates(limits: PlanGates, without: ReadonlySet<GateId> = new Set()): Gates {
  const gates = definitions(limits).filter((gate) => !without.has(gate.id));
  let views: readonly GateView[] = gates.map(untouched);
  let failing = gates.map(() => 0);
  return {
    views: () => views,
    reset() {
      views = gates.map(untouched);
      failing = gates.map(() => 0);
    },
    observe(sample) {
      views = gates.map((gate, index) => {
        const seen = gate.measure(sample);
        if (seen?.within === true) failing[index] = 0;
        else if (seen?.within === false) failing[index]!++;
        const inRow = failing[index]!;
        // Below N in a row the gate keeps its verdict: one slow moment neither fails it nor proves it.
        const before = views[index]!.verdict;
        let verdict: Verdict;
        if (seen?.within === undefined) verdict = 'inconclusive';
        else if (seen.within) verdict = 'pass';
        else if (inRow >= limits.consecutive) verdict = 'fail';
        else verdict = before === 'fail' ? 'fail' : before;
        const single: Verdict = seen?.within === undefined ? 'inconclusive' : seen.within ? 'pass' : 'fail';
        const note =
          seen?.within === false && inRow < limits.consecutive ? ` (${inRow} of ${limits.consecutive} in a row)` : '';
        const entry = { at: sample.at, verdict: single, ...(seen ? { value: seen.value } : {}) };
        return {
          id: gate.id,
          title: gate.title,
          limit: gate.limit,
          verdict,
          observed: seen ? `${seen.observed}${note}` : NOT_MEASURED,
          history: [...views[index]!.history, entry].slice(-HISTORY_KEPT),
        };
      });
      return views;
    },
  };
}

/** The verdict over several gates: one failure fails; else one that could not be measured leaves it to a human. */
export function overall(gates: readonly Pick<GateView, 'verdict'>[]): Verdict {
  if (gates.some((gate) => gate.verdict === 'fail')) return 'fail';
  return gates.length === 0 || gates.some((gate) => gate.verdict === 'inconclusive') ? 'inconclusive' : 'pass';
}

function untouched(gate: Gate): GateView {
  return {
    id: gate.id,
    title: gate.title,
    limit: gate.limit,
    verdict: 'inconclusive',
    observed: NOT_MEASURED,
    history: [],
  };
}

function definitions(limits: PlanGates): readonly Gate[] {
  const atMost = (value: number | undefined, most: number, say: (value: number) => string): Measurement | undefined =>
    usable(value) ? { value, observed: say(value), within: value <= most } : undefined;
  return [
    {
      id: 'clients-waiting',
      title: 'clients waiting',
      limit: `at most ${limits.clientsWaiting}`,
      measure: ({ pools }) =>
        atMost(
          sum(pools, (row) => row.clWaiting),
          limits.clientsWaiting,
          (n) => `${n} waiting`,
        ),
    },
    {
      id: 'max-wait',
      title: 'longest wait of a client',
      limit: `at most ${number(limits.maxWaitMs)} ms`,
      measure: ({ pools }) =>
        atMost(
          highest(pools, (row) => row.maxwaitMs),
          limits.maxWaitMs,
          (ms) => `${number(ms)} ms`,
        ),
    },
    {
      id: 'servers-active',
      title: 'active connections',
      limit: `at most ${limits.serversActive} in all`,
      measure: ({ pools }) =>
        atMost(
          sum(pools, (row) => row.svActive),
          limits.serversActive,
          (n) => `${n} active`,
        ),
    },
    {
      id: 'query-time',
      title: 'average query time',
      limit: `at most ${number(limits.queryTimeMs)} ms`,
      measure: (sample) =>
        atMost(
          // No query between two readings of the counters: none was slow. Without two readings nobody knows.
          sample.queryTimeMs ??
            highest(sample.pools, (row) => row.avgQueryMs ?? (row.queriesPerSecond === 0 ? 0 : undefined)),
          limits.queryTimeMs,
          (ms) => `${number(ms)} ms`,
        ),
    },
    {
      id: 'longest-query',
      title: 'longest query',
      limit: '10 times the longest before, 2 s at least',
      measure: ({ longestQuery }) =>
        longestQuery === undefined
          ? undefined
          : atMost(
              longestQuery.observedMs,
              longestQuery.limitMs,
              (ms) => `${number(Math.round(ms))} ms, limit ${number(Math.round(longestQuery.limitMs))} ms`,
            ),
    },
    {
      id: 'response-time',
      title: 'response time',
      limit: `at most ${number(limits.responseTimeWithin)} % above; differences below 5 ms and answers within 20 ms are noise`,
      measure: ({ responseTime }) => (responseTime ? measureResponseTime(responseTime) : undefined),
    },
    {
      id: 'error-rate',
      title: 'failed requests and queries',
      limit: `at most ${number(limits.errorRate)} %`,
      measure: ({ failures }) => (failures ? measureFailures(failures, limits.errorRate) : undefined),
    },
    {
      id: 'log-errors',
      title: 'errors in the logs',
      limit: 'none',
      measure: ({ logErrors }) => atMost(logErrors, 0, (n) => plural(n, 'line')),
    },
    {
      id: 'pg-connections',
      title: 'PostgreSQL connections',
      limit: `within ${limits.pgConnectionsWithin} of computed`,
      measure: ({ pgConnections }) => {
        if (!pgConnections || !usable(pgConnections.observed) || !usable(pgConnections.expected)) return undefined;
        const { observed, expected } = pgConnections;
        return {
          value: observed,
          observed: `${observed}, computed ${expected}`,
          within: Math.abs(observed - expected) <= limits.pgConnectionsWithin,
        };
      },
    },
    {
      id: 'direct-left',
      title: 'direct connections left',
      limit: 'none',
      measure: ({ directLeft }) => atMost(directLeft, 0, (n) => plural(n, 'connection')),
    },
    {
      id: 'prometheus',
      title: 'Prometheus',
      limit: `waiting ${limits.clientsWaiting}, active ${limits.serversActive}, wait ${number(limits.maxWaitMs)} ms, query ${number(limits.queryTimeMs)} ms`,
      // A scrape is up to a minute old: it contradicts the consoles, which a human has to settle; it never overrules them.
      measure: ({ prometheus }) =>
        prometheus && {
          value: prometheus.agrees ? 0 : 1,
          observed: prometheus.observed,
          within: prometheus.agrees ? true : undefined,
        },
    },
  ];
}

/** Slower only when the whole range of the median is above the limit; a range that spans it says neither. */
function measureResponseTime(sample: ResponseSample): Measurement | undefined {
  const { observedMs, lowMs, highMs, baselineMs, limitMs, answers, service } = sample;
  if (!usable(observedMs) || !(baselineMs > 0)) return undefined;
  const percent = (observedMs / baselineMs - 1) * 100;
  // The number and its limit first: a narrow screen shows no more.
  const text = `${number(observedMs)} ms, slower from ${number(limitMs)} ms; ${service}, baseline ${number(baselineMs)} ms (${percent > 0 ? '+' : ''}${percent.toFixed(1)} %), 95 % sure: ${number(lowMs)} to ${number(highMs)} ms, ${plural(answers, 'answer')}`;
  // A hair's breadth of floating point must not fail a value that is exactly on the limit.
  const above = (ms: number) => ms > limitMs * (1 + 1e-9);
  return { value: percent, observed: text, within: above(lowMs) ? false : above(observedMs) ? undefined : true };
}

/** The worst source counts. One that could not be asked leaves it open unless another shows a failure. */
function measureFailures({ counts, unread }: FailureSample, most: number): Measurement | undefined {
  let worst = 0;
  const told: string[] = [];
  for (const count of counts) {
    if ('percent' in count) {
      if (!usable(count.percent)) continue;
      worst = Math.max(worst, count.percent);
      told.push(`${precise(count.percent)} % of ${count.source}`);
      continue;
    }
    // No traffic proves nothing; a failure without a success is one.
    const total = Math.max(count.total, count.failed);
    if (!(total > 0)) continue;
    const percent = (count.failed / total) * 100;
    worst = Math.max(worst, percent);
    told.push(`${count.failed} of ${total} ${count.source}${count.failed > 0 ? ` (${precise(percent)} %)` : ''}`);
  }
  const observed = [...told, ...(unread.length > 0 ? [`could not be read: ${unread.join(', ')}`] : [])].join(', ');
  if (worst > most + 1e-9) return { value: worst, observed, within: false };
  if (unread.length > 0) return { value: worst, observed, within: undefined };
  return told.length > 0 ? { value: worst, observed, within: true } : undefined;
}

const precise = (percent: number): string => percent.toFixed(percent > 0 && percent < 1 ? 3 : 1);

function servicePools(pools: readonly PoolRow[] | undefined): readonly PoolRow[] | undefined {
  return pools?.filter((row) => row.database !== CONSOLE_DATABASE);
}

function sum(pools: readonly PoolRow[] | undefined, of: (row: PoolRow) => number): number | undefined {
  return servicePools(pools)?.reduce((total, row) => total + of(row), 0);
}

/** The highest value of all rows that have one. Pools without any row are idle: nothing waits there. */
function highest(pools: readonly PoolRow[] | undefined, of: (row: PoolRow) => number | undefined): number | undefined {
  const rows = servicePools(pools);
  if (!rows) return undefined;
  const values = rows.map(of).filter(usable);
  return values.length === 0 && rows.length > 0 ? undefined : Math.max(0, ...values);
}
