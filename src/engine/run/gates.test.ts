import fc from 'fast-check';
import { expect, test } from 'vitest';
import { poolRow, timeAt } from '../../../test/corruption/sample-run.ts';
import { loadedPlan } from '../plan/load.ts';
import { NOVA_PLAN } from '../plan/nova.ts';
import { createGates, type GateId, type GateSample, overall } from './gates.ts';
import type { FailureSample } from './gates-types.ts';

const limits = loadedPlan(NOVA_PLAN, 'x').plan.gates;
const gateOf = (samples: readonly Omit<GateSample, 'at'>[], id: GateId, change = {}) => {
  const gates = createGates({ ...limits, ...change });
  let views = gates.views();
  for (const [index, sample] of samples.entries()) views = gates.observe({ at: timeAt(index), ...sample });
  return views.find((gate) => gate.id === id)!;
};
/** A baseline of 100 ms and a limit of 10 % above. */
const times = (observedMs: number, lowMs: number, baselineMs = 100) => ({
  responseTime: { service: 'auth-service', observedMs, lowMs, highMs: 140, answers: 12, baselineMs, limitMs: 110 },
});
const failures = (counts: FailureSample['counts'], unread: string[] = []) => ({ failures: { counts, unread } });
const waiting = (count: number) => ({ pools: [poolRow({ clWaiting: count })] });

test('nothing measured is inconclusive, never a pass', () => {
  const views = createGates(limits).observe({ at: timeAt(0) });
  expect(views.map((gate) => gate.id)).toEqual([
    'clients-waiting',
    'max-wait',
    'servers-active',
    'query-time',
    'longest-query',
    'response-time',
    'error-rate',
    'log-errors',
    'pg-connections',
    'direct-left',
    'prometheus',
  ]);
  expect(new Set(views.map((gate) => gate.verdict))).toEqual(new Set(['inconclusive']));
});

test('a query that runs on and on fails while it runs', () => {
  const running = (observedMs: number) => ({ longestQuery: { observedMs, limitMs: 2000 } });
  expect(gateOf([running(1999)], 'longest-query').verdict).toBe('pass');
  expect(gateOf([running(2100), running(3600), running(5100)], 'longest-query')).toMatchObject({
    verdict: 'fail',
    observed: '5100 ms, limit 2000 ms',
  });
});

test('the time of queries is measured, idle, or unknown; unknown is no zero', () => {
  const row = (more: object) => {
    const { avgQueryMs: _, queriesPerSecond: __, ...rest } = poolRow({});
    return { pools: [{ ...rest, ...more }] };
  };
  expect(gateOf([row({})], 'query-time')).toMatchObject({ verdict: 'inconclusive', observed: 'not measured' });
  expect(gateOf([row({ queriesPerSecond: 0 })], 'query-time')).toMatchObject({ verdict: 'pass', observed: '0 ms' });
  expect(gateOf([row({ queriesPerSecond: 3, avgQueryMs: 7 })], 'query-time')).toMatchObject({ observed: '7 ms' });
});

test('waiting clients fail after three looks in a row, not before', () => {
  expect(gateOf([waiting(0), waiting(2), waiting(2)], 'clients-waiting')).toMatchObject({
    verdict: 'pass',
    observed: '2 waiting (2 of 3 in a row)',
  });
  expect(gateOf([waiting(0), waiting(2), waiting(1), waiting(5)], 'clients-waiting')).toMatchObject({
    verdict: 'fail',
    observed: '5 waiting',
  });
  expect(gateOf([waiting(2), waiting(0), waiting(2), waiting(2)], 'clients-waiting').verdict).toBe('pass');
});

test('failing looks before the first good one prove nothing', () => {
  expect(gateOf([waiting(2)], 'clients-waiting').verdict).toBe('inconclusive');
});

test('a failed gate passes with the next good look', () => {
  expect(gateOf([...Array(3).fill(waiting(1)), waiting(0)], 'clients-waiting').verdict).toBe('pass');
});

test('a gap in the measurement makes it inconclusive but does not forget the failures', () => {
  expect(gateOf([waiting(1), waiting(1), {}], 'clients-waiting')).toMatchObject({
    verdict: 'inconclusive',
    observed: 'not measured',
  });
  expect(gateOf([waiting(1), waiting(1), {}, waiting(1)], 'clients-waiting').verdict).toBe('fail');
});

test('active servers are counted over all poolers, without the console', () => {
  const pools = [
    poolRow({ svActive: 21 }),
    poolRow({ pod: 'b', svActive: 20 }),
    poolRow({ database: 'pgbouncer', svActive: 9 }),
  ];
  expect(gateOf([{ pools }], 'servers-active', { consecutive: 1 })).toMatchObject({
    verdict: 'fail',
    observed: '41 active',
  });
});

test.each([
  [110, 'pass'],
  [110.2, 'fail'],
  [80, 'pass'],
])('response time %s ms against a baseline of 100 ms: %s', (observedMs, verdict) => {
  expect(gateOf([times(observedMs, observedMs)], 'response-time', { consecutive: 1 }).verdict).toBe(verdict);
});

test('a median above the limit whose range reaches below it says neither slower nor not', () => {
  expect(gateOf([times(115, 104)], 'response-time', { consecutive: 1 })).toMatchObject({
    verdict: 'inconclusive',
    observed:
      '115 ms, slower from 110 ms; auth-service, baseline 100 ms (+15.0 %), 95 % sure: 104 to 140 ms, 12 answers',
  });
  expect(gateOf([times(115, 111)], 'response-time', { consecutive: 1 }).verdict).toBe('fail');
});

test.each([
  [48, 'pass'],
  [52, 'pass'],
  [53, 'fail'],
  [47, 'fail'],
])('%s connections where 50 were computed: %s', (observed, verdict) => {
  expect(gateOf([{ pgConnections: { observed, expected: 50 } }], 'pg-connections', { consecutive: 1 }).verdict).toBe(
    verdict,
  );
});

test('no traffic and no baseline are not measured', () => {
  expect(gateOf([failures([{ source: 'health requests', failed: 0, total: 0 }])], 'error-rate').verdict).toBe(
    'inconclusive',
  );
  expect(gateOf([times(5, 5, 0)], 'response-time').verdict).toBe('inconclusive');
});

test('one failed request in a thousand is above 0 %', () => {
  const health = failures([{ source: 'health requests', failed: 1, total: 1000 }]);
  expect(gateOf([health], 'error-rate', { consecutive: 1 })).toMatchObject({
    verdict: 'fail',
    observed: '1 of 1000 health requests (0.100 %)',
  });
  expect(gateOf([health], 'error-rate', { consecutive: 1, errorRate: 0.1 }).verdict).toBe('pass');
});

test('the worst source of failures counts, and one that could not be asked leaves it open', () => {
  const good = { source: 'health requests', failed: 0, total: 12 };
  const http = { source: 'HTTP requests by Prometheus', percent: 2.5 };
  expect(gateOf([failures([good, http])], 'error-rate', { consecutive: 1 })).toMatchObject({
    verdict: 'fail',
    observed: '0 of 12 health requests, 2.5 % of HTTP requests by Prometheus',
  });
  expect(gateOf([failures([good], ['the logs of the poolers'])], 'error-rate')).toMatchObject({
    verdict: 'inconclusive',
    observed: '0 of 12 health requests, could not be read: the logs of the poolers',
  });
  expect(gateOf([failures([http], ['the logs of the poolers'])], 'error-rate', { consecutive: 1 }).verdict).toBe(
    'fail',
  );
  // Errors without a counted query are failures all the same.
  expect(
    gateOf([failures([{ source: 'queries', failed: 3, total: 0 }])], 'error-rate', { consecutive: 1 }),
  ).toMatchObject({ verdict: 'fail', observed: '3 of 3 queries (100.0 %)' });
});

test('Prometheus confirms or contradicts; it never fails a gate by itself', () => {
  const prometheus = (agrees: boolean) => ({ prometheus: { agrees, observed: '3 clients waiting' } });
  expect(gateOf([prometheus(true)], 'prometheus').verdict).toBe('pass');
  expect(gateOf(Array(5).fill(prometheus(false)), 'prometheus')).toMatchObject({
    verdict: 'inconclusive',
    observed: '3 clients waiting',
  });
});

test('the query time is the worst of the pools unless measured elsewhere', () => {
  expect(gateOf([{ pools: [poolRow({ avgQueryMs: 5200 })] }], 'query-time', { consecutive: 1 }).verdict).toBe('fail');
  expect(gateOf([{ pools: [poolRow({ avgQueryMs: 5200 })], queryTimeMs: 3 }], 'query-time').verdict).toBe('pass');
});

test('a gate is fail exactly when the last N measured looks were failures', () => {
  const look = fc.constantFrom(0, 1, undefined);
  fc.assert(
    fc.property(
      fc.array(look, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 4 }),
      (looks, consecutive) => {
        const gate = gateOf(
          looks.map((count) => (count === undefined ? {} : waiting(count))),
          'clients-waiting',
          { consecutive },
        );
        const measured = looks.filter((count) => count !== undefined);
        const bad = measured.length >= consecutive && measured.slice(-consecutive).every((count) => count === 1);
        if (looks.at(-1) === undefined) expect(gate.verdict).toBe('inconclusive');
        else expect(gate.verdict === 'fail').toBe(bad);
      },
    ),
  );
});

test('over several gates a failure wins, then what could not be measured', () => {
  expect(overall([{ verdict: 'pass' }, { verdict: 'inconclusive' }, { verdict: 'fail' }])).toBe('fail');
  expect(overall([{ verdict: 'pass' }, { verdict: 'inconclusive' }])).toBe('inconclusive');
  expect(overall([{ verdict: 'pass' }])).toBe('pass');
  expect(overall([])).toBe('inconclusive');
});
