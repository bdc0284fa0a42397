/**
 * Where the guide goes wrong, on real servers: each test first does what the guide says and shows it failing (or saying
 * nothing), then does what the wizard does and shows it holding. docs/guide.md names these tests row by row.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { checkManifests } from '../src/engine/pgbouncer/check-manifests.ts';
import { openConsole } from '../src/engine/pgbouncer/console.ts';
import { isScramVerifier, scramVerifier } from '../src/engine/pgbouncer/credentials.ts';
import { diagnose } from '../src/engine/pgbouncer/diagnosis.ts';
import { scanPoolerLog } from '../src/engine/pgbouncer/log-scan.ts';
import { createPoolWatcher } from '../src/engine/pgbouncer/pools.ts';
import { reloadAndProve } from '../src/engine/pgbouncer/reload.ts';
import { computeSizing } from '../src/engine/pgbouncer/sizing.ts';
import { NOVA_PLAN } from '../src/engine/plan/nova.ts';
import { planSchema } from '../src/engine/plan/schema.ts';
import { readActivity } from '../src/engine/postgres/activity.ts';
import { BASELINE_SCRIPT, parsePgbench, pgbenchArguments } from '../src/engine/postgres/baseline.ts';
import type { Postgres } from '../src/engine/postgres/types.ts';
import { realClock } from '../src/engine/run/clock.ts';
import { createGates } from '../src/engine/run/gates.ts';
import type { PoolRow } from '../src/engine/run/model.ts';
import { Secret } from '../src/engine/secret.ts';
import {
  ADMIN,
  NOVA,
  type NovaPoolerOptions,
  startNova,
  startNovaPooler,
  through,
} from '../src/engine/testing/nova.ts';
import {
  atLeast,
  connectTo,
  pgbouncerVersion,
  REFUSED_PORT,
  type TestPooler,
  type TestPostgres,
  until,
} from '../src/engine/testing/servers.ts';

let postgres: TestPostgres;
const poolers: TestPooler[] = [];
const open: Postgres[] = [];
const version = pgbouncerVersion();
const gates = planSchema.parse(NOVA_PLAN).gates;

beforeAll(async () => {
  postgres = await startNova();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
  await Promise.all(poolers.splice(0).map((pooler) => pooler.stop()));
});
afterAll(async () => {
  await postgres?.stop();
});

const start = async (options: NovaPoolerOptions = {}) => {
  const pooler = await startNovaPooler(postgres, options);
  poolers.push(pooler);
  return pooler;
};
const session = async (port: number) => {
  const opened = await postgres.open({ port, user: 'nova_user', password: NOVA, database: 'nova' });
  open.push(opened);
  return opened;
};
const consoleOf = async (pooler: TestPooler) => {
  const opened = await openConsole({ connect: connectTo(pooler.port), user: 'admin', password: ADMIN });
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
};
const pools = async (pooler: TestPooler) => {
  const console = await consoleOf(pooler);
  const rows = await console.show('POOLS');
  await console.close();
  if (!rows.ok) throw new Error(rows.error.message);
  return rows.value.filter((row) => row.database === 'nova');
};
const withoutForcedUser = (ini: string) => ini.replace(' user=nova_user', '');
const run = (program: string, args: readonly string[], input = '', env: Record<string, string> = {}) =>
  new Promise<{ code: number; text: string }>((resolve) => {
    const child = execFile(program, [...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), text: `${stdout}${stderr}` }),
    );
    child.stdin?.end(input);
  });

describe('step 1.1, credentials', () => {
  test('generate_userlist.sh makes a new salt: clients are let in, PgBouncer is not; the clear password works', async () => {
    const fresh = new Secret(scramVerifier(NOVA));
    expect(isScramVerifier(fresh.reveal())).toBe(true);
    const guide = await start({ nova: fresh, edit: withoutForcedUser });
    expect(await through(postgres, guide)).toMatch(/password authentication failed|query_wait_timeout/);
    // What the guide looks at next shows nothing of it: SHOW POOLS answers.
    expect(await pools(guide)).toBeDefined();
    expect(diagnose([guide.log()])[0]?.symptom).toBe('PostgreSQL refuses PgBouncer');
    expect(await through(postgres, await start())).toBe('nova_user');
  });

  test('the file it prints as expected output is no verifier; the wizard says so before it is used', async () => {
    const printed = 'SCRAM-SHA-256$4096$...';
    expect(isScramVerifier(printed)).toBe(false);
    const guide = await start({ userlist: `"nova_user" "${printed}"\n"admin" "${ADMIN.reveal()}"\n` });
    expect(await through(postgres, guide)).toMatch(/authentication failed/);
  });
});

describe('step 1.4, connectivity', () => {
  test('sv_idle = 10 does not come; idle connections move to sv_used, and the wizard counts both', async () => {
    const guide = await start({ edit: withoutForcedUser });
    expect(await pools(guide)).toEqual([]);
    const mine = await start({ edit: (ini) => `${ini}server_check_delay = 1\n` });
    await through(postgres, mine);
    const row = await until('idle connections to be moved', async () => {
      const [seen] = await pools(mine);
      return Number(seen?.sv_used) > 0 && Number(seen?.sv_idle) === 0 ? seen : undefined;
    });
    expect(Number(row.sv_idle) + Number(row.sv_used)).toBeGreaterThan(0);
  });

  test('one look through the Service is one pooler of two; the wizard asks each', async () => {
    const [one, two] = [await start(), await start()];
    const busy = await session(two.port);
    await busy.query('begin');
    await busy.query('select 1');
    expect((await pools(one)).every((row) => Number(row.cl_active) === 0)).toBe(true);
    const end = new AbortController();
    const watcher = createPoolWatcher({
      poolers: async () => [
        { pod: 'one', connect: connectTo(one.port) },
        { pod: 'two', connect: connectTo(two.port) },
      ],
      user: 'admin',
      password: ADMIN,
      everyMs: 500,
      clock: realClock(),
      signal: end.signal,
    });
    const view = await watcher.refresh();
    end.abort();
    await watcher.done;
    expect(view.rows.find((row) => row.pod === 'two')?.svActive).toBe(1);
  });
});

describe('step 1.5, addresses', () => {
  const written = [
    'postgresql://u:p@postgres.nova.svc.cluster.local:5432/nova',
    'postgresql://u:p@postgres/nova',
    'jdbc:postgresql://postgres.nova.svc/nova',
    'DB_HOST=postgres\nDB_PORT=5432',
  ];
  test('sed finds one spelling of five, and turns the pooler on itself; the check refuses that', async () => {
    const sed = async (text: string) => (await run('sed', ['s/postgres:5432/pgbouncer:6432/g'], text)).text;
    for (const text of written) expect((await sed(text)).trim()).toBe(text);
    const ini = await sed('[databases]\nnova = host=postgres port=5432\n; upstream postgres:5432\n');
    expect(ini).toContain('upstream pgbouncer:6432');
    const object = (host: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'pgbouncer' },
      data: { 'pgbouncer.ini': `[databases]\nnova = host=${host} port=6432\n[pgbouncer]\nadmin_users = admin\n` },
    });
    const pooler = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'pgbouncer' },
      spec: { template: { metadata: {}, spec: { containers: [{ name: 'pgbouncer', image: 'pgbouncer:1.24.1' }] } } },
    };
    const ids = (host: string) => checkManifests([pooler, object(host)]).map((finding) => finding.id);
    expect(ids('pgbouncer')).toContain('ini-upstream-is-pooler');
    expect(ids('postgres.nova.svc')).not.toContain('ini-upstream-is-pooler');
  });
});

describe('steps 2.1 to 4.4, switching', () => {
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'auth-service' },
    spec: {
      selector: { matchLabels: { app: 'auth-service' } },
      template: {
        metadata: { labels: { app: 'auth-service' } },
        spec: {
          initContainers: [
            {
              name: 'migrate',
              image: 'm',
              env: [{ name: 'DATABASE_URL', value: 'postgresql://u:p@postgres:5432/nova' }],
            },
          ],
          containers: [
            {
              name: 'app',
              image: 'a',
              env: [{ name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: 'db', key: 'url' } } }],
            },
            { name: 'metrics', image: 's' },
          ],
        },
      },
    },
  };
  test('kubectl set env writes the password into every container, migrations too, in place of the Secret', async () => {
    const url = 'postgresql://nova_user:securepass123@pgbouncer:6432/nova';
    const { text, code } = await run(
      'kubectl',
      ['set', 'env', '--local', '-f', '-', `DATABASE_URL=${url}`, '-o', 'json'],
      JSON.stringify(deployment),
    );
    expect(code, text).toBe(0);
    const pod = JSON.parse(text).spec.template.spec;
    const values = [...pod.containers, ...(pod.initContainers ?? [])].map(
      (one: { env?: { name: string; value?: string }[] }) =>
        one.env?.find((each) => each.name === 'DATABASE_URL')?.value,
    );
    // The container that has nothing to do with the database got it too. (The wizard's edit: test/kube-sources.real.test.ts.)
    expect(values.filter((value) => value === url).length).toBeGreaterThanOrEqual(2);
    expect(pod.containers[0].env[0].valueFrom).toBeUndefined();
  });

  test('rollout status has no --all', async () => {
    const { text, code } = await run('kubectl', ['rollout', 'status', 'deployment', '--all', '-n', 'nova']);
    expect(code).not.toBe(0);
    expect(text).toMatch(/unknown flag: --all/);
  });

  test('grep for "error" and "query_timeout" is silent while PostgreSQL cannot be reached; the scan names it', async () => {
    const pooler = await start({
      edit: (ini) => ini.replace(/port=\d+/, `port=${REFUSED_PORT}`),
      settings: { queryWaitTimeout: 1 },
    });
    const said = await through(postgres, pooler);
    expect(said).toMatch(/query_wait_timeout|failed|timeout/i);
    const lines = await until('the log', () =>
      /connect failed/.test(pooler.log()) ? pooler.log().split('\n') : undefined,
    );
    expect(lines.filter((line) => /query_timeout/.test(line))).toEqual([]);
    const failing = lines.filter((line) => /connect failed/.test(line));
    expect(failing.some((line) => /\bLOG\b/.test(line))).toBe(true);
    expect(
      failing
        .filter((line) => / LOG /.test(line))
        .every((line) => !/error/i.test(line.replace(/^.*closing because/, ''))),
    ).toBe(true);
    expect(scanPoolerLog(lines).entries.map((entry) => entry.id)).toContain('upstream-unreachable');
  });

  test('count(*) of pg_stat_activity counts background processes, state = active nobody; the wizard counts by pod', async () => {
    const pooler = await start();
    const idle = await session(pooler.port);
    await idle.query('select 1');
    const [all] = await postgres.sql('select count(*)::int as n from pg_stat_activity');
    const [backends] = await postgres.sql(
      "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend'",
    );
    const [active] = await postgres.sql(
      "select count(*)::int as n from pg_stat_activity where state = 'active' and usename = 'nova_user'",
    );
    expect(Number(all!.n) - Number(backends!.n)).toBeGreaterThanOrEqual(4);
    expect(Number(active!.n)).toBe(0);
    const pg = await postgres.open();
    open.push(pg);
    const seen = await readActivity([{ session: pg }], {
      podIps: new Map([['127.0.0.1', { pod: 'pgbouncer-1', pooler: true }]]),
      logins: [{ role: 'nova_user', database: 'nova' }],
    });
    expect(seen.ok && seen.value.pooled).toBeGreaterThan(0);
  });
});

describe('step 3.2, thresholds', () => {
  const row = (pod: string, svActive: number): PoolRow => ({
    pod,
    database: 'nova',
    user: 'nova_user',
    clActive: 60,
    clWaiting: 0,
    svActive,
    svIdle: 0,
    svUsed: 0,
    svTested: 0,
    svLogin: 0,
    maxwaitMs: 0,
    poolMode: 'transaction',
  });
  test('servers_active > 40 can fire for no series of a pool of 25; the sum over all poolers does', () => {
    const rows = [row('a', 25), row('b', 25)];
    expect(rows.some((one) => one.svActive > 40)).toBe(false);
    const watch = createGates({ ...gates, consecutive: 1 });
    const views = watch.observe({ at: '2026-01-01T00:00:00.000Z', pools: rows });
    expect(views.find((view) => view.id === 'servers-active')?.verdict).toBe('fail');
  });

  test('max_client_conn 100 refuses the guide’s 640 connections; the computed one takes them', async () => {
    const guide = await start({ settings: { maxClientConn: 5 } });
    const crowd = await Promise.all(
      Array.from({ length: 7 }, () =>
        through(postgres, guide, { hold: async (one) => void (await one.query('select pg_sleep(0.5)')) }),
      ),
    );
    expect(crowd.some((text) => /no more connections allowed/.test(text))).toBe(true);
    const sizing = computeSizing({
      maxConnections: 200,
      superuserReserved: 3,
      poolerReplicas: 2,
      poolerVersion: version,
      peakDirect: 60,
      services: [{ name: 'all', replicas: 40, appPool: 16 }],
    });
    expect(sizing.maxClientConn).toBeGreaterThanOrEqual(640 * 1.25);
  });
});

describe('step 5.2, the baseline', () => {
  test('the guide’s pgbench has no tables, no port and -d for --debug; the wizard’s reads only and is parsed', async () => {
    const pooler = await start();
    const env = { PGPASSWORD: NOVA.reveal(), PGCONNECT_TIMEOUT: '5' };
    const pgbench = join(postgres.bin, 'pgbench');
    const guide = await run(
      pgbench,
      ['-U', 'nova_user', '-h', '127.0.0.1', '-p', String(pooler.port), '-c', '2', '-j', '1', '-t', '10', 'nova'],
      '',
      env,
    );
    expect(guide.code).not.toBe(0);
    expect(guide.text).toMatch(/pgbench_branches" does not exist/);
    const dir = mkdtempSync(join(tmpdir(), 'pgbw-traps-'));
    const script = join(dir, 'select.sql');
    writeFileSync(script, BASELINE_SCRIPT);
    const mine = await run(
      pgbench,
      pgbenchArguments(
        { host: '127.0.0.1', port: pooler.port, user: 'nova_user', database: 'nova', clients: 2, seconds: 1 },
        script,
      ),
      '',
      env,
    );
    rmSync(dir, { recursive: true });
    const result = parsePgbench(mine.text);
    expect(mine.code, mine.text).toBe(0);
    expect(result.ok && result.value.transactions).toBeGreaterThan(0);
    const left = await postgres.sql("select count(*)::int as n from pg_class where relname like 'pgbench%'", 'nova');
    expect(left[0]?.n).toBe(0);
  });
});

describe('rollback and troubleshooting', () => {
  test('the rollback goes to a password that never was: every service would be refused', async () => {
    const literal = await through(postgres, { port: postgres.port } as TestPooler, {
      password: new Secret('password'),
    });
    expect(literal).toMatch(/authentication failed for user/);
    // The wizard puts the original back to the byte (test/kube-sources.real.test.ts), so it is the one that worked before.
    expect(await through(postgres, { port: postgres.port } as TestPooler)).toBe('nova_user');
  });

  test('a restart for a larger pool cuts or refuses clients; RELOAD keeps them and is proved', async () => {
    const restarted = await start();
    const client = await session(restarted.port);
    await client.query('select 1');
    restarted.signal('SIGTERM');
    if (atLeast(version, 1, 23))
      await until('new clients to be refused', async () =>
        /refused|shutting/i.test(await through(postgres, restarted)),
      );
    else await until('the client to be cut', async () => !(await client.query('select 1')).ok);

    let text = '';
    const kept = await start({
      edit: (ini) => {
        text = ini;
        return ini;
      },
    });
    const stays = await session(kept.port);
    await stays.query('select 1');
    const larger = text.replace('pool_size=4', 'pool_size=6').replace('max_db_connections=4', 'max_db_connections=6');
    kept.write('pgbouncer.ini', larger);
    const console = await consoleOf(kept);
    expect(await reloadAndProve(console, larger)).toEqual({ ok: true, value: undefined });
    await console.close();
    expect((await stays.query('select 1')).ok).toBe(true);
  });
});
