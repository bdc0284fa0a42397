/** The ReplicaSet controller: keeps the number of pods, reports it (pkg/controller/replicaset). */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { findCondition } from './conditions.ts';
import { controllerOf } from './deployment.ts';
import { createEventRecorder, now } from './events.ts';
import { availableAt, deletionOrder, isActive, isReady, podFromTemplate } from './pod-sets.ts';
import { createWorkQueue } from './queue.ts';

const SETS = 'replicasets.apps';
const MANAGER = { manager: 'kube-controller-manager' };

export function startReplicaSetController(
  store: ObjectStore,
  report: (key: string, error: unknown) => void,
): () => void {
  const events = createEventRecorder(store, 'replicaset-controller');
  const queue = createWorkQueue((key) => sync(key), report);
  const stop = store.watch((event) => {
    if (event.resource === SETS) queue.add(`${event.object.metadata.namespace}/${event.object.metadata.name}`);
    else if (event.resource === 'pods') {
      const owner = controllerOf(event.object);
      if (owner?.kind === 'ReplicaSet') queue.add(`${event.object.metadata.namespace}/${owner.name}`);
    }
  });
  for (const set of store.list(SETS)) queue.add(`${set.metadata.namespace}/${set.metadata.name}`);

  function sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const set = store.get(SETS, namespace, name);
    if (!set) return;
    const pods = store
      .list('pods', namespace, set.spec.selector.matchLabels)
      .filter((pod) => controllerOf(pod)?.uid === set.metadata.uid);
    const active = pods.filter(isActive);
    const terminating = pods.filter(
      (pod) => pod.metadata.deletionTimestamp && !['Succeeded', 'Failed'].includes(pod.status?.phase),
    ).length;
    const failure = set.metadata.deletionTimestamp ? undefined : manage(set, active);
    // Status is computed from the pods seen before this pass changed them: the next pass reports the new ones (recording 02).
    writeStatus(set, active, terminating, failure);
    if (failure) queue.addAfter(key, 1000);
  }

  function manage(set: KubeObject, active: KubeObject[]): { reason: string; message: string } | undefined {
    const wanted: number = set.spec.replicas ?? 1;
    for (let i = active.length; i < wanted; i++) {
      try {
        const pod = store.create('pods', podFromTemplate(set, set.spec.template), MANAGER);
        events.event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
      } catch (error) {
        const message = (error as Error).message;
        events.event(set, 'Warning', 'FailedCreate', `Error creating: ${message}`);
        return { reason: 'FailedCreate', message };
      }
    }
    if (active.length > wanted) {
      for (const pod of [...active].sort(deletionOrder).slice(0, active.length - wanted)) {
        store.delete('pods', pod.metadata.namespace, pod.metadata.name, { uid: pod.metadata.uid });
        events.event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
      }
    }
    return undefined;
  }

  function writeStatus(
    set: KubeObject,
    active: KubeObject[],
    terminating: number,
    failure: { reason: string; message: string } | undefined,
  ): void {
    const ready = active.filter(isReady);
    const minReady: number = set.spec.minReadySeconds ?? 0;
    const times = ready.map((pod) => availableAt(pod, minReady));
    const available = times.filter((at) => at <= Date.now()).length;
    const next = Math.min(...times.filter((at) => at > Date.now()));
    const labels = Object.entries(set.spec.template.metadata?.labels ?? {});
    const labelled = active.filter((pod) =>
      labels.every(([key, value]) => pod.metadata.labels?.[key] === value),
    ).length;

    const status: Json = { replicas: active.length };
    if (labelled) status.fullyLabeledReplicas = labelled;
    if (ready.length) status.readyReplicas = ready.length;
    if (available) status.availableReplicas = available;
    status.terminatingReplicas = terminating;
    status.observedGeneration = set.metadata.generation ?? 0;
    const current = findCondition(set.status, 'ReplicaFailure');
    if (failure)
      status.conditions = [
        current?.reason === failure.reason
          ? current
          : { type: 'ReplicaFailure', status: 'True', lastTransitionTime: now(), ...failure },
      ];
    if (JSON.stringify(status) !== JSON.stringify(set.status ?? {}))
      store.updateStatus(SETS, { ...set, status }, MANAGER);
    if (Number.isFinite(next)) queue.addAfter(`${set.metadata.namespace}/${set.metadata.name}`, next - Date.now() + 10);
  }

  return () => {
    stop();
    queue.close();
  };
}
