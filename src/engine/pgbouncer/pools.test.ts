import { describe, expect, test } from 'vitest';
import { realClock } from '../run/clock.ts';
import { Secret } from '../secret.ts';
import { COLUMNS } from '../testing/console-columns.ts';
import type { ConsoleRow } from './console-types.ts';
import { attributeClients, createPoolWatcher, normaliseAddress, poolRows, ratesBetween } from './pools.ts';

const VALUES: Record<string, string | number> = {
  database: 'nova',
  user: 'nova_user',
  cl_active: 4,
  cl_waiting: 2,
  sv_active: 3,
  sv_idle: 5,
  sv_used: 6,
  sv_tested: 1,
  sv_login: 7,
  maxwait: 1,
  maxwait_us: 250_000,
  pool_mode: 'transaction',
  type: 'C',
  addr: '10.0.0.7',
  application_name: 'feed - 10.0.0.7:5555',
};
/** A row with the columns of one version, in its order; unknown columns hold a value that would be noticed. */
const row = (columns: string): ConsoleRow =>
  Object.fromEntries(columns.split(' ').map((column) => [column, VALUES[column] ?? 999]));

describe('columns are read by name in every version', () => {
  const of = (command: string) => COLUMNS.filter((each) => each.command === command);
  test('eleven versions are covered', () => {
    expect(new Set(of('POOLS').flatMap((each) => each.versions)).size).toBe(11);
  });
  test.each(of('POOLS'))('POOLS of $versions', ({ columns }) => {
    expect(poolRows('pod-1', [row(columns), { ...row(columns), database: 'pgbouncer' }], new Map())).toEqual([
      {
        pod: 'pod-1',
        database: 'nova',
        user: 'nova_user',
        clActive: 4,
        clWaiting: 2,
        svActive: 3,
        svIdle: 5,
        svUsed: 6,
        svTested: 1,
        svLogin: 7,
        maxwaitMs: 1250,
        poolMode: 'transaction',
      },
    ]);
  });
  test.each(of('STATS'))('STATS of $versions has the counters the rates are made of', ({ columns }) => {
    expect(columns.split(' ')).toEqual(
      expect.arrayContaining(['total_query_count', 'total_query_time', 'total_wait_time']),
    );
  });
  test.each(of('CLIENTS'))('CLIENTS of $versions', ({ columns }) => {
    const podIps = new Map([['10.0.0.7', { pod: 'feed-1', service: 'feed-service' }]]);
    expect([...attributeClients([row(columns), { ...row(columns), database: 'pgbouncer' }], podIps).byService]).toEqual(
      [['feed-service', 1]],
    );
  });
});

describe('rates', () => {
  const totals = (at: number, queries: number, queryUs = 0, waitUs = 0) => ({ at, queries, queryUs, waitUs });
  test('need two samples', () => expect(ratesBetween(undefined, totals(0, 10))).toEqual({}));
  test('are per second, times in milliseconds', () => {
    expect(ratesBetween(totals(0, 100, 0, 0), totals(2000, 300, 1_000_000, 200_000))).toEqual({
      queriesPerSecond: 100,
      avgQueryMs: 5,
      avgWaitMs: 1,
    });
  });
  test('no queries: zero a second, and no average of nothing', () => {
    expect(ratesBetween(totals(0, 5), totals(1000, 5))).toEqual({ queriesPerSecond: 0 });
  });
  test('counters that went back (a restart) give no rate', () =>
    expect(ratesBetween(totals(0, 500), totals(1000, 3))).toEqual({}));
});

test('the rate of a database stands in one of its pools: a sum counts it once', () => {
  const [columns] = COLUMNS.filter((each) => each.command === 'POOLS').map((each) => each.columns);
  const pools = [row(columns!), { ...row(columns!), user: 'reports_user' }, { ...row(columns!), database: 'billing' }];
  const rates = new Map([
    ['nova', { queriesPerSecond: 7 }],
    ['billing', { queriesPerSecond: 2 }],
  ]);
  expect(poolRows('pod-1', pools, rates).map((one) => one.queriesPerSecond)).toEqual([7, undefined, 2]);
});

test('addresses of one pod are one address', () => {
  expect(['::ffff:10.0.0.1', '10.0.0.1/32', '10.0.0.1'].map(normaliseAddress)).toEqual([
    '10.0.0.1',
    '10.0.0.1',
    '10.0.0.1',
  ]);
  expect(normaliseAddress('fd00::1')).toBe('fd00::1');
});

test('strangers among the clients are named by address and application', () => {
  const clients = ['a', 'a', 'b'].map(
    (application_name): ConsoleRow => ({ type: 'C', database: 'nova', addr: '10.9.9.9', application_name }),
  );
  expect(attributeClients(clients, new Map()).unknown).toEqual([
    { address: '10.9.9.9', applicationName: 'a', count: 2 },
    { address: '10.9.9.9', applicationName: 'b', count: 1 },
  ]);
});

test('a fresh sample begins after it was asked for; a joined one may be older', async () => {
  const end = new AbortController();
  const asked: (() => void)[] = [];
  const watcher = createPoolWatcher({
    poolers: () => new Promise((resolve) => asked.push(() => resolve([]))),
    user: 'admin',
    password: new Secret('a-password-of-tests'),
    everyMs: 3_600_000,
    clock: realClock(),
    signal: end.signal,
  });
  // The loop's first sample is under way, and waits for the list of pods.
  expect(asked).toHaveLength(1);
  const joined = watcher.refresh();
  const fresh = [watcher.fresh(), watcher.fresh()];
  asked[0]!();
  await joined;
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toHaveLength(2);
  asked[1]!();
  await Promise.all(fresh);
  expect(asked).toHaveLength(2);
  end.abort(new Error('end of test'));
  await watcher.done;
});

test('columns of SHOW that act on a terminal, or are no numbers, come out as text and as nothing', () => {
  const hostile = `x\u001b]52;c;aGk=\u0007\u202ey\u200b\u009b31m${'z'.repeat(1_000_000)}`;
  const [only] = poolRows(
    'pod-1',
    [{ database: hostile, user: hostile, pool_mode: hostile, cl_active: hostile, cl_waiting: 'NaN', maxwait: '1e999' }],
    new Map(),
  );
  for (const text of [only!.database, only!.user, only!.poolMode]) {
    expect(text).toMatch(/^xyz+…$/);
    expect(text.length).toBeLessThanOrEqual(128);
  }
  expect(only).toMatchObject({ clActive: 0, clWaiting: 0, svActive: 0, maxwaitMs: 0 });
  const clients = attributeClients(
    [{ type: 'C', database: hostile, addr: hostile, application_name: hostile }],
    new Map(),
  );
  expect(JSON.stringify(clients)).not.toMatch(/u001b|u009b/);
});
