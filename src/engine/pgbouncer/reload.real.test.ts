/** RELOAD on a real PgBouncer: proved by what runs, not by the word it answers; and the traps of rotating a password. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Secret } from '../secret.ts';
import { ADMIN, NOVA, type NovaPoolerOptions, STATS, startNova, startNovaPooler, through } from '../testing/nova.ts';
import { atLeast, connectTo, pgbouncerVersion, type TestPooler, type TestPostgres } from '../testing/servers.ts';
import { openConsole } from './console.ts';
import type { AdminConsole } from './console-types.ts';
import { renderUserlist } from './credentials.ts';
import { configDifferences, reloadAndProve } from './reload.ts';

let postgres: TestPostgres;
let pooler: TestPooler;
let console: AdminConsole;

beforeAll(async () => {
  postgres = await startNova();
});
afterEach(async () => {
  await console.close();
  await pooler.stop();
});
afterAll(async () => {
  await postgres?.stop();
});

async function start(options: NovaPoolerOptions = {}) {
  pooler = await startNovaPooler(postgres, options);
  const opened = await openConsole({ connect: connectTo(pooler.port), user: 'admin', password: ADMIN });
  if (!opened.ok) throw new Error(opened.error.message);
  console = opened.value;
  return readFileSync(pooler.iniPath, 'utf8');
}

test('the rendered file is what runs, key for key', async () => {
  const ini = await start();
  expect(await configDifferences(console, ini)).toEqual({ ok: true, value: [] });
});

test('a change is taken over without losing a client', async () => {
  const ini = await start();
  const session = await postgres.open({ port: pooler.port, user: 'nova_user', password: NOVA, database: 'nova' });
  const changed = ini.replace('pool_size=4', 'pool_size=3').replace('query_wait_timeout = 2', 'query_wait_timeout = 7');
  pooler.write('pgbouncer.ini', changed);
  expect(await reloadAndProve(console, changed)).toEqual({ ok: true, value: undefined });
  expect((await session.query('select 1')).ok).toBe(true);
  await session.close();
});

test('a broken file is noticed, whatever PgBouncer answers', async () => {
  const ini = await start();
  const broken = `${ini.replace('query_wait_timeout = 2', 'query_wait_timeout = 9')}no_such_key = 1\n`;
  pooler.write('pgbouncer.ini', broken);
  expect(await reloadAndProve(console, broken)).toMatchObject({ ok: false, error: { code: 'pooler-config' } });
});

test('a wrong password shows only with a new server connection: RECONNECT proves it', async () => {
  // Without min_pool_size nothing logs in behind the client's back.
  await start({ database: { minPoolSize: 0 } });
  expect(await through(postgres, pooler)).toBe('nova_user');
  const wrong = new Secret('not-what-postgres-has');
  const list = renderUserlist([
    { user: 'nova_user', secret: wrong },
    { user: 'admin', secret: ADMIN },
    { user: 'stats_user', secret: STATS },
  ]);
  pooler.write('userlist.txt', list.reveal());
  await console.command('RELOAD');
  // 1.18 drops the old connections of a forced user itself; 1.24 and 1.26 go on with them, and all looks well.
  const first = await through(postgres, pooler, { password: wrong });
  if (atLeast(pgbouncerVersion(), 1, 24)) expect(first).toBe('nova_user');
  await console.command('RECONNECT');
  expect(await through(postgres, pooler, { password: wrong })).toMatch(
    /password authentication failed|server login failed|query_wait_timeout/,
  );
});
