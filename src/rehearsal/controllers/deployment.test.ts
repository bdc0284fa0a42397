/** The Deployment and ReplicaSet controllers on the real store; pods become Ready when the test says so. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { type ControllerLab, startLab } from './testing/lab.ts';

const QUIET_MS = 15;
let store: ObjectStore;
let lab: ControllerLab;
let statuses: string[];

beforeEach(() => {
  lab = startLab();
  store = lab.store;
  statuses = [];
  store.watch(({ resource, object }) => {
    if (resource !== 'deployments.apps') return;
    const line = summary(object);
    if (statuses.at(-1) !== line) statuses.push(line);
  });
});

afterEach(() => {
  lab.stop();
  vi.useRealTimers();
  expect(lab.errors).toEqual([]);
});

/** `generation/observed spec replicas/updated/ready/available/unavailable conditions in their order`. */
function summary({ metadata, spec, status }: KubeObject): string {
  const n = (field: string) => status?.[`${field}Replicas`] ?? '-';
  const conditions = (status?.conditions ?? []).map((item: Json) => `${item.type}=${item.reason}`).join(' ');
  return `${metadata.generation}/${status?.observedGeneration ?? '-'} ${spec.replicas} ${status?.replicas ?? '-'}/${n('updated')}/${n('ready')}/${n('available')}/${n('unavailable')} ${conditions}`.trim();
}

/** Resolves when the controllers have written nothing for three stretches in a row: what is quiet once may only be slow. */
const settle = () =>
  new Promise<void>((resolve) => {
    let quiet = 0;
    const stretch = () => {
      quiet += 1;
      if (quiet < 3) timer = setTimeout(stretch, QUIET_MS);
      else {
        unwatch();
        resolve();
      }
    };
    let timer = setTimeout(stretch, QUIET_MS);
    const unwatch = store.watch(() => {
      quiet = 0;
      clearTimeout(timer);
      timer = setTimeout(stretch, QUIET_MS);
    });
  });
const get = (name = 'web') => store.get('deployments.apps', 'rec', name) as KubeObject;
const sets = () => store.list('replicasets.apps', 'rec');
const pods = () => store.list('pods', 'rec');

function create(name: string, replicas: number, more: object = {}): void {
  store.create('deployments.apps', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'rec' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'app', image: 'nova/base:1', env: [{ name: 'A', value: '1' }] }] },
      },
      ...more,
    },
  });
}

function edit(name: string, change: (object: KubeObject) => void): void {
  const object = get(name);
  change(object);
  store.update('deployments.apps', object);
}

const setEnv = (name: string, value: string) =>
  edit(name, (object) => (object.spec.template.spec.containers[0].env[0].value = value));

/** What scheduler and kubelet would do: pods run, pass their probes (all but those the test keeps back), and go when deleted. */
async function runPods(ready: (pod: KubeObject) => boolean = () => true): Promise<void> {
  for (let round = 0; round < 60; round++) {
    await settle();
    let changed = false;
    for (const pod of pods()) {
      if (pod.metadata.deletionTimestamp) {
        store.finalise('pods', 'rec', pod.metadata.name, pod.metadata.uid as string);
        changed = true;
      } else if (pod.status?.phase !== 'Running' && ready(pod)) {
        const at = '2026-01-01T00:00:00Z';
        store.updateStatus('pods', {
          ...pod,
          status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at }] },
        });
        changed = true;
        break;
      }
    }
    if (!changed) return;
  }
}

test('a new Deployment passes through the states of recording 02', async () => {
  create('web', 3);
  await settle();
  expect(statuses.slice(0, 4)).toEqual([
    '1/- 3 -/-/-/-/-',
    '1/- 3 -/-/-/-/- Progressing=NewReplicaSetCreated',
    '1/1 3 -/-/-/-/3 Progressing=NewReplicaSetCreated Available=MinimumReplicasUnavailable',
    '1/1 3 3/3/-/-/3 Available=MinimumReplicasUnavailable Progressing=ReplicaSetUpdated',
  ]);
  await runPods();
  expect(statuses.slice(4)).toEqual([
    '1/1 3 3/3/1/1/2 Available=MinimumReplicasUnavailable Progressing=ReplicaSetUpdated',
    '1/1 3 3/3/2/2/1 Available=MinimumReplicasUnavailable Progressing=ReplicaSetUpdated',
    '1/1 3 3/3/3/3/- Available=MinimumReplicasAvailable Progressing=NewReplicaSetAvailable',
  ]);
});

test('a changed template is rolled out one pod at a time and never below three available', async () => {
  create('web', 3);
  await runPods();
  statuses = [];
  setEnv('web', '2');
  await runPods();
  expect(statuses[0]).toBe('2/1 3 3/3/3/3/- Available=MinimumReplicasAvailable Progressing=NewReplicaSetAvailable');
  expect(statuses[1]).toBe('2/1 3 3/3/3/3/- Available=MinimumReplicasAvailable Progressing=NewReplicaSetCreated');
  expect(statuses.at(-1)).toBe('2/2 3 3/3/3/3/- Available=MinimumReplicasAvailable Progressing=NewReplicaSetAvailable');
  for (const line of statuses) expect(Number(line.split(' ')[2]?.split('/')[3])).toBeGreaterThanOrEqual(3);
  expect(store.list('events', 'rec').filter((event) => event.reason === 'ScalingReplicaSet').length).toBe(7);
});

test('going back to the old template brings the original ReplicaSet back with the next revision', async () => {
  create('web', 2);
  await runPods();
  const original = sets()[0] as KubeObject;
  setEnv('web', '2');
  await runPods();
  setEnv('web', '1');
  await runPods();
  const active = sets().find((set) => set.spec.replicas > 0) as KubeObject;
  expect(active.metadata.uid).toBe(original.metadata.uid);
  expect(active.metadata.annotations).toMatchObject({
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1',
  });
  expect(get().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
});

test('no write that changes nothing: a settled Deployment is quiet', async () => {
  create('web', 1);
  await runPods();
  const { resourceVersion } = get().metadata;
  edit('web', () => {});
  await settle();
  expect(get().metadata.resourceVersion).toBe(resourceVersion);
});

test('a rollout that never progresses times out, and its rollback shows the stale condition of recording 17 once', async () => {
  create('one', 1, { progressDeadlineSeconds: 1 });
  await runPods();
  setEnv('one', 'bad');
  await runPods((pod) => pod.spec.containers[0].env[0].value !== 'bad');
  await vi.waitFor(() => expect(statuses.at(-1)).toContain('Progressing=ProgressDeadlineExceeded'), {
    timeout: 5000,
    interval: 50,
  });
  statuses = [];
  setEnv('one', '1');
  await runPods();
  expect(statuses.some((line) => line.startsWith('3/3 ') && line.includes('ProgressDeadlineExceeded'))).toBe(true);
  expect(statuses.at(-1)).toContain('Progressing=NewReplicaSetAvailable');
});

test('a paused Deployment makes no ReplicaSet until it is resumed', async () => {
  create('web', 1);
  await runPods();
  edit('web', (object) => (object.spec.paused = true));
  await settle();
  setEnv('web', '2');
  await settle();
  expect(sets()).toHaveLength(1);
  expect(statuses.at(-1)).toContain('Progressing=DeploymentPaused');
  edit('web', (object) => (object.spec.paused = false));
  await runPods();
  expect(sets()).toHaveLength(2);
  expect(statuses.at(-1)).toContain('Progressing=NewReplicaSetAvailable');
});

test('Recreate starts no new pod before the last old one is gone', async () => {
  create('web', 2, { strategy: { type: 'Recreate' } });
  await runPods();
  let most = 0;
  store.watch(({ resource }) => {
    if (resource !== 'pods') return;
    const values = new Set(pods().map((pod) => pod.spec.containers[0].env[0].value));
    most = Math.max(most, values.size);
  });
  setEnv('web', '2');
  await runPods();
  expect(most).toBe(1);
  expect(statuses.at(-1)).toContain('Progressing=NewReplicaSetAvailable');
});

test('with no replicas a change is complete at once and no pod runs (recording 09)', async () => {
  create('web', 0);
  await settle();
  setEnv('web', '2');
  await settle();
  expect(pods()).toEqual([]);
  expect(statuses.at(-1)).toContain('Progressing=NewReplicaSetAvailable');
});

test('the template of a StatefulSet is replaced from the highest ordinal down, and a stuck pod blocks until it is deleted', async () => {
  const template = (value: string) => ({
    metadata: { labels: { app: 'db' } },
    spec: { containers: [{ name: 'app', image: 'nova/base:1', env: [{ name: 'A', value }] }] },
  });
  store.create('statefulsets.apps', {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'rec' },
    spec: { replicas: 2, serviceName: 'db', selector: { matchLabels: { app: 'db' } }, template: template('1') },
  });
  await runPods();
  expect(pods().map((pod) => pod.metadata.name)).toEqual(['db-0', 'db-1']);
  const change = (value: string) => {
    const object = store.get('statefulsets.apps', 'rec', 'db') as KubeObject;
    store.update('statefulsets.apps', { ...object, spec: { ...object.spec, template: template(value) } });
  };
  const good = (pod: KubeObject) => pod.spec.containers[0].env[0].value !== 'bad';
  const values = () => pods().map((pod) => pod.spec.containers[0].env[0].value);
  change('bad');
  await runPods(good);
  expect(values()).toEqual(['1', 'bad']);
  change('1');
  await runPods(good);
  expect(values()).toEqual(['1', 'bad']);
  store.delete('pods', 'rec', 'db-1');
  await runPods(good);
  expect(values()).toEqual(['1', '1']);
  const status = (store.get('statefulsets.apps', 'rec', 'db') as KubeObject).status;
  expect(status.currentRevision).toBe(status.updateRevision);
});
