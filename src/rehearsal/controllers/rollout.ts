/**
 * The arithmetic of a rolling update, after pkg/controller/deployment/util/deployment_util.go and rolling.go. Pure: numbers
 * and objects in, numbers out.
 */
import type { Json, KubeObject } from '../contract.ts';

/** `25%` of `total`, or the number itself. */
export function scaled(value: number | string | undefined, total: number, roundUp: boolean): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const percent = Number.parseInt(value, 10);
  if (!value.endsWith('%')) return percent;
  return roundUp ? Math.ceil((total * percent) / 100) : Math.floor((total * percent) / 100);
}

export const isRolling = (deployment: KubeObject): boolean =>
  (deployment.spec.strategy?.type ?? 'RollingUpdate') === 'RollingUpdate';

/** Surge rounds up, unavailable rounds down; when both are 0 one pod may be unavailable. */
export function fenceposts(deployment: KubeObject): { surge: number; unavailable: number } {
  const rolling = deployment.spec.strategy?.rollingUpdate ?? {};
  const desired: number = deployment.spec.replicas;
  const surge = scaled(rolling.maxSurge ?? '25%', desired, true);
  const unavailable = scaled(rolling.maxUnavailable ?? '25%', desired, false);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

export function maxSurge(deployment: KubeObject): number {
  return isRolling(deployment) ? fenceposts(deployment).surge : 0;
}

export function maxUnavailable(deployment: KubeObject): number {
  if (!isRolling(deployment) || deployment.spec.replicas === 0) return 0;
  return Math.min(fenceposts(deployment).unavailable, deployment.spec.replicas);
}

const specReplicas = (rs: KubeObject): number => rs.spec.replicas ?? 0;
const available = (rs: KubeObject): number => rs.status?.availableReplicas ?? 0;
const sum = (sets: readonly KubeObject[], of: (rs: KubeObject) => number): number =>
  sets.reduce((total, rs) => total + of(rs), 0);

/** How many replicas the new ReplicaSet should have now (NewRSNewReplicas). */
export function newReplicas(deployment: KubeObject, all: readonly KubeObject[], newSet: KubeObject): number {
  const desired: number = deployment.spec.replicas;
  if (!isRolling(deployment)) return desired;
  const surge = scaled(deployment.spec.strategy?.rollingUpdate?.maxSurge ?? '25%', desired, true);
  const current = sum(all, specReplicas);
  if (current >= desired + surge) return specReplicas(newSet);
  return specReplicas(newSet) + Math.min(desired + surge - current, desired - specReplicas(newSet));
}

export interface Resize {
  set: KubeObject;
  replicas: number;
}

const oldestFirst = (a: KubeObject, b: KubeObject): number =>
  (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
  a.metadata.name.localeCompare(b.metadata.name);

/** Which old ReplicaSets shrink in this pass (reconcileOldReplicaSets): unhealthy replicas first, then the oldest set's. */
export function shrinkOld(deployment: KubeObject, old: readonly KubeObject[], newSet: KubeObject): Resize[] {
  const oldPods = sum(old, specReplicas);
  if (oldPods === 0) return [];
  const minAvailable = deployment.spec.replicas - maxUnavailable(deployment);
  const newUnavailable = specReplicas(newSet) - available(newSet);
  const most = oldPods + specReplicas(newSet) - minAvailable - newUnavailable;
  if (most <= 0) return [];

  const sizes = new Map<KubeObject, number>(old.map((set) => [set, specReplicas(set)]));
  let cleaned = 0;
  for (const set of [...old].sort(oldestFirst)) {
    if (cleaned >= most) break;
    if (specReplicas(set) === 0 || specReplicas(set) === available(set)) continue;
    const count = Math.min(most - cleaned, specReplicas(set) - available(set));
    sizes.set(set, specReplicas(set) - count);
    cleaned += count;
  }
  const availablePods = sum(old, available) + available(newSet);
  let spare = availablePods - minAvailable;
  for (const set of [...old].sort(oldestFirst)) {
    if (spare <= 0) break;
    const size = sizes.get(set) ?? 0;
    const count = Math.min(size, spare);
    sizes.set(set, size - count);
    spare -= count;
  }
  return [...sizes]
    .filter(([set, replicas]) => replicas !== specReplicas(set))
    .map(([set, replicas]) => ({ set, replicas }));
}

/** Proportional scaling in the middle of a rollout (sync.go scale). */
export function proportionalSizes(deployment: KubeObject, active: readonly KubeObject[]): Resize[] {
  const allowed = deployment.spec.replicas > 0 ? deployment.spec.replicas + maxSurge(deployment) : 0;
  const toAdd = allowed - sum(active, specReplicas);
  const bySize = [...active].sort(
    (a, b) => specReplicas(b) - specReplicas(a) || (toAdd > 0 ? oldestFirst(b, a) : oldestFirst(a, b)),
  );
  let added = 0;
  const sizes = bySize.map((set) => {
    if (toAdd === 0) return { set, replicas: specReplicas(set) };
    const share = proportion(deployment, set, toAdd, added);
    added += share;
    return { set, replicas: specReplicas(set) + share };
  });
  const first = sizes[0];
  if (first && toAdd !== 0) first.replicas = Math.max(0, first.replicas + toAdd - added);
  return sizes;
}

function proportion(deployment: KubeObject, set: KubeObject, toAdd: number, added: number): number {
  if (specReplicas(set) === 0 || toAdd === 0 || toAdd === added) return 0;
  const annotated =
    Number(set.metadata.annotations?.['deployment.kubernetes.io/max-replicas'] ?? deployment.spec.replicas) ||
    deployment.spec.replicas;
  const wanted = deployment.spec.replicas + maxSurge(deployment);
  const fraction = Math.round((specReplicas(set) * wanted) / annotated) - specReplicas(set);
  const left = toAdd - added;
  return toAdd > 0 ? Math.min(fraction, left) : Math.max(fraction, left);
}

/** Deployment status fields that may be absent mean 0. */
export const count = (status: Json, field: string): number => status?.[field] ?? 0;

export function isComplete(deployment: KubeObject, status: Json): boolean {
  const desired = deployment.spec.replicas;
  return (
    count(status, 'updatedReplicas') === desired &&
    count(status, 'replicas') === desired &&
    count(status, 'availableReplicas') === desired &&
    count(status, 'observedGeneration') >= (deployment.metadata.generation ?? 0)
  );
}

export function isProgressing(before: Json, after: Json): boolean {
  const oldOnes = (status: Json) => count(status, 'replicas') - count(status, 'updatedReplicas');
  return (
    count(after, 'updatedReplicas') > count(before, 'updatedReplicas') ||
    oldOnes(after) < oldOnes(before) ||
    count(after, 'readyReplicas') > count(before, 'readyReplicas') ||
    count(after, 'availableReplicas') > count(before, 'availableReplicas')
  );
}

export { specReplicas };
