/** The DaemonSet controller: one pod on each node, replaced one node at a time (pkg/controller/daemon). */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { type Revision, syncRevisions } from './controller-revisions.ts';
import { controllerOf } from './deployment.ts';
import { createEventRecorder } from './events.ts';
import { templateHash } from './hash.ts';
import { availableAt, isReady, podFromTemplate } from './pod-sets.ts';
import { createWorkQueue } from './queue.ts';
import { scaled } from './rollout.ts';

const SETS = 'daemonsets.apps';
const MANAGER = { manager: 'kube-controller-manager' };
const HASH = 'controller-revision-hash';

export function startDaemonSetController(
  store: ObjectStore,
  report: (key: string, error: unknown) => void,
): () => void {
  const events = createEventRecorder(store, 'daemonset-controller');
  const queue = createWorkQueue((key) => sync(key), report);
  const all = () => {
    for (const set of store.list(SETS)) queue.add(`${set.metadata.namespace}/${set.metadata.name}`);
  };
  const stop = store.watch(({ resource, object }) => {
    if (resource === SETS) queue.add(`${object.metadata.namespace}/${object.metadata.name}`);
    else if (resource === 'nodes') all();
    else if (resource === 'pods') {
      const owner = controllerOf(object);
      if (owner?.kind === 'DaemonSet') queue.add(`${object.metadata.namespace}/${owner.name}`);
    }
  });
  all();

  function sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const set = store.get(SETS, namespace, name);
    if (!set || set.metadata.deletionTimestamp) return;
    const { update } = syncRevisions(store, set, `${name}-${templateHash(set.spec.template)}`);
    const hash = update.name.slice(name.length + 1);
    const pods = store
      .list('pods', namespace, set.spec.selector.matchLabels)
      .filter((pod) => controllerOf(pod)?.uid === set.metadata.uid);
    // Daemon pods tolerate a closed node, so a drain leaves them.
    const nodes = store.list('nodes').map((node) => node.metadata.name);
    const on = (node: string) =>
      pods.filter((pod) => pod.spec.nodeName === node && !['Succeeded', 'Failed'].includes(pod.status?.phase));
    for (const node of nodes) if (on(node).length === 0) create(set, node, update, hash);
    roll(set, pods, nodes.length, hash);
    writeStatus(set, nodes, pods, hash);
  }

  function create(set: KubeObject, node: string, revision: Revision, hash: string): void {
    const pod = podFromTemplate(set, revision.data, {
      labels: { [HASH]: hash, 'pod-template-generation': String(set.metadata.generation ?? 1) },
    });
    pod.spec.nodeName = node;
    try {
      const created = store.create('pods', pod, MANAGER);
      events.event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    } catch (error) {
      events.event(set, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
      queue.addAfter(`${set.metadata.namespace}/${set.metadata.name}`, 1000);
    }
  }

  function roll(set: KubeObject, pods: KubeObject[], nodes: number, hash: string): void {
    if ((set.spec.updateStrategy?.type ?? 'RollingUpdate') !== 'RollingUpdate') return;
    const most = Math.max(1, scaled(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, nodes, true));
    const serving = pods.filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp);
    let down = nodes - serving.length;
    for (const pod of pods) {
      if (pod.metadata.deletionTimestamp || pod.metadata.labels?.[HASH] === hash) continue;
      // A pod that is not serving may go at any time: it costs nothing.
      if (isReady(pod) && down >= most) continue;
      if (isReady(pod)) down++;
      store.delete('pods', pod.metadata.namespace, pod.metadata.name, { uid: pod.metadata.uid });
      events.event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
    }
  }

  function writeStatus(set: KubeObject, nodes: string[], pods: KubeObject[], hash: string): void {
    const live = pods.filter((pod) => !pod.metadata.deletionTimestamp && nodes.includes(pod.spec.nodeName));
    const ready = live.filter(isReady);
    const available = ready.filter((pod) => availableAt(pod, set.spec.minReadySeconds ?? 0) <= Date.now()).length;
    const updated = live.filter((pod) => pod.metadata.labels?.[HASH] === hash).length;
    const status: Json = {
      currentNumberScheduled: new Set(live.map((pod) => pod.spec.nodeName)).size,
      numberMisscheduled: 0,
      desiredNumberScheduled: nodes.length,
      numberReady: ready.length,
      observedGeneration: set.metadata.generation,
    };
    if (updated) status.updatedNumberScheduled = updated;
    if (available) status.numberAvailable = available;
    if (nodes.length > available) status.numberUnavailable = nodes.length - available;
    if (JSON.stringify(status) !== JSON.stringify(set.status ?? {}))
      store.updateStatus(SETS, { ...set, status }, MANAGER);
  }

  return () => {
    stop();
    queue.close();
  };
}
