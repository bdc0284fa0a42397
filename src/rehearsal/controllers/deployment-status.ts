/** The status of a Deployment, computed from its ReplicaSets (pkg/controller/deployment: sync.go, progress.go). Pure but for the clock. */
import type { Json, KubeObject } from '../contract.ts';
import { condition, findCondition, removeCondition, setCondition } from './conditions.ts';
import { now } from './events.ts';
import { count, isComplete, isProgressing, maxUnavailable, specReplicas } from './rollout.ts';

export interface Sets {
  newSet: KubeObject | undefined;
  old: KubeObject[];
}

const NO_DEADLINE = 2 ** 31 - 1;

/** A deadline of 2^31-1 seconds is none: no Progressing condition is kept then. */
export const hasDeadline = (d: KubeObject): boolean =>
  d.spec.progressDeadlineSeconds !== undefined && d.spec.progressDeadlineSeconds !== NO_DEADLINE;

/** The status of a rollout with its Progressing condition (progress.go syncRolloutStatus). */
export function rolloutStatus(d: KubeObject, sets: Sets): Json {
  const status = calculateStatus(d, sets);
  if (!hasDeadline(d)) removeCondition(status, 'Progressing');
  const current = findCondition(d.status, 'Progressing');
  const settled =
    count(status, 'replicas') === count(status, 'updatedReplicas') && current?.reason === 'NewReplicaSetAvailable';
  const subject = sets.newSet ? `ReplicaSet "${sets.newSet.metadata.name}"` : `Deployment "${d.metadata.name}"`;
  if (hasDeadline(d) && !settled) {
    if (isComplete(d, status))
      setCondition(
        status,
        condition('Progressing', 'True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`),
      );
    else if (isProgressing(d.status, status)) {
      const next = condition('Progressing', 'True', 'ReplicaSetUpdated', `${subject} is progressing.`);
      if (current) {
        if (current.status === 'True') next.lastTransitionTime = current.lastTransitionTime;
        removeCondition(status, 'Progressing');
      }
      setCondition(status, next);
    } else if (timedOut(d, status))
      setCondition(
        status,
        condition('Progressing', 'False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`),
      );
  }
  const failure = replicaFailure(sets);
  if (failure) setCondition(status, { ...failure, lastUpdateTime: now() });
  else removeCondition(status, 'ReplicaFailure');
  return status;
}

function timedOut(d: KubeObject, status: Json): boolean {
  const current = findCondition(status, 'Progressing');
  if (!current || current.reason === 'NewReplicaSetAvailable') return false;
  if (current.reason === 'ProgressDeadlineExceeded') return true;
  return (
    Date.parse(current.lastUpdateTime ?? current.lastTransitionTime) + d.spec.progressDeadlineSeconds * 1000 <
    Date.now()
  );
}

function replicaFailure({ newSet, old }: Sets) {
  for (const set of [...(newSet ? [newSet] : []), ...old]) {
    const found = findCondition(set.status, 'ReplicaFailure');
    if (found) return found;
  }
  return undefined;
}

/** Field order is that of the API type; zero integers are left out, as `omitempty` does. */
export function calculateStatus(d: KubeObject, { newSet, old }: Sets): Json {
  const all = [...old, ...(newSet ? [newSet] : [])];
  const total = (field: string) => all.reduce((sum, set) => sum + count(set.status, field), 0);
  const available = total('availableReplicas');
  const wanted = all.reduce((sum, set) => sum + specReplicas(set), 0);
  const numbers: Record<string, number> = {
    observedGeneration: d.metadata.generation ?? 0,
    replicas: total('replicas'),
    updatedReplicas: newSet ? count(newSet.status, 'replicas') : 0,
    readyReplicas: total('readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, wanted - available),
  };
  const status: Json = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== 0));
  status.terminatingReplicas = total('terminatingReplicas');
  status.conditions = [...(d.status?.conditions ?? [])];
  if (d.status?.collisionCount !== undefined) status.collisionCount = d.status.collisionCount;
  setCondition(
    status,
    available >= d.spec.replicas - maxUnavailable(d)
      ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
      : condition('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'),
  );
  return status;
}
