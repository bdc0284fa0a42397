/**
 * The StatefulSet controller (pkg/controller/statefulset/stateful_set_control.go): ordinals, revisions, one pod at a time
 * under OrderedReady. As in a real cluster a pod that never becomes Ready blocks everything behind it, a reverted template
 * included, until somebody deletes it (k/k#67250).
 */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { type Revisions, syncRevisions } from './controller-revisions.ts';
import { controllerOf } from './deployment.ts';
import { createEventRecorder } from './events.ts';
import { templateHash } from './hash.ts';
import { availableAt, isReady, podFromTemplate } from './pod-sets.ts';
import { createWorkQueue } from './queue.ts';

const SETS = 'statefulsets.apps';
const MANAGER = { manager: 'kube-controller-manager' };
const HASH = 'controller-revision-hash';

export function startStatefulSetController(
  store: ObjectStore,
  report: (key: string, error: unknown) => void,
): () => void {
  const events = createEventRecorder(store, 'statefulset-controller');
  const queue = createWorkQueue((key) => sync(key), report);
  const stop = store.watch(({ resource, object }) => {
    if (resource === SETS) queue.add(`${object.metadata.namespace}/${object.metadata.name}`);
    else if (resource === 'pods') {
      const owner = controllerOf(object);
      if (owner?.kind === 'StatefulSet') queue.add(`${object.metadata.namespace}/${owner.name}`);
    }
  });
  for (const set of store.list(SETS)) queue.add(`${set.metadata.namespace}/${set.metadata.name}`);

  function sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const set = store.get(SETS, namespace, name);
    if (!set || set.metadata.deletionTimestamp) return;
    const hash = `${name}-${templateHash(set.spec.template)}`;
    const revisions = syncRevisions(store, set, hash);
    const pods = store
      .list('pods', namespace, set.spec.selector.matchLabels)
      .filter((pod) => controllerOf(pod)?.uid === set.metadata.uid);
    try {
      act(set, revisions, pods);
    } finally {
      // Also when a pod was refused: what is there is told all the same.
      writeStatus(set, revisions, pods, key);
    }
  }

  /** One step at most under OrderedReady. */
  function act(set: KubeObject, revisions: Revisions, pods: KubeObject[]): void {
    const wanted: number = set.spec.replicas ?? 1;
    const first: number = set.spec.ordinals?.start ?? 0;
    const parallel = set.spec.podManagementPolicy === 'Parallel';
    const partition: number = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    const byOrdinal = new Map(pods.map((pod) => [ordinalOf(pod), pod]));
    const healthy = (pod: KubeObject | undefined) =>
      pod !== undefined &&
      isReady(pod) &&
      !pod.metadata.deletionTimestamp &&
      availableAt(pod, set.spec.minReadySeconds ?? 0) <= Date.now();

    for (let ordinal = first; ordinal < first + wanted; ordinal++) {
      const pod = byOrdinal.get(ordinal);
      if (!pod) {
        const old = ordinal - first < partition ? revisions.current : revisions.update;
        create(set, ordinal, old.data, old.name);
        if (!parallel) return;
      } else if (['Failed', 'Succeeded'].includes(pod.status?.phase) && !pod.metadata.deletionTimestamp) {
        remove(set, pod);
        return;
      } else if (!parallel && !healthy(pod)) return;
    }
    const surplus = pods
      .filter((pod) => ordinalOf(pod) >= first + wanted || ordinalOf(pod) < first)
      .sort((a, b) => ordinalOf(b) - ordinalOf(a));
    for (const pod of surplus) {
      if (!pod.metadata.deletionTimestamp) remove(set, pod);
      if (!parallel) return;
    }
    if ((set.spec.updateStrategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return;
    for (let ordinal = first + wanted - 1; ordinal >= first + partition; ordinal--) {
      const pod = byOrdinal.get(ordinal);
      if (!pod) return;
      if (pod.metadata.labels?.[HASH] !== revisions.update.name && !pod.metadata.deletionTimestamp) {
        remove(set, pod);
        return;
      }
      if (!healthy(pod)) return;
    }
  }

  function create(set: KubeObject, ordinal: number, template: Json, revision: string): void {
    const name = `${set.metadata.name}-${ordinal}`;
    const pod = podFromTemplate(set, template, {
      name,
      labels: {
        [HASH]: revision,
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal),
      },
    });
    pod.spec.hostname = name;
    if (set.spec.serviceName) pod.spec.subdomain = set.spec.serviceName;
    try {
      store.create('pods', pod, MANAGER);
      events.event(
        set,
        'Normal',
        'SuccessfulCreate',
        `create Pod ${name} in StatefulSet ${set.metadata.name} successful`,
      );
    } catch (error) {
      if ((error as { code?: number }).code === 409) return;
      events.event(
        set,
        'Warning',
        'FailedCreate',
        `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${(error as Error).message}`,
      );
      throw error;
    }
  }

  function remove(set: KubeObject, pod: KubeObject): void {
    store.delete('pods', pod.metadata.namespace, pod.metadata.name, { uid: pod.metadata.uid });
    events.event(
      set,
      'Normal',
      'SuccessfulDelete',
      `delete Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} successful`,
    );
  }

  function writeStatus(set: KubeObject, revisions: Revisions, pods: KubeObject[], key: string): void {
    const live = pods.filter((pod) => !pod.metadata.deletionTimestamp);
    const of = (revision: string) => live.filter((pod) => pod.metadata.labels?.[HASH] === revision).length;
    const ready = live.filter(isReady);
    const minReady: number = set.spec.minReadySeconds ?? 0;
    const available = ready.filter((pod) => availableAt(pod, minReady) <= Date.now()).length;
    if (available < ready.length) queue.addAfter(key, 1000);
    const updated = of(revisions.update.name);
    const partition: number = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    const settled =
      partition === 0 &&
      updated === live.length &&
      live.length === (set.spec.replicas ?? 1) &&
      ready.length === live.length;
    const current = settled ? revisions.update.name : revisions.current.name;
    const status: Json = { observedGeneration: set.metadata.generation, replicas: pods.length };
    if (ready.length) status.readyReplicas = ready.length;
    const currents = of(current);
    if (currents) status.currentReplicas = currents;
    if (updated) status.updatedReplicas = updated;
    status.currentRevision = current;
    status.updateRevision = revisions.update.name;
    status.collisionCount = set.status?.collisionCount ?? 0;
    status.availableReplicas = available;
    if (JSON.stringify(status) !== JSON.stringify(set.status ?? {}))
      store.updateStatus(SETS, { ...set, status }, MANAGER);
  }

  return () => {
    stop();
    queue.close();
  };
}

const ordinalOf = (pod: KubeObject): number => Number(pod.metadata.name.slice(pod.metadata.name.lastIndexOf('-') + 1));
