/** What the workload controllers share about pods. */
import type { Json, KubeObject } from '../contract.ts';
import { randomTail } from './hash.ts';

export const isActive = (pod: KubeObject): boolean =>
  !['Succeeded', 'Failed'].includes(pod.status?.phase) && !pod.metadata.deletionTimestamp;

const readyCondition = (pod: KubeObject): Json =>
  (pod.status?.conditions ?? []).find((item: Json) => item.type === 'Ready');

export const isReady = (pod: KubeObject): boolean => readyCondition(pod)?.status === 'True';

/** Milliseconds since the epoch at which a ready pod counts as available. */
export function availableAt(pod: KubeObject, minReadySeconds: number): number {
  if (minReadySeconds === 0) return 0;
  return Date.parse(readyCondition(pod)?.lastTransitionTime ?? new Date().toISOString()) + minReadySeconds * 1000;
}

/** A pod of a workload: generated name unless given, owned by it. */
export function podFromTemplate(
  owner: KubeObject,
  template: Json,
  more: { name?: string; labels?: Record<string, string> } = {},
): KubeObject {
  const generateName = `${owner.metadata.name}-`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: more.name ?? `${generateName.slice(0, 58)}${randomTail()}`,
      ...(more.name ? {} : { generateName }),
      namespace: owner.metadata.namespace,
      labels: { ...template.metadata?.labels, ...more.labels },
      ...(template.metadata?.annotations ? { annotations: { ...template.metadata.annotations } } : {}),
      ownerReferences: [
        {
          apiVersion: owner.apiVersion,
          kind: owner.kind,
          name: owner.metadata.name,
          uid: owner.metadata.uid as string,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: structuredClone(template.spec),
  };
}

const PHASES: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

/** Which pods go first when a ReplicaSet shrinks (controller_utils.go ActivePodsWithRanks). */
export function deletionOrder(a: KubeObject, b: KubeObject): number {
  const assigned = (pod: KubeObject) => (pod.spec?.nodeName ? 1 : 0);
  const phase = (pod: KubeObject) => PHASES[pod.status?.phase] ?? 0;
  const ready = (pod: KubeObject) => (isReady(pod) ? 1 : 0);
  const cost = (pod: KubeObject) =>
    Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0);
  const since = (pod: KubeObject) => readyCondition(pod)?.lastTransitionTime ?? '';
  const restarts = (pod: KubeObject) =>
    Math.max(0, ...(pod.status?.containerStatuses ?? []).map((item: Json) => item.restartCount));
  return (
    assigned(a) - assigned(b) ||
    phase(a) - phase(b) ||
    ready(a) - ready(b) ||
    cost(a) - cost(b) ||
    since(b).localeCompare(since(a)) ||
    restarts(b) - restarts(a) ||
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '')
  );
}
