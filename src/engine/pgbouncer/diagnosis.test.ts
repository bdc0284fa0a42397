import { describe, expect, test } from 'vitest';
import { parseVersion } from './config.ts';
import { DIAGNOSES, diagnose } from './diagnosis.ts';
import { classifyLine, scanPoolerLog } from './log-scan.ts';

function version(text: string) {
  const parsed = parseVersion(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

describe('a line is named by its sharpest row', () => {
  test.each([
    ['WARNING server login failed: FATAL password authentication failed for user "nova_user"', 'server-password'],
    ['C-0x55: nova/nova_user@10.0.0.1:5 closing because: password authentication failed (age=0s)', 'client-password'],
    ['psql: error: FATAL:  password authentication failed', 'client-password'],
    ['FATAL:  SASL authentication failed', 'client-password'],
    [
      'S-0x1: nova/nova_user@10.0.0.1:5432 cannot do SCRAM authentication: password is SCRAM secret but client authentication did not provide SCRAM keys',
      'scram-keys-missing',
    ],
    ['closing because: query_wait_timeout (age=120s)', 'query-wait-timeout'],
    ['closing because: query timeout (age=5s)', 'pooler-timeouts'],
    ['LOG S-0x1: nova/nova_user@(bad-af):0 closing because: connect failed (age=3s)', 'upstream-unreachable'],
    ['FATAL: remaining connection slots are reserved for non-replication superuser connections', 'postgres-full'],
    ['FATAL: unsupported startup parameter in options: statement_timeout', 'startup-parameter'],
    ['server login has been failing, try again later (server_login_retry)', 'server-login-cached'],
    [
      'server login has been failing, cached error: password authentication failed for user "nova_user" (server_login_retry)',
      'server-password',
    ],
  ])('%s', (line, id) => expect(classifyLine(line)?.id).toBe(id));
  test('an ordinary line is none', () => {
    expect(
      classifyLine('LOG C-0x1: nova/nova_user@10.0.0.1:5 closing because: client close request (age=0s)'),
    ).toBeUndefined();
  });
});

test('a probe that the application does not answer says nothing about the pooler', () => {
  const refused = 'dial tcp 10.244.0.153:8000: connect: connection refused';
  expect(
    diagnose([`Warning Unhealthy: Readiness probe failed: Get "http://10.244.0.153:8000/health": ${refused}`]),
  ).toEqual([]);
  expect(diagnose([`ERROR pgbouncer: ${refused}`])).toHaveLength(1);
});

test('ids are unique, and every row says what to do', () => {
  expect(new Set(DIAGNOSES.map((row) => row.id)).size).toBe(DIAGNOSES.length);
  for (const row of DIAGNOSES)
    for (const text of [row.title, row.cause, row.check, row.fix]) expect(text.length).toBeGreaterThan(5);
});

describe('diagnose', () => {
  test('leaves the consequence out when the cause is there', () => {
    const symptoms = diagnose(['LOG closing because: connect failed', 'FATAL query_wait_timeout']).map(
      (finding) => finding.symptom,
    );
    expect(symptoms).toEqual(['PgBouncer cannot connect to PostgreSQL']);
  });
  test('sharpens by the version', () => {
    const line = 'ERROR: prepared statement "sqlx_s_1" does not exist';
    expect(diagnose([line], { poolerVersion: version('1.18.0') })[0]?.fix).toContain('run 1.21 or later');
    expect(
      diagnose([line], { poolerVersion: version('1.24.1'), config: new Map([['max_prepared_statements', '200']]) })[0]
        ?.fix,
    ).toContain('PREPARE in SQL');
  });
  test('never advises to ignore a parameter that carries a value', () => {
    expect(diagnose(['FATAL: unsupported startup parameter: search_path'])[0]?.fix).toContain('ALTER ROLE');
    expect(diagnose(['FATAL: unsupported startup parameter: extra_float_digits'])[0]?.fix).toContain(
      'ignore_startup_parameters',
    );
  });
  test('nothing seen is nothing found', () => expect(diagnose(['all is well'])).toEqual([]));
  test('hostile text is made harmless', () => {
    const observed = diagnose(['\u001b]0;owned\u0007FATAL: no such database: \u202Eevil'])[0]?.observed ?? '';
    expect(observed).toContain('no such database');
    expect(observed).not.toMatch(/[\u001b\u0007\u202e]/);
  });
});

describe('the log scan', () => {
  const line = (n: number, text: string) => `2026-11-23 10:00:0${n}.000 UTC [7] ${text}`;
  test('counts the same error once with its number, and ordinary ends not at all', () => {
    const scan = scanPoolerLog([
      line(1, 'LOG C-0x1: nova/nova_user@10.0.0.1:51000 closing because: client close request (age=3s)'),
      line(2, 'LOG C-0x2: nova/nova_user@10.0.0.1:51001 closing because: query_wait_timeout (age=15s)'),
      line(3, 'LOG C-0x3: nova/nova_user@10.0.0.1:51002 closing because: query_wait_timeout (age=16s)'),
      line(4, 'LOG stats: 3 xacts/s, 3 queries/s'),
      line(5, 'WARNING something nobody has seen before'),
    ]);
    expect(scan).toMatchObject({ lines: 5, errors: 3 });
    expect(scan.entries.map(({ id, count, level }) => [id, count, level])).toEqual([
      ['query-wait-timeout', 2, 'LOG'],
      ['unclassified', 1, 'WARNING'],
    ]);
  });
  test('a megabyte in one line costs nothing much and is cut', () => {
    const scan = scanPoolerLog([`FATAL: no such database: ${'x'.repeat(1_000_000)}`]);
    expect(scan.entries[0]!.text.length).toBeLessThanOrEqual(400);
  });
});
