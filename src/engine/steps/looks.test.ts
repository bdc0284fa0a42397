import { expect, test } from 'vitest';
import type { Kube, KubeObject } from '../kube/types.ts';
import { loadedPlan } from '../plan/load.ts';
import { NOVA_PLAN } from '../plan/nova.ts';
import { fail, ok } from '../result.ts';
import { Fleet } from './fleet.ts';
import { lookAtServices, withPods } from './looks.ts';
import { lookAtLogs } from './service-logs.ts';
import type { StepContext } from './types.ts';

const { plan } = loadedPlan(NOVA_PLAN, 'a test');
const NAMES = plan.phases.flatMap((phase) => phase.services.map((one) => one.name));

const pod = (service: string, name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    uid: name,
    labels: { 'pod-template-hash': 'abc' },
    ownerReferences: [{ kind: 'ReplicaSet', name: `${service}-abc`, controller: true }],
  },
  spec: { containers: [{ name: 'app' }] },
  status: { phase: 'Running' },
});

function contextOf(more: object = {}, items: KubeObject[] = NAMES.map((name) => pod(name, `${name}-1`))) {
  const asked: string[] = [];
  const kube = {
    async list() {
      asked.push('list');
      return ok({ items, resourceVersion: '1' });
    },
    ...more,
  } as unknown as Kube;
  const ctx = {
    kube,
    plan,
    fleet: new Fleet(kube, plan, 'nova'),
    signal: new AbortController().signal,
    state: () => ({ facts: {} }),
    logLines: () => {},
  } as unknown as StepContext;
  return { ctx, asked };
}

test('services are looked at side by side, four at a time, each group with the pods of its own moment', async () => {
  const { ctx, asked } = contextOf();
  let working = 0;
  let most = 0;
  const seen = await lookAtServices(ctx, NAMES, async (name, pods) => {
    most = Math.max(most, ++working);
    await Promise.resolve();
    working--;
    return `${name}: ${pods.ok && pods.value.map((one) => one.metadata.name)}`;
  });
  expect(seen).toEqual(NAMES.map((name) => `${name}: ${name}-1`));
  expect(NAMES).toHaveLength(16);
  expect([most, asked.length]).toEqual([4, 4]);
});

test('pods that can’t be listed are told to each look, and none is said to have no replicas for it', async () => {
  const { ctx } = contextOf({ list: async () => fail('api-unavailable', 'down') });
  const seen = await lookAtServices(ctx, ['a', 'b'], async (_name, pods) => (pods.ok ? 'ok' : pods.error.message));
  expect(seen).toEqual(['down', 'down']);
  expect(await withPods(ctx, NAMES)).toEqual({ running: NAMES, idle: [] });
});

test('a service without pods is idle only when its workload says that it has no replicas', async () => {
  const [first, second, ...others] = NAMES as [string, string];
  const get = async (where: { name: string }) => ok({ spec: { replicas: where.name === first ? 0 : 2 } });
  const { ctx } = contextOf(
    { get },
    others.map((name) => pod(name, `${name}-1`)),
  );
  expect(await withPods(ctx, NAMES)).toEqual({
    running: [second, ...others],
    idle: [`${first} has no replicas: no pod runs it now`],
  });
});

test('logs are read side by side and told in the order of the pods', async () => {
  const [service] = NAMES as [string];
  const turns = [5, 3, 1, 0];
  let open = 0;
  let most = 0;
  const logs = async (_namespace: string, name: string) => {
    most = Math.max(most, ++open);
    for (let turn = 0; turn < turns[Number(name)]!; turn++) await Promise.resolve();
    open--;
    return name === '2' ? ok('ERROR: too many connections\n') : ok(`hello of ${name}\n`);
  };
  const sources: string[] = [];
  const { ctx } = contextOf({ logs });
  const look = await lookAtLogs(
    { ...ctx, logLines: (source: string) => sources.push(source) },
    service,
    ['0', '1', '2', '3'].map((name) => pod(service, name)),
  );
  expect(most).toBe(3);
  expect(sources).toEqual(['0/app', '1/app', '2/app', '3/app']);
  expect(look).toMatchObject({ verdict: 'fail', data: { errors: 1, lines: 4 } });
});
