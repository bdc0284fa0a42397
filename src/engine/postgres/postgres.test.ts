import { describe, expect, test } from 'vitest';
import { parseVersion } from '../pgbouncer/config.ts';
import type { PodOwner } from '../pgbouncer/types.ts';
import { countActivity } from './activity.ts';
import { baselineJob, checkBaselineHeadroom, compareBaselines, parsePgbench } from './baseline.ts';
import { driverAdvice, guessDriver, keepsPreparedStatements } from './drivers.ts';
import { statementHazards } from './hazard-statements.ts';
import { sessionError } from './session.ts';
import type { BaselineResult, SqlRow } from './types.ts';

function version(text: string) {
  const parsed = parseVersion(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

describe('statements that keep something in the session', () => {
  test.each<[string, string[]]>([
    ['LISTEN changes', ['listen']],
    ['/* job:7 */ set search_path = app', ['session-settings']],
    ["SELECT set_config('search_path', 'app', false)", ['session-settings']],
    ['SET SESSION statement_timeout = 5', ['session-settings']],
    ['prepare p as select 1', ['sql-prepare']],
    ['select pg_try_advisory_lock($1)', ['session-advisory-lock']],
    ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', ['cursor-with-hold']],
    ['create temporary table t (n int)', ['temporary-table']],
    ["select currval('orders_id_seq')", ['session-state']],
    ['DISCARD ALL', ['session-state']],
  ])('%s', (query, ids) => expect(statementHazards(query).map((hazard) => hazard.id)).toEqual(ids));

  test.each([
    'set local search_path = app',
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    "set application_name = 'x'",
    "SET TIME ZONE 'UTC'",
    'SET client_encoding TO utf8',
    "select set_config('search_path', 'app', true)",
    'select pg_advisory_xact_lock(1)',
    'create temp table t (n int) on commit drop',
    'declare c cursor for select 1',
    "insert into notes values ('please listen, prepare and set things')",
    'select prepared, executed from jobs',
    'update settings set value = 1',
    "PREPARE TRANSACTION 'x'",
    'notify changes',
  ])('%s is fine', (query) => expect(statementHazards(query)).toEqual([]));
});

describe('drivers', () => {
  test('prepared statements are kept by 1.21 with a setting and by 1.24 without', () => {
    expect([
      keepsPreparedStatements(version('1.18.0'), 200),
      keepsPreparedStatements(version('1.21.0')),
      keepsPreparedStatements(version('1.21.0'), 100),
      keepsPreparedStatements(version('1.24.0')),
    ]).toEqual([false, false, true, true]);
  });
  test('sqlx cannot do without them, pgx can be told to', () => {
    expect(driverAdvice('sqlx', version('1.18.0'))).toMatchObject({
      breaks: true,
      advice: [expect.stringContaining('run PgBouncer 1.21'), expect.stringContaining('extra_float_digits')],
    });
    expect(driverAdvice('pgx', version('1.18.0')).advice[0]).toContain('default_query_exec_mode=exec');
    expect(driverAdvice('pgx', version('1.24.1')).breaks).toBe(false);
    expect(driverAdvice('node-pg', version('1.18.0')).breaks).toBe(false);
  });
  test('a URL or the environment often tells which driver it is', () => {
    expect(guessDriver({ url: 'jdbc:postgresql://postgres:5432/nova' })).toBe('pgjdbc');
    expect(guessDriver({ url: 'postgresql+asyncpg://x@postgres/nova' })).toBe('asyncpg');
    expect(guessDriver({ url: 'postgresql://x@postgres/nova' })).toBe('unknown');
  });
});

describe('activity', () => {
  const podIps = new Map<string, PodOwner>([
    ['10.0.0.1', { pod: 'auth-1', service: 'auth-service' }],
    ['10.0.0.9', { pod: 'pgbouncer-1', pooler: true }],
  ]);
  const row = (more: Partial<Record<string, SqlRow[string]>>): SqlRow => ({
    address: '10.0.0.1',
    application_name: '',
    role: 'nova_user',
    database: 'nova',
    backend_type: 'client backend',
    own: false,
    sessions: 1,
    ...more,
  });
  const count = (...rows: SqlRow[]) => countActivity(rows, { podIps, role: 'nova_user', database: 'nova' });
  test('a service’s own pod with another role is direct too', () => {
    expect(count(row({ role: 'migrator' })).directTotal).toBe(1);
  });
  test('the pooler’s sessions are pooled whatever they call themselves', () => {
    expect(count(row({ address: '10.0.0.9', application_name: 'pgb-wizard - 10.0.0.5:1' }))).toMatchObject({
      pooled: 1,
      directTotal: 0,
      other: 0,
    });
  });
  test('our own sessions, other roles and hidden ones are others', () => {
    expect(
      count(
        row({ address: '127.0.0.1', own: true }),
        row({ address: '10.5.5.5', role: 'exporter' }),
        row({ address: null, backend_type: null, sessions: 3 }),
      ),
    ).toMatchObject({
      total: 5,
      other: 5,
      hidden: 3,
      unexplained: [],
    });
  });
  test('unknown addresses of the role are named', () => {
    expect(count(row({ address: null, application_name: 'psql', sessions: 2 })).unexplained).toEqual([
      { address: 'local', applicationName: 'psql', count: 2 },
    ]);
  });
});

describe('pgbench', () => {
  const output = `number of transactions actually processed: 25123
number of failed transactions: 0 (0.000%)
latency average = 0.398 ms
latency stddev = 0.120 ms
initial connection time = 12.044 ms
tps = 2512.330201 (without initial connection time)
progress: 5.0 s, 2500.4 tps, lat 0.400 ms stddev 0.121, 0 failed
progress: 10.0 s, 2524.2 tps, lat 0.396 ms stddev 0.119, 0 failed`;
  test('15 and later', () => {
    expect(parsePgbench(output)).toMatchObject({
      ok: true,
      value: {
        tps: 2512.330201,
        latencyAverageMs: 0.398,
        transactions: 25123,
        failed: 0,
        aborted: false,
        progress: [{ seconds: 5 }, { seconds: 10, tps: 2524.2 }],
      },
    });
  });
  test('13 and earlier', () => {
    const old =
      'number of transactions actually processed: 100/100\nlatency average = 1.5 ms\ntps = 666.1 (including connections establishing)\ntps = 670.2 (excluding connections establishing)\n';
    expect(parsePgbench(old)).toMatchObject({ ok: true, value: { tps: 670.2, transactions: 100 } });
  });
  test('an aborted run says so, no result is an error with pgbench’s words', () => {
    const aborted = parsePgbench(`${output}\nRun was aborted; the above results are incomplete.`);
    expect(aborted.ok && aborted.value.aborted).toBe(true);
    expect(parsePgbench('pgbench: error: could not connect')).toMatchObject({
      ok: false,
      error: { cause: 'pgbench: error: could not connect' },
    });
  });

  const result = (latencyAverageMs: number, more: Partial<BaselineResult> = {}): BaselineResult => ({
    tps: 10_000 / latencyAverageMs,
    latencyAverageMs,
    transactions: 5000,
    failed: 0,
    failedPercent: 0,
    aborted: false,
    progress: [],
    ...more,
  });
  test.each<[BaselineResult, BaselineResult, string]>([
    [result(20), result(21), 'pass'],
    [result(20), result(25), 'fail'],
    [result(0.4), result(0.9), 'pass'],
    [result(20), result(20, { failed: 1 }), 'fail'],
    [result(20), result(20, { aborted: true }), 'fail'],
    [result(20), result(20, { transactions: 50 }), 'inconclusive'],
  ])('comparison %#', (before, after, verdict) => expect(compareBaselines(before, after).verdict).toBe(verdict));

  test('the Job writes nothing, holds no password, and ends', () => {
    const [script, job] = baselineJob({
      namespace: 'nova',
      name: 'pgb-baseline',
      image: 'postgres:16',
      host: 'pgbouncer',
      port: 6432,
      database: 'nova',
      user: 'nova_user',
      passwordSecret: { name: 's', key: 'k' },
    });
    expect(script!.data['select.sql']).not.toMatch(/insert|update|delete|create|drop/i);
    const container = job!.spec.template.spec.containers[0];
    expect(container.command).toEqual(expect.arrayContaining(['-n', '-T', '20', '-p', '6432']));
    for (const flag of ['-i', '-d', '-t']) expect(container.command).not.toContain(flag);
    expect(container.env[0].valueFrom.secretKeyRef).toEqual({ name: 's', key: 'k' });
    expect(job!.spec.activeDeadlineSeconds).toBe(80);
  });
  test('too little headroom refuses the run', () => {
    const facts = { maxConnections: 100, superuserReserved: 3, reservedConnections: 0 };
    expect(checkBaselineHeadroom({ ...facts, current: 50 }).ok).toBe(true);
    expect(checkBaselineHeadroom({ ...facts, current: 85 })).toMatchObject({
      ok: false,
      error: { code: 'precondition-failed' },
    });
  });
});

test('errors keep the server’s words and say who is to blame', () => {
  const server = (message: string, code: string, severity = 'FATAL') =>
    Object.assign(new Error(message), { code, severity });
  expect(
    sessionError(server('password authentication failed for user "x"', '28P01'), 'postgres-unreachable').code,
  ).toBe('auth-failed');
  expect(sessionError(server('SASL authentication failed', '08P01'), 'pooler-unreachable').code).toBe('auth-failed');
  expect(sessionError(server('syntax error', '42601', 'ERROR'), 'postgres-unreachable')).toMatchObject({
    code: 'query-failed',
    details: { sqlstate: '42601' },
  });
  expect(
    sessionError(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'pooler-unreachable'),
  ).toMatchObject({ code: 'pooler-unreachable', retryable: true });
});
