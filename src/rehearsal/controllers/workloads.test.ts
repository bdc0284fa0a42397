/** DaemonSets and Jobs on the real store. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { KubeObject, ObjectStore } from '../contract.ts';
import { type ControllerLab, startLab } from './testing/lab.ts';

let store: ObjectStore;
let lab: ControllerLab;

beforeEach(() => {
  lab = startLab();
  store = lab.store;
});
afterEach(() => {
  lab.stop();
  expect(lab.errors).toEqual([]);
});

const template = (labels: object, value = '1') => ({
  metadata: { labels },
  spec: { containers: [{ name: 'app', image: 'nova/base:1', env: [{ name: 'A', value }] }] },
});
const pods = () => store.list('pods', 'rec');
const finish = (pod: KubeObject, phase: string) =>
  void store.updateStatus('pods', {
    ...pod,
    status: { phase, conditions: [{ type: 'Ready', status: phase === 'Running' ? 'True' : 'False' }] },
  });

test('a DaemonSet has one pod on each node and replaces them one after the other', async () => {
  for (const name of ['a', 'b']) store.create('nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name } });
  const spec = { selector: { matchLabels: { app: 'd' } }, template: template({ app: 'd' }) };
  store.create('daemonsets.apps', {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd', namespace: 'rec' },
    spec,
  });
  await vi.waitFor(() =>
    expect(
      pods()
        .map((pod) => pod.spec.nodeName)
        .sort(),
    ).toEqual(['a', 'b']),
  );
  for (const pod of pods()) finish(pod, 'Running');
  await vi.waitFor(() =>
    expect(store.get('daemonsets.apps', 'rec', 'd')?.status).toMatchObject({
      desiredNumberScheduled: 2,
      numberAvailable: 2,
      updatedNumberScheduled: 2,
    }),
  );
  const set = store.get('daemonsets.apps', 'rec', 'd') as KubeObject;
  store.update('daemonsets.apps', { ...set, spec: { ...set.spec, template: template({ app: 'd' }, '2') } });
  for (let replaced = 1; replaced <= 2; replaced++) {
    const leaving = await vi.waitFor(() => {
      const found = pods().filter((pod) => pod.metadata.deletionTimestamp);
      expect(found).toHaveLength(1);
      return found[0] as KubeObject;
    });
    store.finalise('pods', 'rec', leaving.metadata.name, leaving.metadata.uid as string);
    await vi.waitFor(() =>
      expect(pods().filter((pod) => pod.spec.containers[0].env[0].value === '2')).toHaveLength(replaced),
    );
    for (const pod of pods()) if (pod.status?.phase !== 'Running') finish(pod, 'Running');
  }
  await vi.waitFor(() =>
    expect(store.get('daemonsets.apps', 'rec', 'd')?.status).toMatchObject({
      updatedNumberScheduled: 2,
      numberAvailable: 2,
    }),
  );
});

const job = (spec: object) =>
  store.create('jobs.batch', {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'j', namespace: 'rec' },
    spec: { template: { ...template({}), spec: { ...template({}).spec, restartPolicy: 'Never' } }, ...spec },
  });
const conditions = () =>
  (store.get('jobs.batch', 'rec', 'j')?.status?.conditions ?? []).map(
    (item: { type: string; reason: string }) => `${item.type}=${item.reason}`,
  );

test('a Job is complete when its pod has succeeded', async () => {
  job({});
  await vi.waitFor(() => expect(pods()).toHaveLength(1));
  finish(pods()[0] as KubeObject, 'Succeeded');
  await vi.waitFor(() => expect(conditions()).toContain('Complete=CompletionsReached'));
});

test('a Job gives up after its back-off limit', async () => {
  job({ backoffLimit: 1 });
  for (let attempt = 1; attempt <= 2; attempt++) {
    await vi.waitFor(() => expect(pods()).toHaveLength(attempt));
    for (const pod of pods()) if (pod.status?.phase !== 'Failed') finish(pod, 'Failed');
  }
  await vi.waitFor(() => expect(conditions()).toContain('Failed=BackoffLimitExceeded'));
  expect(pods()).toHaveLength(2);
});

test('an autoscaler keeps the replicas within its limits, and a workload at zero alone', async () => {
  const make = (name: string, replicas: number) => {
    const labels = { app: name };
    store.create('deployments.apps', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'rec' },
      spec: { replicas, selector: { matchLabels: labels }, template: template(labels) },
    });
    store.create('horizontalpodautoscalers.autoscaling', {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name, namespace: 'rec' },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, minReplicas: 2, maxReplicas: 3 },
    });
  };
  const replicas = (name: string) => store.get('deployments.apps', 'rec', name)?.spec.replicas;
  make('few', 1);
  make('many', 7);
  make('none', 0);
  await vi.waitFor(() => expect([replicas('few'), replicas('many')]).toEqual([2, 3]));
  const status = (name: string) => store.get('horizontalpodautoscalers.autoscaling', 'rec', name)?.status;
  await vi.waitFor(() => expect(status('few')).toMatchObject({ currentReplicas: 2, desiredReplicas: 2 }));
  await vi.waitFor(() =>
    expect(status('none').conditions).toMatchObject([{ type: 'AbleToScale' }, { reason: 'ScalingDisabled' }]),
  );
  expect(replicas('none')).toBe(0);
});
