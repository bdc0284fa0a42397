/** Hazards planted on a real PostgreSQL are all found, with the service; a clean database has none. */
import type { ClientConfig } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseVersion } from '../pgbouncer/config.ts';
import type { PodOwner } from '../pgbouncer/console-types.ts';
import { NOVA, startNova } from '../testing/nova.ts';
import { type TestPostgres, until } from '../testing/servers.ts';
import { readActivity } from './activity.ts';
import { capacityFindings, readCapacity } from './capacity.ts';
import { findHazards } from './hazards.ts';
import { Client } from './pg-client.ts';
import type { Driver, Postgres } from './types.ts';

let postgres: TestPostgres;
const sessions: Postgres[] = [];

/** Services by the address their sessions come from, as pods have. */
const PODS = ['auth', 'feed', 'media', 'search', 'user', 'video', 'events', 'cdn'].map(
  (name, index) => [`127.0.1.${index + 1}`, `${name}-service`] as const,
);
const podIps = new Map<string, PodOwner>([
  ...PODS.map(([ip, service]) => [ip, { pod: `${service}-7d9f-abcde`, service }] as const),
  ['127.0.2.1', { pod: 'pgbouncer-6c5d-xyz12', pooler: true }],
]);
const login = { role: 'nova_user', database: 'nova' };
const options = { podIps, ...login, logins: [login], poolerVersion: version('1.24.1') };

function version(text: string) {
  const parsed = parseVersion(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

async function from(service: string, ...statements: string[]): Promise<Postgres> {
  const localAddress = [...podIps].find(([, owner]) => owner.service === service)?.[0];
  const session = await postgres.open({
    user: 'nova_user',
    password: NOVA,
    database: 'nova',
    localAddress: localAddress!,
    applicationName: service,
  });
  sessions.push(session);
  for (const statement of statements) {
    const done = await session.query(statement);
    if (!done.ok) throw new Error(done.error.message);
  }
  return session;
}

async function look(
  more: {
    drivers?: ReadonlyMap<string, Driver>;
    longTransactionSeconds?: number;
    poolerVersion?: typeof options.poolerVersion;
  } = {},
) {
  const pg = await postgres.open({ database: 'nova' });
  const report = await findHazards(pg, { ...options, ...more });
  await pg.close();
  if (!report.ok) throw new Error(report.error.message);
  return report.value;
}

beforeAll(async () => {
  postgres = await startNova({
    shared_preload_libraries: 'pg_stat_statements',
    wal_level: 'logical',
    max_replication_slots: 4,
  });
  await postgres.sql('create extension pg_stat_statements', 'nova');
  await postgres.sql(
    'create table public.orders (id serial primary key, at timestamptz); grant all on public.orders to nova_user; grant all on sequence orders_id_seq to nova_user',
    'nova',
  );
});
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close()));
  await until('sessions to end', async () => {
    const rows = await postgres.sql("select count(*)::int as n from pg_stat_activity where usename = 'nova_user'");
    return rows[0]?.n === 0;
  });
  await postgres.sql('select pg_stat_statements_reset()', 'nova');
});
afterAll(async () => {
  await postgres?.stop();
});

describe('hazards', () => {
  test('a clean database has none', async () => {
    await from(
      'auth-service',
      'select 1',
      'begin',
      "set local statement_timeout = '5s'",
      'insert into orders (at) values (now())',
      'commit',
    );
    await from(
      'feed-service',
      'begin',
      'select pg_advisory_xact_lock(7)',
      'create temp table t (n int) on commit drop',
      'commit',
      'select 2',
    );
    await from(
      'user-service',
      "set application_name = 'user-service'",
      "set time zone 'UTC'",
      'select count(*) from orders',
    );
    const report = await look();
    expect(report.findings).toEqual([]);
    expect(report.looked.filter((each) => each.state === 'done').map((each) => each.check)).toEqual([
      'pg_stat_activity',
      'temporary tables',
      'pg_stat_statements',
      'logical replication slots',
    ]);
  });

  test('all that were planted are found and attributed', async () => {
    await from('auth-service', 'select pg_advisory_lock(42)', 'select 1');
    await from('feed-service', 'listen changes');
    await from('media-service', 'create temp table scratch (n int)');
    await from('search-service', "set search_path = 'public'");
    await from('user-service', 'prepare find as select 1');
    await from('video-service', 'begin', 'declare pages cursor with hold for select 1', 'commit');
    await from('cdn-service', 'begin', 'select 1');
    const long = await from('events-service', 'begin');
    const running = long.query('select pg_sleep(3)');
    const report = await until(
      'the idle transaction to be two seconds old',
      async () => {
        const now = await look({ longTransactionSeconds: 1 });
        return now.findings.some((finding) => finding.id === 'idle-in-transaction') ? now : undefined;
      },
      10_000,
    );
    await running;
    const found = new Map(report.findings.map((finding) => [finding.id, finding]));
    expect([...found.keys()].sort()).toEqual([
      'cursor-with-hold',
      'idle-in-transaction',
      'listen',
      'long-transaction',
      'session-advisory-lock',
      'session-settings',
      'sql-prepare',
      'temporary-table',
    ]);
    expect(found.get('session-advisory-lock')?.services).toEqual(['auth-service']);
    expect(found.get('listen')?.services).toEqual(['feed-service']);
    expect(found.get('session-settings')?.services).toEqual(['search-service']);
    expect(found.get('sql-prepare')?.services).toEqual(['user-service']);
    expect(found.get('idle-in-transaction')?.services).toEqual(['cdn-service']);
    expect(found.get('long-transaction')?.services).toEqual(['events-service']);
    expect(found.get('temporary-table')?.services).toEqual(['media-service']);
    expect(found.get('cursor-with-hold')?.detail).toContain('declare pages cursor with hold');
  });

  test('a logical replication slot is a hazard while somebody reads it', async () => {
    await postgres.sql("select pg_create_logical_replication_slot('cdc', 'test_decoding')", 'nova');
    expect((await look()).findings).toEqual([]);
    // As Debezium and its like read a slot: the replication protocol. Not every package of PostgreSQL has pg_recvlogical.
    const consumer = new Client({
      host: '127.0.0.1',
      port: postgres.port,
      user: 'postgres',
      password: postgres.superPassword.reveal(),
      database: 'nova',
      replication: 'database',
    } as ClientConfig);
    await consumer.connect();
    // It streams until the connection ends, and its end is all that this promise says.
    const streaming = consumer.query('START_REPLICATION SLOT cdc LOGICAL 0/0').catch(() => undefined);
    const report = await until('the slot to be active', async () => {
      const now = await look();
      return now.findings.length > 0 ? now : undefined;
    });
    expect(report.findings).toMatchObject([
      { id: 'logical-replication', severity: 'block', detail: expect.stringContaining('slot cdc') },
    ]);
    await consumer.end();
    await streaming;
    await until('the slot to be free', async () => (await look()).findings.length === 0);
    await postgres.sql("select pg_drop_replication_slot('cdc')", 'nova');
  });

  test('drivers that prepare statements hold their services back on 1.18 and not on 1.24', async () => {
    const drivers = new Map<string, Driver>([
      ['auth-service', 'sqlx'],
      ['feed-service', 'node-pg'],
    ]);
    const old = await look({ drivers, poolerVersion: version('1.18.0') });
    expect(old.findings.map(({ id, severity, services }) => ({ id, severity, services }))).toEqual([
      { id: 'named-prepared-statements', severity: 'block', services: ['auth-service'] },
    ]);
    expect((await look({ drivers })).findings).toEqual([]);
  });

  test('what could not be looked at is said', async () => {
    const pg = await postgres.open({ user: 'nova_user', password: NOVA, database: 'nova', localAddress: '127.0.0.1' });
    await postgres.sql('drop extension pg_stat_statements', 'nova');
    const report = await findHazards(pg, options);
    await pg.close();
    await postgres.sql('create extension pg_stat_statements', 'nova');
    expect(report.ok && report.value.looked.find((each) => each.check === 'pg_stat_statements')).toMatchObject({
      state: 'not-possible',
      note: 'the extension is not installed in this database',
    });
  });
});

describe('activity', () => {
  test('sessions are counted by the pod they come from, also for an unprivileged role', async () => {
    await from('auth-service');
    await from('auth-service');
    await from('feed-service');
    const pooled = await postgres.open({
      user: 'nova_user',
      password: NOVA,
      database: 'nova',
      localAddress: '127.0.2.1',
    });
    const stranger = await postgres.open({
      user: 'nova_user',
      password: NOVA,
      database: 'nova',
      localAddress: '127.0.3.9',
      applicationName: 'cron',
    });
    const superuser = await postgres.open({ database: 'nova' });
    sessions.push(pooled, stranger, superuser);

    const mine = await postgres.open({ user: 'nova_user', password: NOVA, database: 'nova' });
    const seen = await readActivity([{ role: 'nova_user', session: mine }], options);
    await mine.close();
    if (!seen.ok) throw new Error(seen.error.message);
    expect(seen.value.direct.get('auth-service')).toBe(2);
    expect(seen.value.direct.get('feed-service')).toBe(1);
    expect(seen.value.direct.get('media-service')).toBe(0);
    expect(seen.value).toMatchObject({
      directTotal: 3,
      pooled: 1,
      other: 2,
      hidden: 1,
      maxConnections: 60,
      reserved: 3,
      total: 7,
    });
    expect(seen.value.unexplained).toEqual([{ address: '127.0.3.9', applicationName: 'cron', count: 1 }]);

    const all = await readActivity([{ session: superuser }], options);
    expect(all.ok && all.value.hidden).toBe(0);
  });

  test('capacity tells what this session may do', async () => {
    const superuser = await postgres.open({ database: 'nova' });
    const role = await postgres.open({ user: 'nova_user', password: NOVA, database: 'nova' });
    sessions.push(superuser, role);
    expect(await readCapacity(superuser, { role: 'nova_user', database: 'nova' })).toMatchObject({
      ok: true,
      value: {
        storedAs: 'scram',
        canReadVerifier: true,
        canAlterRole: true,
        maxConnections: 60,
        superuserReserved: 3,
        roleConnectionLimit: -1,
        roleCanLogin: true,
      },
    });
    expect(await readCapacity(role, { role: 'nova_user', database: 'nova' })).toMatchObject({
      ok: true,
      value: { canReadVerifier: false, canAlterRole: false },
    });
    expect(await readCapacity(role, { role: 'nobody_here', database: 'nova' })).toMatchObject({
      ok: false,
      error: { code: 'query-failed' },
    });
  });

  test('a role that cannot log in stops everything before any arithmetic', async () => {
    const superuser = await postgres.open({ database: 'nova' });
    sessions.push(superuser);
    const findings = async () => {
      const facts = await readCapacity(superuser, { role: 'nova_user', database: 'nova' });
      return facts.ok ? capacityFindings(facts.value).map((finding) => finding.id) : [facts.error.code];
    };
    expect(await findings()).toEqual([]);
    await postgres.sql(
      "alter role nova_user nologin valid until '2020-01-01'; alter database nova allow_connections false",
    );
    expect(await findings()).toEqual(['role-cannot-login', 'role-expired', 'database-closed']);
    await postgres.sql("alter role nova_user login valid until 'infinity'; alter database nova allow_connections true");
  });
});
