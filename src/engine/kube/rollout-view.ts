/** What a moment of a rollout looks like: the workload, the target revision, its pods and the others. Pure. */

import { sanitiseLine } from '../sanitise.ts';
import { fingerprint, templateOf } from './fingerprint.ts';
import { HASH_LABELS, ownerOf, ownerUid } from './owners.ts';
import type { Json, KubeObject } from './types.ts';
import type { PodInfo, TemplateMatch } from './workload-types.ts';

export interface RolloutObjects {
  readonly workload: KubeObject | undefined;
  /** Of the namespace; those of other workloads are sorted out here. */
  readonly replicaSets: Iterable<KubeObject>;
  readonly pods: Iterable<KubeObject>;
}

export interface RolloutView {
  readonly workload: KubeObject;
  readonly side: ReturnType<TemplateMatch>;
  readonly observed: boolean;
  readonly desired: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  readonly total: number;
  /** The kind's own rule says: done (old pods may still terminate). */
  readonly settled: boolean;
  readonly target?: { readonly name: string; readonly uid?: string };
  readonly newPods: readonly KubeObject[];
  /** Pods of other revisions that still run or terminate. */
  readonly oldPods: readonly KubeObject[];
}

const owns = (object: KubeObject, uid: string): boolean =>
  (object.metadata.ownerReferences ?? []).some((o: Json) => o.uid === uid);

const isTerminal = (pod: KubeObject): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** What the controller counts. */
const replicasOf = (desired: number, status: Json) => ({
  desired,
  updated: status.updatedReplicas ?? 0,
  ready: status.readyReplicas ?? 0,
  available: status.availableReplicas ?? 0,
  total: status.replicas ?? 0,
});

export function viewOf(objects: RolloutObjects, match: TemplateMatch): RolloutView | undefined {
  const workload = objects.workload;
  if (!workload) return undefined;
  const spec = workload.spec ?? {};
  const status = workload.status ?? {};
  const side = match(templateOf(workload));
  const observed =
    String(status.observedGeneration ?? 0) === String(workload.metadata.generation) ||
    Number(status.observedGeneration ?? 0) > Number(workload.metadata.generation);
  const living = [...objects.pods].filter((pod) => !isTerminal(pod));
  const own = living.filter((pod) => owns(pod, workload.metadata.uid));
  const common = { workload, side, observed };
  switch (workload.kind) {
    case 'StatefulSet': {
      const desired: number = spec.replicas ?? 1;
      const revision: string | undefined = observed ? status.updateRevision : undefined;
      const isNew = (p: KubeObject) =>
        revision !== undefined && p.metadata.labels?.['controller-revision-hash'] === revision;
      const numbers = replicasOf(desired, status);
      // kubectl's own rule looks at readyReplicas and forgets minReadySeconds; ours does not.
      const settled =
        observed &&
        revision !== undefined &&
        status.currentRevision === revision &&
        numbers.available === desired &&
        numbers.total === desired &&
        (numbers.updated === desired || own.filter(isNew).length === desired);
      return {
        ...common,
        ...numbers,
        settled,
        ...(revision ? { target: { name: revision } } : {}),
        newPods: own.filter(isNew),
        oldPods: own.filter((p) => !isNew(p)),
      };
    }
    case 'DaemonSet': {
      const desired: number = status.desiredNumberScheduled ?? 0;
      // Its status names no revision: the pod's own entries tell.
      const isNew = (p: KubeObject) => match({ spec: p.spec }) === 'target';
      const numbers = {
        desired,
        updated: status.updatedNumberScheduled ?? 0,
        ready: status.numberReady ?? 0,
        available: status.numberAvailable ?? 0,
        total: status.currentNumberScheduled ?? 0,
      };
      return {
        ...common,
        ...numbers,
        settled: observed && numbers.updated >= desired && numbers.available >= desired,
        newPods: own.filter(isNew),
        oldPods: own.filter((p) => !isNew(p)),
      };
    }
    default: {
      // Deployment and Argo Rollout: pods belong to ReplicaSets.
      const desired: number = spec.replicas ?? 1;
      const sets = [...objects.replicaSets].filter((rs) => owns(rs, workload.metadata.uid));
      const target = targetSet(workload, sets, observed);
      const mine = living.filter((pod) => isOfSets(pod, workload, sets, objects.replicaSets));
      const targetUid: string | undefined = target?.metadata.uid;
      const isNew = (p: KubeObject) => targetUid !== undefined && owns(p, targetUid);
      const numbers = replicasOf(desired, status);
      const settled =
        workload.kind === 'Rollout'
          ? observed && status.phase === 'Healthy' && status.stableRS === status.currentPodHash
          : observed &&
            target !== undefined &&
            numbers.updated >= desired &&
            numbers.total <= numbers.updated &&
            numbers.available >= numbers.updated;
      return {
        ...common,
        ...numbers,
        settled,
        ...(target ? { target: { name: target.metadata.name, uid: target.metadata.uid } } : {}),
        newPods: mine.filter(isNew),
        oldPods: mine.filter((p) => !isNew(p)),
      };
    }
  }
}

/**
 * Is this pod one of the workload's ReplicaSets'? Labels don't tell: another workload, or a pod of its own, may have the same.
 * A ReplicaSet that is not there (made a moment ago, or taken out of a short history while its pods end) is told by its name.
 */
function isOfSets(
  pod: KubeObject,
  workload: KubeObject,
  sets: readonly KubeObject[],
  all: Iterable<KubeObject>,
): boolean {
  const uid = ownerUid(pod);
  if (uid === undefined) return false;
  if (sets.some((rs) => rs.metadata.uid === uid)) return true;
  for (const rs of all) if (rs.metadata.uid === uid) return false;
  const owner = ownerOf(pod);
  return owner?.kind === workload.kind && owner.name === workload.metadata.name;
}

/**
 * The ReplicaSet of the live template: equal template, the hash label aside; the oldest wins, as in the controller. A
 * Rollout's may carry labels and annotations of its canary beside: its status names the one that it works towards.
 */
function targetSet(workload: KubeObject, sets: readonly KubeObject[], observed = true): KubeObject | undefined {
  const wanted = fingerprint(templateOf(workload));
  const equal = sets
    .filter((rs) => fingerprint(rs.spec?.template) === wanted)
    .sort((a, b) => String(a.metadata.creationTimestamp).localeCompare(String(b.metadata.creationTimestamp)))[0];
  if (equal || workload.kind !== 'Rollout' || !observed) return equal;
  const hash: unknown = workload.status?.currentPodHash;
  return sets.find((rs) => hash !== undefined && rs.metadata.labels?.[HASH_LABELS.Rollout] === hash);
}

export const isReady = (pod: KubeObject): boolean =>
  (pod.status?.conditions ?? []).some((c: Json) => c.type === 'Ready' && c.status === 'True') &&
  !pod.metadata.deletionTimestamp;

export function podInfo(pod: KubeObject): PodInfo {
  const statuses: Json[] = pod.status?.containerStatuses ?? [];
  return {
    name: String(pod.metadata.name),
    uid: pod.metadata.uid,
    ...(pod.status?.podIP ? { ip: pod.status.podIP } : {}),
    ...(pod.spec?.nodeName ? { node: pod.spec.nodeName } : {}),
    ready: isReady(pod),
    phase: sanitiseLine(pod.status?.phase ?? 'Unknown', 40),
    restarts: statuses.reduce((n, s) => n + (s.restartCount ?? 0), 0),
    ...(pod.status?.startTime ? { startedAt: pod.status.startTime } : {}),
    terminating: Boolean(pod.metadata.deletionTimestamp),
  };
}

/** How long a pod took from creation to Ready, ms (whole seconds: the API has no more); `undefined` when it never was. */
export function startupMs(pod: KubeObject): number | undefined {
  const ready = (pod.status?.conditions ?? []).find((c: Json) => c.type === 'Ready' && c.status === 'True');
  if (!ready) return undefined;
  const ms = Date.parse(ready.lastTransitionTime) - Date.parse(pod.metadata.creationTimestamp);
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}
