/** A switch on the rehearsal cluster with real pods: early verdict, exact way back, and what it costs in requests. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectKube } from '../src/engine/kube/connect.ts';
import { discoverConsumers } from '../src/engine/kube/discover.ts';
import { watchForFights } from '../src/engine/kube/fights.ts';
import { createObjects } from '../src/engine/kube/new-objects.ts';
import type { Fight } from '../src/engine/kube/option-types.ts';
import { followRollout } from '../src/engine/kube/rollout.ts';
import { changedByOthers, changeMatch, planSwitch, sendChange } from '../src/engine/kube/switch.ts';
import type { Kube } from '../src/engine/kube/types.ts';
import type { Discovery, RolloutVerdict, Workload, WorkloadChange } from '../src/engine/kube/workload-types.ts';
import { realClock } from '../src/engine/run/clock.ts';
import { type Cluster, startCluster } from '../src/rehearsal/cluster.ts';

let cluster: Cluster;
let kube: Kube;
let found: Discovery;
const clock = realClock();
const stop = new AbortController();
let runs = 0;

beforeAll(async () => {
  cluster = await startCluster({ services: 3 });
  const connected = await connectKube({ kubeconfig: cluster.kubeconfigPath, namespace: 'nova', clock });
  if (!connected.ok) throw new Error(connected.error.message);
  kube = connected.value;
  const discovered = await discoverConsumers(kube, { namespace: 'nova', target: { service: 'postgres', port: 5432 } });
  if (!discovered.ok) throw new Error(discovered.error.message);
  found = discovered.value;
});

afterAll(async () => {
  stop.abort();
  kube.close();
  await cluster.close();
});

async function plan(workload: Workload, host: string, port: number): Promise<WorkloadChange> {
  const planned = await planSwitch(kube, workload, { to: { host, port }, runId: `run${++runs}` });
  if (!planned.ok) throw new Error(planned.error.message);
  return planned.value;
}

const follow = (
  workload: Workload,
  change: WorkloadChange,
  direction: 'forward' | 'back',
  onAvailable?: (v: RolloutVerdict) => void,
) =>
  followRollout(kube, workload.ref, {
    uid: workload.uid,
    match: changeMatch(change, direction),
    limitMs: 60_000,
    until: 'drained',
    clock,
    signal: stop.signal,
    ...(onAvailable ? { onAvailable } : {}),
  });

const activeSet = (workload: Workload): string | undefined =>
  cluster.store.list('replicasets.apps', 'nova', { app: workload.ref.name }).find((rs) => rs.spec.replicas > 0)
    ?.metadata.uid;

test('a good switch is available, then drained, for at most 8 requests beside watches', async () => {
  const workload = found.workloads[0]!;
  const warm = await plan(found.workloads[1]!, 'postgres.nova', 5432);
  await sendChange(kube, warm, 'forward');
  await createObjects(kube, warm);
  expect(await follow(found.workloads[1]!, warm, 'forward')).toMatchObject({ outcome: 'drained' });
  const before = kube.requestCounts();
  const seen: string[] = [];
  const change = await plan(workload, 'postgres.nova', 5432);
  await createObjects(kube, change);
  await sendChange(kube, change, 'forward');
  const verdict = await follow(workload, change, 'forward', (v) => seen.push(v.outcome));
  expect(verdict).toMatchObject({ outcome: 'drained', oldPods: [] });
  expect(seen).toEqual(['available']);
  expect(verdict.newPods).toHaveLength(workload.replicas);
  // What it waited for last is over.
  expect(verdict.progress.detail).toBe(verdict.message);
  const after = kube.requestCounts();
  expect(after.total - before.total).toBeLessThanOrEqual(8);
});

test('an application that cannot reach its database is told within 15 s, and goes back to its original ReplicaSet', async () => {
  const workload = found.workloads[2]!;
  const original = activeSet(workload);
  const change = await plan(workload, 'nowhere', 6432);
  await createObjects(kube, change);
  const began = performance.now();
  await sendChange(kube, change, 'forward');
  const verdict = await follow(workload, change, 'forward');
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(verdict).toMatchObject({ outcome: 'failed', cause: 'readiness-stalled' });
  expect(verdict.message).toContain('nowhere');
  expect(verdict.events.join('\n')).toContain('Unhealthy');
  await sendChange(kube, change, 'back');
  expect(await follow(workload, change, 'back')).toMatchObject({ outcome: 'drained', target: { uid: original } });
});

test('what somebody else changed in the template meanwhile is named by its field, ours is not', async () => {
  const workload = found.workloads[0]!;
  const change = await plan(workload, 'elsewhere.nova', 5432);
  await createObjects(kube, change);
  await sendChange(kube, change, 'forward');
  expect(await changedByOthers(kube, change, 'forward')).toEqual([]);
  const template = { spec: { terminationGracePeriodSeconds: 7 } };
  await kube.mergePatch(workload.ref, { spec: { template } });
  expect(await changedByOthers(kube, change, 'forward')).toEqual(['spec.terminationGracePeriodSeconds']);
  await sendChange(kube, change, 'back');
  expect(await changedByOthers(kube, change, 'back')).toEqual(['spec.terminationGracePeriodSeconds']);
  expect(await follow(workload, change, 'back')).toMatchObject({ outcome: 'drained' });
});

test('a missing Secret is told by its own words', async () => {
  const workload = found.workloads.find((w) => w.consumers[0]!.source === 'literal')!;
  const change = await plan(workload, 'elsewhere.nova', 5432);
  await sendChange(kube, change, 'forward');
  const verdict = await follow(workload, change, 'forward');
  expect(verdict).toMatchObject({ outcome: 'failed', cause: 'config-error' });
  expect(verdict.message).toContain('not found');
  await sendChange(kube, change, 'back');
  expect(await follow(workload, change, 'back')).toMatchObject({ outcome: 'drained' });
});

test('somebody who puts the original back is noticed and named, and not fought', async () => {
  const workload = found.workloads[0]!;
  const fresh = await discoverConsumers(kube, {
    namespace: 'nova',
    target: { service: 'postgres', port: 5432 },
    only: [workload.id],
  });
  if (!fresh.ok) throw new Error(fresh.error.message);
  const change = await plan(fresh.value.workloads[0]!, 'postgres.nova.svc.cluster.local', 5432);
  await createObjects(kube, change);
  const original = cluster.store.get('deployments.apps', 'nova', workload.ref.name)!;
  await sendChange(kube, change, 'forward');
  const fight = new Promise<Fight>((resolve) => {
    watchForFights(kube, [change], { signal: stop.signal, onFight: resolve, now: () => clock.now() });
  });
  await follow(workload, change, 'forward');
  const live = cluster.store.get('deployments.apps', 'nova', workload.ref.name)!;
  live.spec.template = original.spec.template;
  cluster.store.update('deployments.apps', live, { manager: 'argocd-controller' });
  expect(await fight).toMatchObject({ ref: { name: workload.ref.name }, manager: 'argocd-controller' });
});
