/** The canary and the constructs that break, through a real PgBouncer; and pgbench's real output. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fail, ok } from '../result.ts';
import { NOVA, startNova, startNovaPooler } from '../testing/nova.ts';
import { atLeast, connectTo, pgbouncerVersion, type TestPooler, type TestPostgres } from '../testing/servers.ts';
import { BASELINE_SCRIPT, compareBaselines, parsePgbench, pgbenchArguments } from './baseline.ts';
import { runCanary, runConstructs } from './canary.ts';
import { openPostgres } from './connect.ts';

let postgres: TestPostgres;
let pooler: TestPooler;
const version = pgbouncerVersion();
const keeps = atLeast(version, 1, 21);

beforeAll(async () => {
  postgres = await startNova();
  pooler = await startNovaPooler(postgres);
});
afterAll(async () => {
  await pooler?.stop();
  await postgres?.stop();
});

const open = () =>
  openPostgres({ connect: connectTo(pooler.port), user: 'nova_user', password: NOVA, database: 'nova' });

describe('the canary', () => {
  test('reads, writes and rolls back through the pooler', async () => {
    const checks = await runCanary(open, { role: 'nova_user', database: 'nova' });
    if (!checks.ok) throw new Error(checks.error.message);
    expect(checks.value.map(({ id, verdict }) => [id, verdict])).toEqual([
      ['version', 'pass'],
      ['identity', 'pass'],
      ['write', 'pass'],
    ]);
    expect(checks.value[0]?.observed).toContain('PostgreSQL');
    const left = await postgres.sql("select count(*)::int as n from pg_class where relname like '%canary%'", 'nova');
    expect(left[0]?.n).toBe(0);
  });

  test('proves the write without TEMP by a transaction id', async () => {
    await postgres.sql('revoke temporary on database nova from public, nova_user', 'nova');
    const checks = await runCanary(open, { role: 'nova_user', database: 'nova' });
    await postgres.sql('grant temporary on database nova to public, nova_user', 'nova');
    expect(checks.ok && checks.value[2]).toMatchObject({
      verdict: 'pass',
      observed: expect.stringContaining('transaction id'),
    });
  });

  test('fails on a read-only database and says so', async () => {
    await postgres.sql('alter role nova_user in database nova set default_transaction_read_only = on');
    const direct = () =>
      openPostgres({ connect: connectTo(postgres.port), user: 'nova_user', password: NOVA, database: 'nova' });
    const checks = await runCanary(direct, { role: 'nova_user', database: 'nova' });
    await postgres.sql('alter role nova_user in database nova reset default_transaction_read_only');
    expect(checks.ok && checks.value[2]?.verdict).toBe('fail');
  });

  test('returns the error of a login that fails', async () => {
    expect(await runCanary(async () => fail('stream-failed', 'no stream'), { role: 'x', database: 'y' })).toMatchObject(
      { ok: false, error: { code: 'stream-failed' } },
    );
    expect(ok(1)).toEqual({ ok: true, value: 1 });
  });
});

describe('constructs', () => {
  // Again: what the first look left on the server connections must not change what the second one sees.
  test.each([1, 2])(`behave as PgBouncer ${version.text} does, and leave nothing behind (%i)`, async () => {
    const checks = await runConstructs(open, version);
    if (!checks.ok) throw new Error(checks.error.message);
    const by = new Map(checks.value.map((check) => [check.id, check]));
    expect(by.get('prepared-statements')?.verdict).toBe('pass');
    if (!keeps) expect(by.get('prepared-statements')?.observed).toMatch(/prepared statement ".*" does not exist/);
    expect(by.get('session-settings')?.observed).toContain('was seen by another');
    expect(by.get('session-advisory-locks')?.observed).toContain('two clients held');
    const locks = await postgres.sql("select count(*)::int as n from pg_locks where locktype = 'advisory'");
    expect(locks[0]?.n).toBe(0);
  });
});

describe('pgbench', () => {
  const run = async (port: number, protocol: 'extended' | 'prepared', clients = 3) => {
    const dir = mkdtempSync(join(tmpdir(), 'pgb-test-bench-'));
    const script = join(dir, 'select.sql');
    writeFileSync(script, BASELINE_SCRIPT);
    const args = pgbenchArguments(
      { host: '127.0.0.1', port, user: 'nova_user', database: 'nova', clients, seconds: 1, protocol },
      script,
    );
    try {
      const { stdout, stderr } = await promisify(execFile)(join(postgres.bin, 'pgbench'), args, {
        env: { ...process.env, PGPASSWORD: NOVA.reveal() },
      });
      return `${stdout}\n${stderr}`;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      return `${stdout}\n${stderr}`;
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  };

  test('the baseline runs direct and through the pooler, is parsed and compared', async () => {
    const direct = parsePgbench(await run(postgres.port, 'extended'));
    const pooled = parsePgbench(await run(pooler.port, 'extended'));
    if (!direct.ok || !pooled.ok) throw new Error('no result');
    for (const result of [direct.value, pooled.value]) {
      expect(result.tps).toBeGreaterThan(10);
      expect(result.latencyAverageMs).toBeGreaterThan(0);
      expect(result.transactions).toBeGreaterThan(10);
      expect(result).toMatchObject({ aborted: false, failed: 0 });
    }
    expect(compareBaselines(direct.value, pooled.value).summary).toContain('latency');
  });

  test.skipIf(keeps)('an aborted run is not a result, although pgbench prints one', async () => {
    // Three times as many clients as server connections: nobody keeps the one on which it prepared.
    const parsed = parsePgbench(await run(pooler.port, 'prepared', 12));
    expect(parsed.ok ? parsed.value.aborted : parsed.error.code).toSatisfy(
      (seen) => seen === true || seen === 'query-failed',
    );
  });
});
