/**
 * A fleet with roles and databases of its own: the poolers serve them all, each service is proved as who it is, and no role
 * gets into another's database. On the rehearsal's real servers.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { discoverConsumers } from '../src/engine/kube/discover.ts';
import { ref } from '../src/engine/kube/refs.ts';
import { discoveryTarget } from '../src/engine/kube/target.ts';
import { parseIni } from '../src/engine/pgbouncer/ini-parse.ts';
import { loadedPlan } from '../src/engine/plan/load.ts';
import { NOVA_PLAN } from '../src/engine/plan/nova.ts';
import type { PlanInput } from '../src/engine/plan/schema.ts';
import { openPostgres } from '../src/engine/postgres/connect.ts';
import { realClock } from '../src/engine/run/clock.ts';
import type { RunSnapshot } from '../src/engine/run/model.ts';
import { Secret } from '../src/engine/secret.ts';
import { lookAtClients } from '../src/engine/steps/live-clients.ts';
import { type RehearsedCluster, rehearsedCluster, stepOf, story } from './rehearsed-run.ts';

let at: RehearsedCluster;
const BILLING = 'billing+pass/word-1';
const REPORTS = 'reports-password-2';
const ADMIN = 'superuser-of-the-test-3';
const also = [{ role: 'reports_user' }, { role: 'billing_user', database: 'billing' }];
const services = (...names: string[]) => names.map((name) => ({ name }));
const phases: PlanInput['phases'] = [
  { id: 'p2', title: 'Each as another', services: services('identity-service', 'events-service') },
  { id: 'p3', title: 'The third', services: services('communication-service') },
];
const base: Partial<PlanInput> = { phases, baseline: { enabled: false } };

async function address(service: string, user: string, password: string, database: string): Promise<void> {
  const value = `postgresql://${user}:${encodeURIComponent(password)}@postgres:5432/${database}`;
  const where = ref('Deployment', 'nova', service);
  const live = await at.kube.get(where);
  if (!live.ok) throw new Error(live.error.message);
  const containers = live.value.spec.template.spec.containers.map((container: { env?: { name: string }[] }) => ({
    ...container,
    env: (container.env ?? []).map((one) => (one.name === 'DATABASE_URL' ? { name: one.name, value } : one)),
  }));
  const sent = await at.kube.replace(where, {
    ...live.value,
    spec: {
      ...live.value.spec,
      template: { ...live.value.spec.template, spec: { ...live.value.spec.template.spec, containers } },
    },
  });
  if (!sent.ok) throw new Error(sent.error.message);
}

/** Until the service's pods are those of its newest template, and every one is Ready. */
async function settled(...names: string[]): Promise<void> {
  const deadline = Date.now() + 90_000;
  for (const name of names) {
    for (;;) {
      const live = await at.kube.get(ref('Deployment', 'nova', name));
      const { metadata, spec, status } = live.ok ? live.value : { metadata: {}, spec: {}, status: {} };
      const done =
        status?.observedGeneration === metadata.generation &&
        status?.updatedReplicas === spec.replicas &&
        status?.readyReplicas === spec.replicas &&
        status?.replicas === spec.replicas;
      if (done) break;
      if (Date.now() > deadline) throw new Error(`${name} is not ready: ${JSON.stringify(status)}`);
      await new Promise<void>((resolve) => {
        const stop = at.cluster.store.watch(() => {
          stop();
          resolve();
        });
      });
    }
  }
}

async function forget(): Promise<void> {
  for (const object of [ref('Deployment', 'nova', 'pgbouncer'), ref('Secret', 'nova', 'pgbouncer-userlist')]) {
    const gone = await at.kube.delete(object, { propagationPolicy: 'Background', gracePeriodSeconds: 0 });
    if (!gone.ok && gone.error.code !== 'not-found') throw new Error(gone.error.message);
  }
}

async function poolerConfig(): Promise<{ ini: string; hba: string }> {
  const live = await at.kube.get(ref('Deployment', 'nova', 'pgbouncer'));
  const volumes: { configMap?: { name: string } }[] = live.ok ? live.value.spec.template.spec.volumes : [];
  const name = volumes.find((one) => one.configMap)?.configMap?.name ?? '';
  const map = await at.kube.get(ref('ConfigMap', 'nova', name));
  if (!map.ok) throw new Error(map.error.message);
  return { ini: map.value.data['pgbouncer.ini'], hba: map.value.data['pg_hba.conf'] };
}

/** What a client hears that logs in to a pooler as one role in one database. */
async function through(user: string, password: string, database: string): Promise<string> {
  const pods = await at.kube.list({
    apiVersion: 'v1',
    plural: 'pods',
    kind: 'Pod',
    namespace: 'nova',
    labelSelector: 'app=pgbouncer',
  });
  const name = pods.ok ? pods.value.items[0]?.metadata.name : undefined;
  const session = await openPostgres({
    connect: () => at.kube.portForward('nova', name, 6432),
    user,
    password: new Secret(password),
    database,
  });
  if (!session.ok) return session.error.message;
  try {
    const rows = await session.value.query('select current_user::text as who');
    return rows.ok ? String(rows.value[0]?.who) : rows.error.message;
  } finally {
    await session.value.close();
  }
}

const factOf = (end: RunSnapshot, step: string, check: string) =>
  stepOf(end, step).evidence.filter((one) => one.check.includes(check));

beforeAll(async () => {
  at = await rehearsedCluster();
  await at.sql(`create role dba superuser login password '${ADMIN}'`, 'postgres');
  await at.sql(`create role billing_user login password '${BILLING}'`, 'postgres');
  await at.sql(`create role reports_user login password '${REPORTS}'`, 'postgres');
  await at.sql('create database billing owner billing_user', 'postgres');
  await at.sql('grant all on all tables in schema public to reports_user');
  await at.sql('grant all on all sequences in schema public to reports_user');
  for (const statement of [
    "create table items (id int primary key, service text not null default '', body text not null default '', n bigint not null default 0, updated_at timestamptz not null default now())",
    'create table events (id bigserial primary key, service text not null, kind text not null, at timestamptz not null default now())',
    'alter table items owner to billing_user',
    'alter table events owner to billing_user',
  ])
    await at.sql(statement, 'billing');
  const made = await at.kube.create(ref('Secret', 'nova', 'postgres-admin'), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'postgres-admin', namespace: 'nova' },
    data: { password: Buffer.from(ADMIN).toString('base64') },
  });
  if (!made.ok) throw new Error(made.error.message);
  await address('events-service', 'billing_user', BILLING, 'billing');
  await address('communication-service', 'reports_user', REPORTS, 'nova');
  await settled('events-service', 'communication-service');
});
afterAll(async () => {
  await at?.close();
});

describe('a fleet with several roles and databases', () => {
  test('a service whose login the plan does not name is not moved, and it is said how it could be', async () => {
    const end = await at.run({ plan: base, stopAfter: 'preflight' });
    expect(stepOf(end, 'preflight').cause, story(end)).toMatch(
      /logs in as billing_user and uses the database billing, and the pooler of this plan serves nova_user in nova: add it to postgres\.also/,
    );
  });

  test('all of them move, each proved as who it is; no query fails, and everything goes back', async () => {
    const before = at.cluster.report().totals.failed;
    const plan: Partial<PlanInput> = { ...base, postgres: { also } };
    const end = await at.run({ plan });
    expect(`${end.outcome} ${story(end)}`).toMatch(/^done /);
    expect(end.services.map((one) => one.state)).toEqual(['pooled', 'pooled', 'pooled']);
    expect(at.cluster.report().totals.failed).toBe(before);

    // Two roles share nova, so none is forced there; each login was proved through each pooler.
    expect(factOf(end, 'p1.credentials', 'arrangement')[0]?.observed).toMatch(/^plaintext: /);
    for (const login of ['nova_user in nova', 'reports_user in nova', 'billing_user in billing'])
      expect(factOf(end, 'p1.connectivity', `as ${login}`).map((one) => one.verdict)).toEqual(Array(6).fill('pass'));
    for (const service of ['identity-service', 'events-service', 'communication-service'])
      expect(
        [
          ...factOf(end, 'p2.identity-service.observe', service),
          ...factOf(end, 'p2.events-service.observe', service),
          ...factOf(end, 'p3.communication-service.observe', service),
        ].map((one) => one.verdict),
      ).toEqual(['pass']);

    const { ini, hba } = await poolerConfig();
    const { databases } = parseIni(ini);
    expect([...databases.keys()]).toEqual(['nova', 'billing']);
    expect([...databases.values()].map((one) => one.has('user'))).toEqual([false, false]);
    const size = (key: string) => [...databases.values()].map((one) => Number(one.get(key)));
    const reserve = size('reserve_pool')
      .concat(size('reserve_pool_size'))
      .filter((one) => !Number.isNaN(one));
    const [each] = size('pool_size').map((one, index) => one + reserve[index]!);
    expect(size('max_db_connections')).toEqual([2 * each!, each]);
    expect(hba.split('\n')).toContain('host billing billing_user 0.0.0.0/0 scram-sha-256');
    expect(hba).not.toMatch(/host (nova billing_user|billing (nova|reports)_user)/);

    expect(await through('reports_user', REPORTS, 'nova')).toBe('reports_user');
    expect(await through('billing_user', BILLING, 'billing')).toBe('billing_user');
    expect(await through('reports_user', REPORTS, 'billing')).toMatch(/login rejected/);

    const back = await at.run({ plan, resume: end.runId, rollback: { kind: 'all' } });
    expect(`${back.outcome} ${story(back)}`).toMatch(/^rolled-back /);
    expect(at.cluster.report().totals.failed).toBe(before);
  });

  test('with one role in each database each is forced, and nobody else becomes it', async () => {
    await forget();
    const end = await at.run({
      plan: {
        ...base,
        postgres: { also: [{ role: 'billing_user', database: 'billing' }] },
        phases: [{ id: 'p2', title: 'Two', services: services('identity-service', 'events-service') }],
      },
      stopAfter: 'p1.connectivity',
    });
    expect(stepOf(end, 'p1.connectivity').state, story(end)).toBe('pass');
    expect(factOf(end, 'p1.credentials', 'arrangement')[0]?.observed).toMatch(/^plaintext-forced-user: /);
    const { databases } = parseIni((await poolerConfig()).ini);
    expect([...databases].map(([name, one]) => [name, one.get('user')])).toEqual([
      ['nova', 'nova_user'],
      ['billing', 'billing_user'],
    ]);
    expect(await through('billing_user', BILLING, 'nova')).toMatch(/login rejected/);
  });

  test.each(['auth-query', 'same-verifier', 'alter-role'] as const)(
    '%s carries all of them, without a clear password in the Secret',
    async (credentials) => {
      await forget();
      const end = await at.run({
        plan: {
          ...base,
          postgres: { also, adminSecret: { name: 'postgres-admin', user: 'dba' } },
          pooler: { credentials },
        },
        stopAfter: 'p1.connectivity',
      });
      expect(stepOf(end, 'p1.connectivity').state, story(end)).toBe('pass');
      expect(factOf(end, 'p1.credentials', 'arrangement')[0]?.observed).toMatch(new RegExp(`^${credentials}: `));
      const secret = await at.kube.get(ref('Secret', 'nova', 'pgbouncer-userlist'));
      const text = secret.ok ? Buffer.from(secret.value.data['userlist.txt'], 'base64').toString('utf8') : '';
      for (const password of [BILLING, REPORTS]) expect(text).not.toContain(password);
      expect(await through('billing_user', BILLING, 'billing')).toBe('billing_user');
      expect(await through('reports_user', REPORTS, 'nova')).toBe('reports_user');
    },
  );

  test('a login that an address holds and nobody uses any more keeps nobody from counting the others', async () => {
    const signal = new AbortController().signal;
    const found = await discoverConsumers(at.kube, {
      namespace: 'nova',
      target: discoveryTarget('postgres', 5432),
      signal,
    });
    if (!found.ok) throw new Error(found.error.message);
    const [first, ...rest] = found.value.workloads;
    const gone = { ...first!.consumers[0]!, user: 'gone_user', password: new Secret('refused-7') };
    const discovery = { ...found.value, workloads: [{ ...first!, consumers: [...first!.consumers, gone] }, ...rest] };
    const { plan } = loadedPlan({ ...NOVA_PLAN, postgres: { also: [...also, { role: 'gone_user' }] } }, 'a test');
    const seen = await lookAtClients({ kube: at.kube, plan, discovery, clock: realClock(), signal });
    if (!seen.ok) throw new Error(seen.error.message);
    expect(seen.value.without).toContain('gone_user');
    expect(seen.value.byWorkload.size).toBeGreaterThan(10);
  });
});
