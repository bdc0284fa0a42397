/** The doctor on a live cluster with real poolers: what it finds, the fix it makes without a restart, and the proof. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examine } from '../src/engine/doctor/examine.ts';
import { type FixId, planFix } from '../src/engine/doctor/fixes.ts';
import { ref } from '../src/engine/kube/refs.ts';
import { renderUserlist, scramVerifier } from '../src/engine/pgbouncer/credentials.ts';
import { loadedPlan } from '../src/engine/plan/load.ts';
import { NOVA_PLAN } from '../src/engine/plan/nova.ts';
import type { Plan } from '../src/engine/plan/schema.ts';
import { openPostgres } from '../src/engine/postgres/connect.ts';
import type { Postgres } from '../src/engine/postgres/types.ts';
import { realClock } from '../src/engine/run/clock.ts';
import { Secret } from '../src/engine/secret.ts';
import { Fleet } from '../src/engine/steps/fleet.ts';
import { ensureSecrets } from '../src/engine/steps/p1-credentials.ts';
import { PoolerPorts } from '../src/engine/steps/pooler-ports.ts';
import type { RunSecrets } from '../src/engine/steps/run-secrets.ts';
import type { LookContext } from '../src/engine/steps/types.ts';
import { connectTo, until } from '../src/engine/testing/servers.ts';
import { type RehearsedCluster, rehearsedCluster, stepOf, story } from './rehearsed-run.ts';

let at: RehearsedCluster;
let ctx: LookContext;
let pods: string[];
const end = new AbortController();
const { plan } = loadedPlan({ ...NOVA_PLAN, pooler: { poolSize: 5, minPoolSize: 1, reserve: 0 } }, 'a test');

beforeAll(async () => {
  at = await rehearsedCluster();
  const run = await at.run({
    plan: { pooler: { poolSize: 5, minPoolSize: 1, reserve: 0 } },
    stopAfter: 'p1.connectivity',
  });
  expect(stepOf(run, 'p1.connectivity').state, story(run)).toBe('pass');
  ctx = await doctorOf(plan);
  const found = await ctx.pooler.pods();
  pods = found.ok ? found.value.map((pod) => pod.name) : [];
});
afterAll(async () => {
  end.abort();
  for (const one of doctors) await one.pooler.close();
  await at?.close();
});

const doctors: LookContext[] = [];
/** A doctor that has just been called: no session of it is open yet. */
async function doctorOf(of: Plan): Promise<LookContext> {
  const secrets: RunSecrets = {};
  const pooler = new PoolerPorts({
    kube: at.kube,
    plan: of,
    namespace: 'nova',
    secrets,
    clock: realClock(),
    signal: end.signal,
    everyMs: 1000,
    onSample: () => undefined,
  });
  const made = { kube: at.kube, plan: of, fleet: new Fleet(at.kube, of, 'nova'), pooler, secrets, signal: end.signal };
  doctors.push(made);
  const known = await ensureSecrets(made);
  if (!known.ok) throw new Error(known.error.message);
  return made;
}

const ids = async () => (await examine(ctx)).findings.map((one) => one.id);
const onAll = async (command: string) => {
  for (const pod of pods) {
    const sent = await (await ctx.pooler.console(pod))?.command(command);
    if (!sent?.ok) throw new Error(`${command} on ${pod}`);
  }
};
const fixed = async (id: FixId): Promise<string> => {
  const fix = await planFix(id, ctx);
  if (!fix.ok) throw new Error(`${fix.error.message} ${fix.error.cause ?? ''}`);
  expect(fix.value.diff.length).toBeGreaterThan(0);
  const proof = await fix.value.apply();
  if (!proof.ok) throw new Error(`${proof.error.message} ${proof.error.cause ?? ''}`);
  return proof.value;
};
const ages = async () => {
  const listed = await at.kube.list({
    apiVersion: 'v1',
    plural: 'pods',
    kind: 'Pod',
    namespace: 'nova',
    labelSelector: 'app=pgbouncer',
  });
  return listed.ok
    ? listed.value.items.map((pod) => [pod.metadata.uid, pod.status.containerStatuses[0].restartCount])
    : [];
};

test('a healthy cluster has no finding, and what was looked at is said', async () => {
  const seen = await examine(ctx);
  expect(seen.findings).toEqual([]);
  expect(seen.missed).toEqual([]);
  expect(seen.looked).toContain(`a query through ${pods[0]}`);
});

test('PAUSE: clients hang without a log line; found in SHOW DATABASES, resumed, proved', async () => {
  await onAll('PAUSE nova');
  expect(await ids()).toContain('database-paused');
  expect(await fixed('resume')).toMatch(/a query was answered/);
  expect(await ids()).not.toContain('database-paused');
});

test('DISABLE: enabled again', async () => {
  await onAll('DISABLE nova');
  expect(await ids()).toContain('database-disabled');
  await fixed('enable');
  expect(await ids()).not.toContain('database-disabled');
});

test('a pool that is too small for its clients grows within the budget, without a restart, and nobody waits', async () => {
  const before = await ages();
  const held: Postgres[] = [];
  // Ten transactions at work on a pool of five: not idle, so a larger pool is the fix.
  const work = Array.from({ length: 10 }, async () => {
    const session = await ctx.pooler.throughPooler(pods[0]!);
    if (!session.ok) throw new Error(session.error.message);
    held.push(session.value);
    for (let i = 0; i < 3 && !end.signal.aborted; i++) await session.value.query('select pg_sleep(4)');
  });
  await until('clients to wait', async () => (await ids()).includes('clients-waiting'), 30_000);
  expect(await fixed('pool-size')).toMatch(/pool_size 10; no client was cut/);
  const rows = await (await ctx.pooler.console(pods[0]!))?.show('DATABASES');
  expect(rows?.ok && rows.value.find((row) => row.name === 'nova')?.pool_size).toBe(10);
  await Promise.all(work);
  await Promise.all(held.map((session) => session.close()));
  expect(await ages()).toEqual(before);
  expect(await ids()).not.toContain('clients-waiting');
});

test('the guide’s freshly salted verifier in the Secret: named, replaced by what works, proved by a login', async () => {
  const where = ref('Secret', 'nova', plan.pooler.userlistSecret);
  const bad = renderUserlist([
    { user: 'nova_user', secret: new Secret(scramVerifier(ctx.secrets.role!)) },
    { user: 'admin', secret: ctx.secrets.admin! },
    { user: 'stats_user', secret: ctx.secrets.stats! },
  ]);
  const sent = await at.kube.mergePatch(where, {
    data: { 'userlist.txt': Buffer.from(bad.reveal()).toString('base64') },
  });
  expect(sent.ok).toBe(true);
  await until(
    'the poolers to read the list',
    async () => {
      await onAll('RELOAD');
      await onAll('RECONNECT');
      return (await ids()).includes('scram-keys-missing');
    },
    60_000,
  );
  expect(await fixed('userlist')).toMatch(/a query was answered through/);
});

test('an expired role is named as such, not as a password', async () => {
  await at.sql("alter role nova_user valid until '2020-01-01'");
  await onAll('RECONNECT');
  const seen = await examine(ctx);
  await at.sql("alter role nova_user valid until 'infinity'");
  expect(seen.findings.map((one) => one.id)).toEqual(expect.arrayContaining(['role-expired']));
  expect(seen.findings.find((one) => one.id === 'role-expired')?.fix).toMatch(/VALID UNTIL/);
});

test('what a session left behind is gone after RECONNECT: other server connections answer', async () => {
  const backends = async () => {
    const found: string[] = [];
    for (const pod of pods) {
      const session = await ctx.pooler.throughPooler(pod);
      if (!session.ok) throw new Error(session.error.message);
      const rows = await session.value.query('select pg_backend_pid() as pid');
      found.push(String(rows.ok && rows.value[0]?.pid));
      await session.value.close();
    }
    return found;
  };
  const before = await backends();
  const words = 'ERROR:  cannot execute CREATE TABLE in a read-only transaction';
  const leak = (await examine(ctx, [words])).findings.find((one) => one.id === 'read-only-leak');
  expect(leak).toMatchObject({ fixId: 'reconnect' });
  expect(await fixed('reconnect')).toMatch(/a query was answered/);
  for (const pid of await backends()) expect(before).not.toContain(pid);
});

describe('what the doctor sees by itself', () => {
  test('a pooler that keeps sessions', async () => {
    await onAll("SET pool_mode='session'");
    const seen = await examine(ctx);
    await onAll("SET pool_mode='transaction'");
    expect(seen.findings.find((one) => one.id === 'pool-mode')?.observed).toMatch(/pool_mode session/);
    expect(await ids()).not.toContain('pool-mode');
  });

  test('a pooler that is nearly full of clients', async () => {
    await onAll('SET max_client_conn=6');
    const clients = await Promise.all(Array.from({ length: 5 }, () => ctx.pooler.throughPooler(pods[0]!)));
    const seen = await examine(ctx);
    for (const one of clients) if (one.ok) await one.value.close();
    await onAll('SET max_client_conn=1000');
    expect(seen.findings.find((one) => one.id === 'clients-near-limit')?.observed).toMatch(/[56] of 6$/);
  });

  test('a role whose password was changed, and with the admin’s session also where', async () => {
    await at.sql("create role dba superuser login password 'superuser-of-the-test-9'");
    const made = await at.kube.create(ref('Secret', 'nova', 'postgres-admin'), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'postgres-admin', namespace: 'nova' },
      data: { password: Buffer.from('superuser-of-the-test-9').toString('base64') },
    });
    expect(made.ok).toBe(true);
    await at.sql("alter role nova_user password 'another-password-entirely'");
    try {
      const without = await examine(await doctorOf(plan));
      expect(without.findings.find((one) => one.id === 'role-refused')?.cause).toMatch(/PostgreSQL refuses nova_user/);
      const adminSecret = { name: 'postgres-admin', user: 'dba' };
      const withAdmin = loadedPlan({ ...NOVA_PLAN, postgres: { adminSecret } }, 'a test').plan;
      const seen = await examine(await doctorOf(withAdmin));
      expect(seen.findings.map((one) => one.id)).toEqual(expect.arrayContaining(['role-refused', 'verifier-differs']));
    } finally {
      await at.sql(`alter role nova_user password '${ctx.secrets.role!.reveal().replaceAll("'", "''")}'`);
    }
  });

  test('PostgreSQL that is nearly full: no larger pool is offered, and the arithmetic is shown', async () => {
    const found = await at.kube.get(ref('Pod', 'nova', 'postgres'));
    const host: string = found.ok ? found.value.status.podIP : '';
    const open: Postgres[] = [];
    const dial = () =>
      openPostgres({
        connect: connectTo(5432, host),
        user: 'nova_user',
        password: ctx.secrets.role!,
        database: 'nova',
      });
    const looking = await doctorOf(plan);
    await looking.pooler.postgres();
    for (;;) {
      const session = await dial();
      if (!session.ok) break;
      open.push(session.value);
    }
    // Two are left for the doctor and for a pooler that has to log in again.
    for (const session of open.splice(0, 2)) await session.close();
    const seen = await examine(looking);
    const larger = await planFix('pool-size', looking);
    await Promise.all(open.map((session) => session.close()));
    expect(open.length).toBeGreaterThan(20);
    expect(seen.findings.find((one) => one.id === 'postgres-nearly-full')?.observed).toMatch(
      /^max_connections 200 - reserved 3 - in use 19\d = \d free, 5 wanted$/,
    );
    expect(larger).toMatchObject({
      ok: false,
      error: {
        message: 'PostgreSQL has no room for a larger pool',
        cause: expect.stringMatching(
          /^max_connections 200 - reserved 3 - in use 19\d = \d free, 5 wanted \(kept for people\); \d \/ 3 poolers \(one more during a roll\) = 0 more for each pool$/,
        ),
      },
    });
  });

  test('a standby', async () => {
    const session = await ctx.pooler.inspector();
    if (!session.ok) throw new Error(session.error.message);
    // A second server that follows this one would take a minute to make; its word for it is one query's answer.
    const standby: Postgres = {
      ...session.value,
      open: true,
      query: (sql, ...more) =>
        sql.includes('pg_is_in_recovery()')
          ? Promise.resolve({ ok: true, value: [{ standby: true }] })
          : session.value.query(sql, ...more),
    };
    const pooler = new Proxy(ctx.pooler, {
      get: (target, name) => {
        if (name === 'inspector') return async () => ({ ok: true, value: standby });
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    expect((await examine({ ...ctx, pooler })).findings.map((one) => one.id)).toContain('standby');
  });

  test('a pooler that is missing', async () => {
    const where = ref('Deployment', 'nova', 'pgbouncer');
    const scale = async (replicas: number) => {
      const sent = await at.kube.mergePatch(where, { spec: { replicas } });
      expect(sent.ok).toBe(true);
    };
    await scale(1);
    await until('one pooler to be gone', async () => {
      const now = await ctx.pooler.pods();
      return now.ok && now.value.filter((pod) => pod.ready).length === 1;
    });
    expect((await examine(ctx)).findings.find((one) => one.id === 'pooler-not-ready')?.symptom).toMatch(
      /^1 of 2 poolers are ready/,
    );
    await scale(2);
  });
});
