/** The doctor on a live cluster with real poolers: what it finds, the fix it makes without a restart, and the proof. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examine } from '../src/engine/doctor/examine.ts';
import { type FixId, planFix } from '../src/engine/doctor/fixes.ts';
import { ref } from '../src/engine/kube/refs.ts';
import { renderUserlist, scramVerifier } from '../src/engine/pgbouncer/credentials.ts';
import { loadedPlan } from '../src/engine/plan/load.ts';
import { NOVA_PLAN } from '../src/engine/plan/nova.ts';
import type { Postgres } from '../src/engine/postgres/types.ts';
import { realClock } from '../src/engine/run/clock.ts';
import { Secret } from '../src/engine/secret.ts';
import { Fleet } from '../src/engine/steps/fleet.ts';
import { ensureSecrets } from '../src/engine/steps/p1-credentials.ts';
import { PoolerPorts } from '../src/engine/steps/pooler-ports.ts';
import type { RunSecrets } from '../src/engine/steps/run-secrets.ts';
import type { LookContext } from '../src/engine/steps/types.ts';
import { until } from '../src/engine/testing/servers.ts';
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
  const secrets: RunSecrets = {};
  const pooler = new PoolerPorts({
    kube: at.kube,
    plan,
    namespace: 'nova',
    secrets,
    clock: realClock(),
    signal: end.signal,
    everyMs: 1000,
    onSample: () => undefined,
  });
  ctx = { kube: at.kube, plan, fleet: new Fleet(at.kube, plan, 'nova'), pooler, secrets, signal: end.signal };
  const known = await ensureSecrets(ctx);
  if (!known.ok) throw new Error(known.error.message);
  const found = await pooler.pods();
  pods = found.ok ? found.value.map((pod) => pod.name) : [];
});
afterAll(async () => {
  end.abort();
  await ctx?.pooler.close();
  await at?.close();
});

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
