/** What a cluster refuses to run (Pod Security, quotas): told before it is tried, and by its own words when it is. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectKube } from '../src/engine/kube/connect.ts';
import { discoverConsumers } from '../src/engine/kube/discover.ts';
import { createObjects } from '../src/engine/kube/new-objects.ts';
import { followRollout } from '../src/engine/kube/rollout.ts';
import { changeMatch, planSwitch, sendChange } from '../src/engine/kube/switch.ts';
import type { Json, Kube } from '../src/engine/kube/types.ts';
import type { RolloutVerdict, Workload, WorkloadChange } from '../src/engine/kube/workload-types.ts';
import { realClock } from '../src/engine/run/clock.ts';
import { enforcedLevel, podsRefused } from '../src/engine/steps/pod-security.ts';
import { type Cluster, startCluster } from '../src/rehearsal/cluster.ts';

const clock = realClock();
const stop = new AbortController();
const { signal } = stop;
let cluster: Cluster;
let kube: Kube;
let runs = 0;

/** The same program under another kind of workload. */
function beside(kind: 'StatefulSet' | 'DaemonSet', name: string): void {
  const [model] = cluster.store.list('deployments.apps', 'nova') as [Json];
  const labels = { app: name };
  const { template } = structuredClone(model.spec);
  template.metadata.labels = labels;
  cluster.store.create(`${kind.toLowerCase()}s.apps`, {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'nova' },
    spec: {
      ...(kind === 'StatefulSet' ? { replicas: 1, serviceName: name } : {}),
      selector: { matchLabels: labels },
      template,
    },
  });
}

async function workloads(): Promise<readonly Workload[]> {
  const found = await discoverConsumers(kube, { namespace: 'nova', target: { service: 'postgres', port: 5432 } });
  if (!found.ok) throw new Error(found.error.message);
  return found.value.workloads;
}

function label(key: string, value: string | undefined): void {
  const namespace = cluster.store.get('namespaces', undefined, 'nova')!;
  const labels: Json = { ...namespace.metadata.labels, [key]: value };
  if (value === undefined) delete labels[key];
  cluster.store.update('namespaces', { ...namespace, metadata: { ...namespace.metadata, labels } });
}

async function plan(workload: Workload): Promise<WorkloadChange> {
  const planned = await planSwitch(kube, workload, { to: { host: 'postgres.nova', port: 5432 }, runId: `r${++runs}` });
  if (!planned.ok) throw new Error(planned.error.message);
  return planned.value;
}

function follow(workload: Workload, change: WorkloadChange, direction: 'forward' | 'back'): Promise<RolloutVerdict> {
  const match = changeMatch(change, direction);
  const options = { uid: workload.uid, match, limitMs: 60_000, until: 'drained' as const, clock, signal };
  return followRollout(kube, workload.ref, options);
}

async function move(workload: Workload): Promise<{ change: WorkloadChange; verdict: RolloutVerdict }> {
  const change = await plan(workload);
  await createObjects(kube, change);
  const sent = await sendChange(kube, change, 'forward');
  if (!sent.ok) throw new Error(sent.error.message);
  return { change, verdict: await follow(workload, change, 'forward') };
}

beforeAll(async () => {
  cluster = await startCluster({ services: 1 });
  beside('StatefulSet', 'ledger');
  beside('DaemonSet', 'agent');
  const connected = await connectKube({ kubeconfig: cluster.kubeconfigPath, namespace: 'nova', clock });
  if (!connected.ok) throw new Error(connected.error.message);
  kube = connected.value;
  const ready = async () => {
    const all = await workloads();
    expect(all.map((one) => one.status.available > 0 && one.status.available === one.replicas)).toEqual([
      true,
      true,
      true,
    ]);
  };
  await vi.waitFor(ready, { timeout: 30_000, interval: 200 });
});
afterAll(async () => {
  stop.abort();
  kube?.close();
  await cluster?.close();
});

describe('Pod Security', () => {
  const DETAIL =
    'allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")';
  const ctx = () => ({ kube, signal, fleet: { namespace: 'nova' } }) as unknown as Parameters<typeof enforcedLevel>[0];
  afterAll(() => {
    label('pod-security.kubernetes.io/enforce', undefined);
    label('pod-security.kubernetes.io/warn', undefined);
  });

  test('a namespace without labels warns of nothing', async () => {
    const change = await plan((await workloads())[0]!);
    expect([change.clusterWarnings, await enforcedLevel(ctx())]).toEqual([[], 'none']);
  });

  test('what is only warned of is shown before the switch, and refuses nothing', async () => {
    label('pod-security.kubernetes.io/warn', 'restricted');
    const change = await plan((await workloads())[0]!);
    expect(change.preview.warnings?.join()).toContain(
      'The cluster warns: would violate PodSecurity "restricted:latest"',
    );
    expect(podsRefused(change, await enforcedLevel(ctx()))).toBeUndefined();
    label('pod-security.kubernetes.io/warn', undefined);
  });

  test('what is enforced is known from the dry run, in the words of the cluster', async () => {
    label('pod-security.kubernetes.io/enforce', 'restricted');
    for (const workload of await workloads()) {
      const change = await plan(workload);
      expect(podsRefused(change, await enforcedLevel(ctx()))).toBe(
        `Pod Security (restricted) of the namespace refuses its new pods: ${DETAIL}`,
      );
    }
  });

  test('a rollout whose pods are refused fails with that, whatever the kind, long before its limit; and goes back', async () => {
    const all = await workloads();
    expect(all.map((one) => one.ref.kind).sort()).toEqual(['DaemonSet', 'Deployment', 'StatefulSet']);
    const moved = await Promise.all(all.map(move));
    for (const { verdict } of moved) {
      expect(verdict).toMatchObject({ outcome: 'failed', cause: 'replica-failure' });
      expect(verdict.message).toContain('violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false');
      expect(verdict.elapsedMs).toBeLessThan(30_000);
    }
    label('pod-security.kubernetes.io/enforce', undefined);
    const back = await Promise.all(
      moved.map(async ({ change }, index) => {
        await sendChange(kube, change, 'back');
        return (await follow(all[index]!, change, 'back')).outcome;
      }),
    );
    expect(back).toEqual(['drained', 'drained', 'drained']);
  });
});

describe('quotas', () => {
  const quota = (hard: Json) =>
    cluster.store.create('resourcequotas', {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'room', namespace: 'nova' },
      spec: { hard },
    });
  const full = () => {
    const count = cluster.store.list('pods', 'nova').length;
    return [`ResourceQuota room has no room for one more pod (pods: ${count} of ${count} used).`];
  };
  const clear = () => cluster.store.delete('resourcequotas', 'nova', 'room');

  test.each([
    [
      'pods',
      () => ({ pods: String(cluster.store.list('pods', 'nova').length) }),
      'exceeded quota: room, requested: pods=1',
      full,
    ],
    ['memory', () => ({ 'limits.memory': '1Gi' }), 'failed quota: room: must specify limits.memory for: app', () => []],
  ])('a quota of %s is named when it keeps the new pod from being made', async (_what, hard, words, finding) => {
    quota(hard());
    await vi.waitFor(() => expect(cluster.store.get('resourcequotas', 'nova', 'room')?.status?.used).toBeDefined());
    const [workload] = (await workloads()).filter((one) => one.ref.kind === 'Deployment') as [Workload];
    expect(workload.findings.filter((one) => one.code === 'quota').map((one) => one.text)).toEqual(finding());
    const { change, verdict } = await move(workload);
    clear();
    await sendChange(kube, change, 'back');
    expect(verdict).toMatchObject({ outcome: 'failed', cause: 'replica-failure' });
    expect(verdict.message).toContain(words);
    expect((await follow(workload, change, 'back')).outcome).toBe('drained');
  });
});
