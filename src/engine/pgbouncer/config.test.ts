import { describe, expect, test } from 'vitest';
import { settings, version } from '../testing/pooler-settings.ts';
import { checkIni } from './check-ini.ts';
import { atLeast, parseVersion, renderHba, renderIni } from './config.ts';
import { parseIni } from './ini-parse.ts';
import { computeSizing } from './sizing.ts';
import type { SizingFacts } from './sizing-types.ts';

describe('versions', () => {
  test.each([
    ['PgBouncer 1.18.0', '1.18.0'],
    ['edoburu/pgbouncer:v1.24.1-p1', '1.24.1'],
    ['1.26', '1.26.0'],
    ['registry.example:5000/pgbouncer:1.25.2@sha256:00', '1.25.2'],
  ])('%s', (text, expected) => expect(version(text).text).toBe(expected));
  test('no number is an error', () => expect(parseVersion('latest').ok).toBe(false));
  test('1.9 is older than 1.21', () => {
    expect(atLeast(version('1.9.0'), 1, 21)).toBe(false);
    expect(atLeast(version('1.25.2'), 1, 25, 2)).toBe(true);
  });
});

describe('pgbouncer.ini', () => {
  test('keys that a version lacks are comments, and the reserve has its name', () => {
    const old = renderIni(version('1.18.0'), settings);
    expect(old).toContain('; max_prepared_statements needs PgBouncer 1.21');
    expect(old).not.toMatch(/^max_prepared_statements/m);
    expect(old).toContain(' reserve_pool=3 ');
    const recent = renderIni(version('1.24.1'), settings);
    expect(recent).toMatch(/^max_prepared_statements = 200$/m);
    expect(recent).toContain(' reserve_pool_size=3 ');
  });
  test('for 1.24 and later it says what was proved', () => {
    const { databases, settings: written } = parseIni(renderIni(version('1.26.1'), settings));
    expect(Object.fromEntries(databases.get('nova')!)).toEqual({
      host: 'postgres.nova.svc.cluster.local',
      port: '5432',
      dbname: 'nova',
      user: 'nova_user',
      pool_size: '20',
      min_pool_size: '10',
      reserve_pool_size: '3',
      max_db_connections: '23',
    });
    expect(written.get('auth_type')).toBe('hba');
    expect(written.get('pool_mode')).toBe('transaction');
    expect(written.get('ignore_startup_parameters')).toBe('extra_float_digits');
  });
  test('names that need quotes get them, line feeds are refused', () => {
    const ini = renderIni(version('1.24.1'), {
      ...settings,
      databases: [{ ...settings.databases[0]!, name: 'my db', dbname: "it's" }],
    });
    expect(ini).toContain(`"my db" = `);
    expect(ini).toContain(`dbname='it''s'`);
    expect(() =>
      renderIni(version('1.24.1'), {
        ...settings,
        databases: [{ ...settings.databases[0]!, host: 'x\nadmin_users=evil' }],
      }),
    ).toThrow();
  });
  test('the HBA file admits the role, the console from the pod itself, and nobody else', () => {
    expect(renderHba(settings).trim().split('\n')).toEqual([
      'host pgbouncer admin 127.0.0.1/32 scram-sha-256',
      'host pgbouncer stats_user 127.0.0.1/32 scram-sha-256',
      'host pgbouncer all 0.0.0.0/0 reject',
      'host nova nova_user 0.0.0.0/0 scram-sha-256',
      'host all all 0.0.0.0/0 reject',
    ]);
  });
  test.each(['1.18.0', '1.21.0', '1.24.1', '1.26.1'])(
    'our own file has nothing to find but the age of the version (%s)',
    (text) => {
      const ids = checkIni(renderIni(version(text), settings), version(text)).map((finding) => finding.id);
      expect(ids).toEqual(atLeast(version(text), 1, 21) ? [] : ['ini-prepared-statements']);
    },
  );
  test('traps in an operator’s file are found', () => {
    const ini = `[databases]
nova = host=pgbouncer port=6432 user=nova_user password=secret reserve_pool_size=3
[pgbouncer]
auth_type = md5
max_prepared_statements = 100 ; as advised
ignore_startup_parameters = options, search_path
`;
    const ids = checkIni(ini, version('1.18.0')).map((finding) => finding.id);
    expect(ids).toEqual(
      expect.arrayContaining([
        'ini-unknown-key',
        'ini-inline-comment',
        'ini-auth-weak',
        'ini-pool-mode',
        'ini-extra-float-digits',
        'ini-ignored-parameters',
        'ini-max-client-conn',
        'ini-query-wait-timeout',
        'ini-no-console',
        'ini-forced-user-without-hba',
        'ini-password',
        'ini-upstream-is-pooler',
      ]),
    );
  });
});

describe('sizing', () => {
  const facts: SizingFacts = {
    maxConnections: 200,
    superuserReserved: 3,
    poolerReplicas: 2,
    poolerVersion: version('1.24.1'),
    peakDirect: 60,
    forcedUser: true,
    services: [{ name: 'feed-service', replicas: 40, appPool: 16 }],
  };
  test('what is wanted fits: 2 x 23, warm 20', () => {
    expect(computeSizing(facts)).toMatchObject({
      poolSize: 20,
      minPoolSize: 10,
      reservePool: 3,
      maxDbConnections: 23,
      maxClientConn: 1000,
      expectedServerConnections: 46,
      surgeServerConnections: 69,
      expectedAtRest: 20,
      findings: [{ id: 'file-descriptors' }],
    });
  });
  test('1.18 or no forced user: nothing is warm', () => {
    expect(computeSizing({ ...facts, poolerVersion: version('1.18.0') }).expectedAtRest).toBe(0);
    expect(computeSizing({ ...facts, forcedUser: false }).expectedAtRest).toBe(0);
  });
  test('a small PostgreSQL cuts the pool, and says so', () => {
    const sizing = computeSizing({ ...facts, maxConnections: 100 });
    expect(sizing.surgeServerConnections).toBeLessThanOrEqual(sizing.available);
    expect(sizing.poolSize + sizing.reservePool).toBe(sizing.maxDbConnections);
    expect(sizing.findings.map((finding) => finding.id)).toContain('pool-cut-to-budget');
  });
  test('no room at all blocks', () => {
    expect(computeSizing({ ...facts, peakDirect: 195 }).findings).toMatchObject([
      { id: 'budget-exceeded', severity: 'block' },
      { id: 'file-descriptors' },
    ]);
  });
  test('more clients than the default raise max_client_conn', () => {
    expect(computeSizing({ ...facts, services: [{ name: 'x', replicas: 100, appPool: 16 }] }).maxClientConn).toBe(2000);
  });
  test('a limit of the role counts', () => {
    const sizing = computeSizing({ ...facts, roleConnectionLimit: 90 });
    expect(sizing.available).toBe(30);
    expect(sizing.findings.map((finding) => finding.id)).toContain('role-connection-limit');
  });
  test('each role in each database has a pool, and the budget is theirs together', () => {
    const pools = [
      { database: 'nova', role: 'nova_user' },
      { database: 'nova', role: 'reports_user' },
      { database: 'billing', role: 'billing_user' },
    ];
    const sizing = computeSizing({ ...facts, maxConnections: 500, pools });
    expect(sizing).toMatchObject({ poolSize: 20, databases: { nova: 46, billing: 23 }, maxDbConnections: 69 });
    expect(sizing.arithmetic).toContain(
      '3 pools, one for each role in each database: nova 46 + billing 23 = 69 a pooler',
    );
    expect(sizing.expectedAtRest).toBe(60);
    const small = computeSizing({ ...facts, pools });
    expect(small.surgeServerConnections).toBeLessThanOrEqual(small.available);
    expect(small.databases.nova).toBe(2 * small.databases.billing!);
    expect(small.findings.map((finding) => finding.id)).toContain('pool-cut-to-budget');
  });
  test('a CONNECTION LIMIT of one role, its direct sessions taken off, is shared by its pools', () => {
    const pools = [
      { database: 'nova', role: 'nova_user' },
      { database: 'billing', role: 'billing_user', roleConnectionLimit: 40, roleDirect: 10 },
    ];
    const sizing = computeSizing({ ...facts, maxConnections: 500, pools });
    expect(sizing.poolSize + sizing.reservePool).toBe(10);
    expect(sizing.findings).toContainEqual(
      expect.objectContaining({ id: 'role-connection-limit', title: 'role billing_user has a CONNECTION LIMIT of 40' }),
    );
    const none = computeSizing({ ...facts, maxConnections: 500, pools: [pools[0]!, { ...pools[1]!, roleDirect: 40 }] });
    expect(none.findings.find((finding) => finding.id === 'role-connection-limit')?.severity).toBe('block');
  });
  test('sizes of the operator’s own file are judged, not changed', () => {
    const own = (poolSize: number, maxClientConn = 1000) =>
      new Map([['nova', { poolSize, minPoolSize: 0, reservePool: 5, maxClientConn }]]);
    const pools = [{ database: 'nova', role: 'nova_user' }];
    expect(computeSizing({ ...facts, pools, fixed: own(25) })).toMatchObject({
      expectedServerConnections: 60,
      surgeServerConnections: 90,
      findings: [{ id: 'file-descriptors' }],
    });
    expect(computeSizing({ ...facts, pools, fixed: own(50) }).findings[0]).toMatchObject({
      id: 'own-pools-exceed-budget',
      severity: 'warn',
    });
    expect(computeSizing({ ...facts, pools, fixed: own(80) }).findings[0]).toMatchObject({ severity: 'block' });
    expect(computeSizing({ ...facts, pools, fixed: own(25, 100) }).findings[0]).toMatchObject({
      id: 'own-max-client-conn',
      severity: 'warn',
    });
  });
});
