import { expect, test } from 'vitest';
import type { Kube, KubeObject } from '../kube/types.ts';
import { loadedPlan } from '../plan/load.ts';
import { NOVA_PLAN } from '../plan/nova.ts';
import { ok } from '../result.ts';
import { Fleet } from './fleet.ts';
import { podsByWorkload } from './looks.ts';
import type { StepContext } from './types.ts';

const { plan } = loadedPlan(NOVA_PLAN, 'a test');

type Of = 'Deployment' | 'Rollout' | 'StatefulSet' | 'Job';
const HASH = { Deployment: 'pod-template-hash', Rollout: 'rollouts-pod-template-hash' };

/** A pod of a workload, owned as its kind's controller owns it. */
function pod(
  name: string,
  owner: string,
  phase: string,
  ip: string,
  { kind = 'Deployment', spec = {} }: { kind?: Of; spec?: object } = {},
): KubeObject {
  const made = kind === 'Deployment' || kind === 'Rollout';
  const labels = made ? { [HASH[kind]]: '7d9f8b6c5' } : {};
  const reference = made ? { kind: 'ReplicaSet', name: `${owner}-7d9f8b6c5` } : { kind, name: owner };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'nova', uid: name, labels, ownerReferences: [{ ...reference, controller: true }] },
    spec,
    status: { phase, podIP: ip },
  };
}

const fleetOf = (...items: KubeObject[]) => {
  const kube = { list: async () => ok({ items, resourceVersion: '1' }) } as unknown as Kube;
  return { kube, fleet: new Fleet(kube, plan, 'nova') };
};

test('an address belongs to the pod that runs, not to one that is over and had it before', async () => {
  const { fleet } = fleetOf(
    pod('auth-1', 'auth-service', 'Running', '10.0.0.7'),
    pod('zz-report', 'report-29', 'Succeeded', '10.0.0.7'),
    pod('zz-evicted', 'feed-service', 'Failed', '10.0.0.8'),
  );
  const owners = await fleet.podOwners(new AbortController().signal);
  expect(owners.ok && [...owners.value]).toEqual([['10.0.0.7', { pod: 'auth-1', service: 'auth-service' }]]);
});

test('an evicted pod, which stays for days, is none of the pods of its service', async () => {
  const { kube, fleet } = fleetOf(
    pod('auth-1', 'auth-service', 'Running', '10.0.0.7'),
    pod('auth-0', 'auth-service', 'Failed', '10.0.0.6'),
  );
  const pods = await podsByWorkload({ kube, fleet, signal: new AbortController().signal } as unknown as StepContext);
  expect(pods.ok && pods.value.get('auth-service')?.map((one) => one.metadata.name)).toEqual(['auth-1']);
});

test('pods of the host’s network have no address of their own', async () => {
  const { fleet } = fleetOf(pod('auth-1', 'auth-service', 'Running', '10.0.0.7', { spec: { hostNetwork: true } }));
  const owners = await fleet.podOwners(new AbortController().signal);
  expect(owners.ok && owners.value.size).toBe(0);
});

test('a session of a pod that is gone is still known by its address, until another pod has it', async () => {
  const items = [pod('auth-1', 'auth-service', 'Running', '10.0.0.7')];
  const kube = { list: async () => ok({ items, resourceVersion: '1' }) } as unknown as Kube;
  const fleet = new Fleet(kube, plan, 'nova');
  const ask = async () => {
    const owners = await fleet.podOwners(new AbortController().signal);
    return owners.ok ? [...owners.value] : owners.error.message;
  };
  await ask();
  items.splice(0, 1, pod('auth-2', 'auth-service', 'Running', '10.0.0.8'));
  fleet.rememberAddresses('feed-service', { '10.0.0.9': 'feed-1', '10.0.0.8': 'feed-2' });
  expect(await ask()).toEqual([
    ['10.0.0.8', { pod: 'auth-2', service: 'auth-service' }],
    ['10.0.0.7', { pod: 'auth-1', service: 'auth-service', gone: true }],
    ['10.0.0.9', { pod: 'feed-1', service: 'feed-service', gone: true }],
  ]);
  items.push(pod('grafana-1', 'grafana', 'Running', '10.0.0.7'));
  expect(await ask()).toContainEqual(['10.0.0.7', { pod: 'grafana-1' }]);
});

test('the pods of a CronJob’s Jobs are its own', async () => {
  const cron = loadedPlan(
    { ...NOVA_PLAN, phases: [{ id: 'p2', title: 'Jobs', services: [{ name: 'cleanup', kind: 'CronJob' }] }] },
    'a test',
  ).plan;
  const items = [
    pod('cleanup-29384710-abcde', 'cleanup-29384710', 'Running', '10.0.0.7', { kind: 'Job' }),
    pod('cleanup-by-hand-x', 'cleanup-by-hand', 'Running', '10.0.0.8', { kind: 'Job' }),
  ];
  const kube = { list: async () => ok({ items, resourceVersion: '1' }) } as unknown as Kube;
  const owners = await new Fleet(kube, cron, 'nova').podOwners(new AbortController().signal);
  expect(owners.ok && owners.value.get('10.0.0.7')).toEqual({ pod: 'cleanup-29384710-abcde', service: 'cleanup' });
  expect(owners.ok && owners.value.get('10.0.0.8')).toEqual({ pod: 'cleanup-by-hand-x' });
});

test('two workloads of one name are told by their kinds', async () => {
  const items = [
    pod('auth-1', 'auth-service', 'Running', '10.0.0.7'),
    pod('auth-service-0', 'auth-service', 'Running', '10.0.0.8', { kind: 'StatefulSet' }),
  ];
  const { kube, fleet } = fleetOf(...items);
  const owners = await fleet.podOwners(new AbortController().signal);
  expect(owners.ok && [...owners.value]).toEqual([
    ['10.0.0.7', { pod: 'auth-1', service: 'auth-service' }],
    ['10.0.0.8', { pod: 'auth-service-0' }],
  ]);
  const pods = await podsByWorkload({ kube, fleet, signal: new AbortController().signal } as unknown as StepContext);
  expect(pods.ok && pods.value.get('auth-service')?.map((one) => one.metadata.name)).toEqual(['auth-1']);
});

test('the pods of an Argo Rollout are its own, and not those of a Deployment of its name', async () => {
  const argo = loadedPlan(
    { ...NOVA_PLAN, phases: [{ id: 'p2', title: 'Argo', services: [{ name: 'web', kind: 'Rollout' }] }] },
    'a test',
  ).plan;
  const items = [
    pod('web-1', 'web', 'Running', '10.0.0.7', { kind: 'Rollout' }),
    pod('web-2', 'web', 'Running', '10.0.0.8'),
  ];
  const kube = { list: async () => ok({ items, resourceVersion: '1' }) } as unknown as Kube;
  const owners = await new Fleet(kube, argo, 'nova').podOwners(new AbortController().signal);
  expect(owners.ok && [...owners.value]).toEqual([
    ['10.0.0.7', { pod: 'web-1', service: 'web' }],
    ['10.0.0.8', { pod: 'web-2' }],
  ]);
});

test('a pod of a cluster with two families of addresses has both', async () => {
  const both = pod('auth-1', 'auth-service', 'Running', '10.0.0.7');
  both.status.podIPs = [{ ip: '10.0.0.7' }, { ip: 'fd00::7' }];
  const { fleet } = fleetOf(both);
  const owners = await fleet.podOwners(new AbortController().signal);
  const own = { pod: 'auth-1', service: 'auth-service' };
  expect(owners.ok && [...owners.value]).toEqual([
    ['10.0.0.7', own],
    ['fd00::7', own],
  ]);
});
