/** Whose a pod is: told by its ownerReferences, never by labels alone, which two workloads may share. */
import type { Json, KubeObject } from './types.ts';

/** The labels that controllers put on what they make of a template: Deployments, and Argo's Rollouts. */
export const HASH_LABELS = { Deployment: 'pod-template-hash', Rollout: 'rollouts-pod-template-hash' } as const;

export interface PodOwner {
  readonly kind: string;
  readonly name: string;
}

/**
 * The workload of a pod: its controller, or for a ReplicaSet the Deployment or Rollout that made it, whose name is that of the
 * ReplicaSet without the hash. Undefined for a pod of its own.
 */
export function ownerOf(pod: KubeObject): PodOwner | undefined {
  const owner = (pod.metadata.ownerReferences ?? []).find((one: Json) => one.controller);
  if (!owner) return undefined;
  const name = String(owner.name);
  if (owner.kind === 'ReplicaSet') {
    for (const [kind, label] of Object.entries(HASH_LABELS)) {
      const hash: unknown = pod.metadata.labels?.[label];
      if (typeof hash === 'string' && hash !== '' && name.endsWith(`-${hash}`))
        return { kind, name: name.slice(0, -hash.length - 1) };
    }
  }
  return { kind: String(owner.kind), name };
}

/** The uid of a pod's controller. */
export const ownerUid = (object: KubeObject): string | undefined =>
  (object.metadata.ownerReferences ?? []).find((one: Json) => one.controller)?.uid;
