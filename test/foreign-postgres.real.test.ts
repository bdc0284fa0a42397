/** PostgreSQL in another team's namespace: what the printed Role holds there is what is used there, no more and no less. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { neededAccess } from '../src/engine/kube/access-needs.ts';
import { renderRbac } from '../src/engine/kube/access-roles.ts';
import { discoverConsumers } from '../src/engine/kube/discover.ts';
import { discoveryTarget } from '../src/engine/kube/target.ts';
import type { Json, Kube } from '../src/engine/kube/types.ts';
import { parsePlan } from '../src/engine/plan/parse.ts';
import { accessInput } from '../src/engine/steps/plan-facts.ts';
import { findPostgresRoute } from '../src/engine/steps/postgres-route.ts';
import { isOutside } from '../src/engine/steps/upstream.ts';
import { covers } from '../src/rehearsal/api/rbac.ts';
import { type BareCluster, bareCluster } from './kube-cluster.ts';

const RBAC = 'rbac.authorization.k8s.io';
const signal = new AbortController().signal;
let cluster: BareCluster;
let admin: Kube;
let alice: Kube;
const judged: { wanted: Parameters<typeof covers>[1]; allowed: boolean }[] = [];

const planOf = (service: string) => {
  const text = JSON.stringify({
    apiVersion: 'pgb-wizard/v1',
    kind: 'MigrationPlan',
    name: 'shop',
    namespace: 'nova',
    postgres: { service },
    phases: [{ id: 'p2', title: 'All', services: [{ name: 'auth-service' }] }],
  });
  const plan = parsePlan(text, 'a test');
  if (!plan.ok) throw new Error(plan.error.message);
  return plan.value;
};
const needs = (service: string, outside = false) =>
  neededAccess(accessInput(planOf(service), { namespace: 'nova', serverMinor: 36, outside }));
const there = (service: string, outside = false) => needs(service, outside).filter((one) => one.namespace === 'db');

beforeAll(async () => {
  cluster = await bareCluster();
  const { store } = cluster;
  const labels = { app: 'postgres' };
  store.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'db' } });
  store.create('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'postgres', namespace: 'db' },
    spec: { selector: labels, ports: [{ port: 5432 }] },
  });
  const pod = store.create('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'postgres-0', namespace: 'db', labels },
    spec: { containers: [{ name: 'postgres', image: 'postgres:16' }] },
  });
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  store.updateStatus('pods', { ...pod, status });
  for (const object of renderRbac(needs('postgres.db'), { user: 'alice' }) as Json[])
    store.create(`${object.kind.toLowerCase()}s.${RBAC}`, object);
  admin = await cluster.connect();
  alice = await cluster.connect({ as: 'alice' });
  cluster.api.observeAccess(({ who, wanted, allowed }) => {
    if (who.name === 'alice') judged.push({ wanted, allowed });
  });
});
afterAll(() => cluster.close());

test('the Role of that namespace is enough to look for consumers and to get to PostgreSQL', async () => {
  const found = await discoverConsumers(alice, { namespace: 'nova', target: discoveryTarget('postgres.db', 5432) });
  expect(found.ok && found.value.unexplained.filter(({ reason }) => reason.includes('403'))).toEqual([]);
  const route = await findPostgresRoute({
    kube: alice,
    namespace: 'nova',
    postgres: planOf('postgres.db').postgres,
    isStandby: async () => false,
    signal,
  });
  if (!route.ok) throw new Error(route.error.message);
  expect(route.value.pod).toBe('postgres-0');
  // Nothing runs in that pod; the API server has judged the stream by then.
  await route.value.connect();
  expect(judged.filter((one) => !one.allowed).map(({ wanted }) => wanted)).toEqual([]);
});

test('and holds no right that this does not use', () => {
  const unused = there('postgres.db').filter(({ verb, group, resource, subresource, name }) => {
    const rule = {
      verbs: [verb],
      apiGroups: [group],
      resources: [subresource ? `${resource}/${subresource}` : resource],
      ...(name === undefined ? {} : { resourceNames: [name] }),
    };
    return !judged.some(({ wanted }) => wanted.namespace === 'db' && covers(rule, wanted));
  });
  expect(unused).toEqual([]);
});

test('a name that only a cluster writes is asked for as it is; one that could be a host, unless the cluster knows no such Service', async () => {
  expect(there('postgres.db.svc.cluster.local').map((one) => one.verb)).toEqual(
    there('postgres.db').map((one) => one.verb),
  );
  expect(there('postgres.db')[0]!.neededBy).toContain('if db is a namespace');
  expect(there('postgres.db.svc')[0]!.neededBy).toBe('preflight: reach PostgreSQL in another namespace');
  expect(there('postgres.db', true)).toEqual([]);
  expect(there('postgres.nova')).toEqual([]);
  expect(there('db.example.com')).toEqual([]);
  expect(await isOutside({ kube: admin, service: 'postgres.db', signal })).toBe(false);
  expect(await isOutside({ kube: admin, service: 'db.internal', signal })).toBe(true);
  // Who may not look there knows nothing.
  expect(await isOutside({ kube: alice, service: 'db.internal', signal })).toBe(false);
});
