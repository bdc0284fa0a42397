/** The console of a real PgBouncer, and its files as rendered. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../secret.ts';
import {
  connectTo,
  pgbouncerVersion,
  startPooler,
  startPostgres,
  type TestPooler,
  type TestPostgres,
  until,
} from '../testing/servers.ts';
import { renderHba, renderIni } from './config.ts';
import type { PoolerSettings } from './config-types.ts';
import { openConsole } from './console.ts';
import { renderUserlist } from './credentials.ts';

const nova = new Secret('nova-password-of-tests');
const admin = new Secret('admin-password-of-tests');
const stats = new Secret('stats-password-of-tests');
const version = pgbouncerVersion();

let postgres: TestPostgres;
let pooler: TestPooler;

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.sql(`create role nova_user login password '${nova.reveal()}'`);
  await postgres.sql('create database nova owner nova_user');
  const settings = (more: Partial<PoolerSettings>): PoolerSettings => ({
    databases: [
      {
        name: 'nova',
        host: '127.0.0.1',
        port: postgres.port,
        dbname: 'nova',
        forcedUser: 'nova_user',
        poolSize: 4,
        minPoolSize: 2,
        reservePool: 1,
        maxDbConnections: 5,
      },
    ],
    clientUsers: ['nova_user'],
    adminUser: 'admin',
    statsUser: 'stats_user',
    maxClientConn: 50,
    ...more,
  });
  pooler = await startPooler({
    userlist: renderUserlist([
      { user: 'nova_user', secret: nova },
      { user: 'admin', secret: admin },
      { user: 'stats_user', secret: stats },
    ]).reveal(),
    hba: renderHba(settings({})),
    ini: ({ port, authFile, hbaFile }) =>
      renderIni(version, settings({ listenAddr: '127.0.0.1', listenPort: port, authFile, hbaFile })),
  });
});

afterAll(async () => {
  await pooler?.stop();
  await postgres?.stop();
});

describe('the console', () => {
  const open = (user: string, password: Secret) => openConsole({ connect: connectTo(pooler.port), user, password });

  test('answers its version and its pools by column name', async () => {
    const console = await open('admin', admin);
    if (!console.ok) throw new Error(console.error.message);
    expect(await console.value.version()).toEqual({ ok: true, value: version });
    const session = await postgres.open({ port: pooler.port, user: 'nova_user', password: nova, database: 'nova' });
    await session.query('select 1');
    const row = await until('a row of nova', async () => {
      const rows = await console.value.show('POOLS');
      return rows.ok ? rows.value.find((each) => each.database === 'nova') : undefined;
    });
    expect(row).toMatchObject({ user: 'nova_user', cl_active: 1, cl_waiting: 0, pool_mode: 'transaction' });
    for (const command of ['STATS', 'CLIENTS', 'SERVERS', 'LISTS', 'CONFIG', 'DATABASES', 'STATS_TOTALS'] as const) {
      const rows = await console.value.show(command);
      expect(rows.ok && rows.value.length, command).toBeGreaterThan(0);
    }
    const totals = await console.value.show('STATS');
    expect(totals.ok && totals.value.find((each) => each.database === 'nova')).toMatchObject({ total_query_count: 1 });
    await session.close();
    await console.value.close();
  });

  test('says when the password is wrong', async () => {
    const console = await open('admin', new Secret('not-the-password'));
    expect(console).toMatchObject({ ok: false, error: { code: 'auth-failed' } });
  });
});
