/** The annotations by which Deployment and ReplicaSets keep their revisions (deployment_util.go SetNewReplicaSetAnnotations). */
import type { KubeObject } from '../contract.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const MAX = 'deployment.kubernetes.io/max-replicas';

/** Never copied from a Deployment to its ReplicaSets. */
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  HISTORY,
  DESIRED,
  MAX,
  'deprecated.deployment.rollback.to',
]);

export const maxRevision = (sets: readonly KubeObject[]): number =>
  sets.reduce((max, set) => Math.max(max, Number(set.metadata.annotations?.[REVISION] ?? 0)), 0);

export const replicasAnnotations = (desired: number, max: number): Record<string, string> => ({
  [DESIRED]: String(desired),
  [MAX]: String(max),
});

export function setReplicasAnnotations(set: KubeObject, annotations: Record<string, string>): void {
  set.metadata.annotations = { ...set.metadata.annotations, ...annotations };
}

/** Brings a ReplicaSet's annotations up to date; true when one changed. The Deployment's annotations are copied and never removed again. */
export function annotateNewSet(
  deployment: KubeObject,
  set: KubeObject,
  revision: string,
  exists: boolean,
  surge: number,
): boolean {
  const annotations = { ...set.metadata.annotations };
  let changed = false;
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (NOT_COPIED.has(key) || annotations[key] === value) continue;
    annotations[key] = value;
    changed = true;
  }
  const before = annotations[REVISION];
  if (Number(before ?? 0) < Number(revision)) {
    annotations[REVISION] = revision;
    changed = true;
    if (before !== undefined)
      annotations[HISTORY] = annotations[HISTORY] ? `${annotations[HISTORY]},${before}` : before;
  }
  if (!exists) {
    Object.assign(annotations, replicasAnnotations(deployment.spec.replicas, deployment.spec.replicas + surge));
    changed = true;
  }
  if (changed) set.metadata.annotations = annotations;
  return changed;
}
