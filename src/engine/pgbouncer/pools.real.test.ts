/** Watching real poolers: each pod, rates, a pod that is replaced, a pod that goes away, and whose clients they have. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { realClock } from '../run/clock.ts';
import type { PoolsView } from '../run/model.ts';
import { NOVA, STATS, startNova, startNovaPooler } from '../testing/nova.ts';
import { connectTo, pgbouncerVersion, type TestPooler, type TestPostgres, until } from '../testing/servers.ts';
import type { PodOwner, PoolerEndpoint } from './console-types.ts';
import { loginsIn } from './log-scan.ts';
import { attributeClients, createPoolWatcher } from './pools.ts';

let postgres: TestPostgres;
const poolers: TestPooler[] = [];
const stop = new Set<AbortController>();

beforeAll(async () => {
  postgres = await startNova();
});
afterEach(async () => {
  for (const controller of stop) controller.abort(new Error('end of test'));
  stop.clear();
  await Promise.all(poolers.splice(0).map((pooler) => pooler.stop()));
});
afterAll(async () => {
  await postgres?.stop();
});

async function pooler(): Promise<TestPooler> {
  const started = await startNovaPooler(postgres, {
    edit: (ini) => ini.replace('listen_addr = 127.0.0.1', 'listen_addr = *'),
  });
  poolers.push(started);
  return started;
}

function watch(endpoints: () => readonly PoolerEndpoint[], everyMs = 100) {
  const controller = new AbortController();
  stop.add(controller);
  const views: PoolsView[] = [];
  const watcher = createPoolWatcher({
    poolers: async () => endpoints(),
    user: 'stats_user',
    password: STATS,
    everyMs,
    clock: realClock(),
    signal: controller.signal,
    onSample: (view) => views.push(view),
    timeoutMs: 1000,
  });
  return { watcher, views, controller };
}

const client = (port: number) => postgres.open({ port, user: 'nova_user', password: NOVA, database: 'nova' });

test('every pooler pod is seen, with rates and server connections, and history grows', async () => {
  const [one, two] = [await pooler(), await pooler()];
  const { watcher, views, controller } = watch(() => [
    { pod: 'pgbouncer-a', connect: connectTo(one.port) },
    { pod: 'pgbouncer-b', connect: connectTo(two.port) },
  ]);
  const [a, b] = [await client(one.port), await client(two.port)];
  await b.query('select 1');
  const busy = await until('a rate of queries at the first pooler', async () => {
    for (let n = 0; n < 20; n++) await a.query('select 1');
    const row = watcher.view().rows.find((each) => each.pod === 'pgbouncer-a' && each.database === 'nova');
    return row?.queriesPerSecond ? row : undefined;
  });
  expect(busy).toMatchObject({ user: 'nova_user', clActive: 1, clWaiting: 0, poolMode: 'transaction' });
  expect(busy.avgQueryMs).toBeGreaterThanOrEqual(0);
  expect(busy.svActive + busy.svIdle + busy.svUsed).toBeGreaterThan(0);
  const view = await watcher.refresh();
  expect(view.poolers).toMatchObject([
    { pod: 'pgbouncer-a', state: 'ok', version: pgbouncerVersion().text },
    { pod: 'pgbouncer-b', state: 'ok', version: pgbouncerVersion().text },
  ]);
  expect(view.rows.filter((row) => row.database === 'nova').map((row) => row.clActive)).toEqual([1, 1]);
  expect(view.rows.some((row) => row.database === 'pgbouncer')).toBe(false);
  expect(view.history.length).toBeGreaterThan(1);
  expect(views.length).toBeGreaterThan(0);
  await a.close();
  await b.close();
  controller.abort(new Error('enough'));
  await watcher.done;
});

test('clients that wait are seen with their wait in milliseconds', async () => {
  const one = await pooler();
  const { watcher } = watch(() => [{ pod: 'pgbouncer-a', connect: connectTo(one.port) }]);
  const holders = await Promise.all([1, 2, 3, 4].map(() => client(one.port)));
  for (const holder of holders) await holder.query('begin');
  const waiter = await client(one.port);
  const answer = waiter.query('select 1');
  // A sample of before the last `begin` may show one of the holders waiting for its own server connection.
  await until('a client that waits behind four', () =>
    watcher.view().rows.find((each) => each.clWaiting === 1 && each.maxwaitMs > 0 && each.svActive === 4),
  );
  await holders[0]!.query('rollback');
  expect((await answer).ok).toBe(true);
  await Promise.all([...holders, waiter].map((session) => session.close()));
});

test('a pooler that dies is down with its age, and its replacement is watched', async () => {
  const first = await pooler();
  let endpoints: PoolerEndpoint[] = [{ pod: 'pgbouncer-a', connect: connectTo(first.port) }];
  const { watcher } = watch(() => endpoints, 50);
  await until('the first sample', () => watcher.view().poolers[0]?.state === 'ok');
  await first.stop();
  const down = await until('the dead pooler to be noticed', () =>
    watcher.view().poolers.find((each) => each.state !== 'ok'),
  );
  expect(down.error).toMatch(/refused|terminated|closed|reset/i);
  const second = await pooler();
  endpoints = [{ pod: 'pgbouncer-b', connect: connectTo(second.port) }];
  await until(
    'the new pooler',
    () =>
      watcher.view().poolers.length === 1 &&
      watcher.view().poolers[0]?.pod === 'pgbouncer-b' &&
      watcher.view().poolers[0]?.state === 'ok',
  );
  // The same pod name with another process behind it (a container restart) is reconnected too.
  const third = await pooler();
  await second.stop();
  endpoints = [{ pod: 'pgbouncer-b', connect: connectTo(third.port) }];
  await until(
    'the restarted pooler',
    () => watcher.view().poolers[0]?.state === 'ok' && watcher.view().poolers[0]!.ageMs < 500,
  );
});

test('clients are attributed to services by the address of their pods', async () => {
  const one = await pooler();
  const podIps = new Map<string, PodOwner>([
    ['127.0.1.1', { pod: 'auth-1', service: 'auth-service' }],
    ['127.0.1.2', { pod: 'feed-1', service: 'feed-service' }],
  ]);
  const open = (localAddress: string) =>
    postgres.open({
      port: one.port,
      user: 'nova_user',
      password: NOVA,
      database: 'nova',
      localAddress,
      applicationName: 'app',
    });
  const sessions = [await open('127.0.1.1'), await open('127.0.1.1'), await open('127.0.9.9')];
  const { watcher } = watch(() => [{ pod: 'pgbouncer-a', connect: connectTo(one.port) }]);
  await watcher.refresh();
  const console = await watcher.console('pgbouncer-a');
  const rows = await console!.show('CLIENTS');
  if (!rows.ok) throw new Error(rows.error.message);
  const { byService, unknown } = attributeClients(rows.value, podIps);
  expect([...byService]).toEqual([
    ['auth-service', 2],
    ['feed-service', 0],
  ]);
  expect(unknown).toEqual([{ address: '127.0.9.9', applicationName: expect.stringMatching(/^app/), count: 1 }]);
  // The same from the log, as a node gives it: for connections that are shorter than the time between two looks.
  const noted = one.log().split('\n');
  const logins = loginsIn(noted.map((line) => `2026-11-24T10:00:00Z ${line}`));
  expect([...logins.keys()].sort()).toEqual(['127.0.1.1', '127.0.9.9']);
  await Promise.all(sessions.map((session) => session.close()));
});

test('the stats user may read and not change', async () => {
  const one = await pooler();
  const { watcher } = watch(() => [{ pod: 'pgbouncer-a', connect: connectTo(one.port) }]);
  await watcher.refresh();
  const console = await watcher.console('pgbouncer-a');
  expect(await console!.command('RECONNECT')).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining('admin access needed') },
  });
});
