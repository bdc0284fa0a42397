/** The scheduler: the next node in turn that takes pods; a pod that no node takes says so and waits. */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { createEventRecorder, type EventRecorder, now } from '../controllers/events.ts';
import { createWorkQueue } from '../controllers/queue.ts';

export function startScheduler(store: ObjectStore, report: (key: string, error: unknown) => void): () => void {
  const events: EventRecorder = createEventRecorder(store, 'default-scheduler');
  const queue = createWorkQueue(schedule, report);
  const waiting = new Set<string>();
  let turn = 0;
  const stop = store.watch(({ resource, type, object }) => {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    if (resource === 'pods') {
      if (type === 'DELETED') waiting.delete(key);
      else if (!object.spec?.nodeName && !object.metadata.deletionTimestamp && type === 'ADDED') queue.add(key);
    } else if (resource === 'nodes') for (const pod of waiting) queue.add(pod);
  });
  for (const pod of store.list('pods'))
    if (!pod.spec?.nodeName) queue.add(`${pod.metadata.namespace}/${pod.metadata.name}`);

  function schedule(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const pod = store.get('pods', namespace, name);
    if (!pod || pod.spec.nodeName || pod.metadata.deletionTimestamp) return;
    const nodes = store.list('nodes');
    const fit = nodes.filter((node) => !node.spec?.unschedulable && matches(pod, node));
    const node = fit[turn++ % Math.max(1, fit.length)];
    if (!node) {
      waiting.add(key);
      const closed = nodes.filter((item) => item.spec?.unschedulable).length;
      const apart = nodes.length - closed;
      const reasons = [
        apart ? `${apart} node(s) didn't match Pod's node affinity/selector` : '',
        closed ? `${closed} node(s) were unschedulable` : '',
      ]
        .filter(Boolean)
        .join(', ');
      const message = `0/${nodes.length} nodes are available: ${reasons}. preemption: 0/${nodes.length} nodes are available: ${nodes.length} Preemption is not helpful for scheduling.`;
      events.event(pod, 'Warning', 'FailedScheduling', message);
      bind(pod, { status: 'False', reason: 'Unschedulable', message });
      return;
    }
    waiting.delete(key);
    const bound = store.update(
      'pods',
      { ...pod, spec: { ...pod.spec, nodeName: node.metadata.name } },
      { manager: 'kube-scheduler' },
    );
    bind(bound, { status: 'True' });
    events.event(bound, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node.metadata.name}`);
  }

  function bind(pod: KubeObject, result: { status: string; reason?: string; message?: string }): void {
    const condition = {
      type: 'PodScheduled',
      observedGeneration: pod.metadata.generation ?? 1,
      lastProbeTime: null,
      lastTransitionTime: now(),
      ...result,
    };
    const current = store.get('pods', pod.metadata.namespace, pod.metadata.name) as KubeObject;
    store.updateStatus(
      'pods',
      { ...current, status: { phase: 'Pending', ...current.status, conditions: [condition] } },
      { manager: 'kube-scheduler' },
    );
  }

  return () => {
    stop();
    queue.close();
  };
}

function matches(pod: KubeObject, node: KubeObject): boolean {
  const wanted: Record<string, string> = pod.spec?.nodeSelector ?? {};
  return Object.entries(wanted).every(([key, value]) => (node.metadata.labels as Json)?.[key] === value);
}
