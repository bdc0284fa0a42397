/**
 * The Deployment controller, function by function after pkg/controller/deployment (sync.go, rolling.go, recreate.go,
 * progress.go). Each pass works on one copy of the Deployment; when the pass has written its status once, a second write
 * meets a stale resourceVersion and the key is tried again, exactly as in a real cluster.
 */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { condition, findCondition, setCondition } from './conditions.ts';
import { calculateStatus, hasDeadline, rolloutStatus, type Sets } from './deployment-status.ts';
import { createEventRecorder, type EventRecorder } from './events.ts';
import { sameTemplate, templateHash } from './hash.ts';
import { createWorkQueue, type WorkQueue } from './queue.ts';
import { annotateNewSet, maxRevision, REVISION, replicasAnnotations, setReplicasAnnotations } from './revisions.ts';
import {
  count,
  isComplete,
  isRolling,
  maxSurge,
  newReplicas,
  proportionalSizes,
  shrinkOld,
  specReplicas,
} from './rollout.ts';

const DEPLOYMENTS = 'deployments.apps';
const SETS = 'replicasets.apps';
const MANAGER = { manager: 'kube-controller-manager' };

export function startDeploymentController(
  store: ObjectStore,
  report: (key: string, error: unknown) => void,
): () => void {
  const controller = new DeploymentController(store, report);
  const stop = store.watch((event) => {
    if (event.resource === DEPLOYMENTS) controller.queue.add(keyOf(event.object));
    else if (event.resource === SETS || event.resource === 'pods')
      controller.ownerChanged(event.resource, event.object, event.type);
  });
  for (const deployment of store.list(DEPLOYMENTS)) controller.queue.add(keyOf(deployment));
  return () => {
    stop();
    controller.queue.close();
  };
}

const keyOf = (object: KubeObject): string => `${object.metadata.namespace}/${object.metadata.name}`;
export const controllerOf = (object: KubeObject) => object.metadata.ownerReferences?.find((owner) => owner.controller);

class DeploymentController {
  readonly queue: WorkQueue;
  readonly #store: ObjectStore;
  readonly #events: EventRecorder;

  constructor(store: ObjectStore, report: (key: string, error: unknown) => void) {
    this.#store = store;
    this.#events = createEventRecorder(store, 'deployment-controller');
    this.queue = createWorkQueue((key) => this.#sync(key), report);
  }

  ownerChanged(resource: string, object: KubeObject, type: string): void {
    const owner = controllerOf(object);
    if (resource === SETS) {
      if (owner?.kind === 'Deployment') this.queue.add(`${object.metadata.namespace}/${owner.name}`);
      return;
    }
    // A Recreate Deployment waits for the last old pod to be gone.
    if (type !== 'DELETED' || owner?.kind !== 'ReplicaSet') return;
    const set = this.#store.get(SETS, object.metadata.namespace, owner.name);
    const deployment = set && controllerOf(set);
    if (deployment) this.queue.add(`${object.metadata.namespace}/${deployment.name}`);
  }

  #sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const d = this.#store.get(DEPLOYMENTS, namespace, name);
    if (!d) return;
    const sets = this.#ownSets(d);
    if (d.metadata.deletionTimestamp) {
      this.#syncStatus(d, this.#split(d, sets, false));
      return;
    }
    this.#checkPaused(d);
    if (d.spec.paused || this.#isScaling(d, sets)) this.#syncScale(d, sets);
    else if (isRolling(d)) this.#roll(d, sets);
    else this.#recreate(d, sets);
  }

  #ownSets(d: KubeObject): KubeObject[] {
    return this.#store
      .list(SETS, d.metadata.namespace, d.spec.selector?.matchLabels)
      .filter((set) => controllerOf(set)?.uid === d.metadata.uid);
  }

  // ---- which ReplicaSet is the new one (sync.go getAllReplicaSetsAndSyncRevision, getNewReplicaSet)

  #split(d: KubeObject, sets: KubeObject[], create: boolean): Sets {
    const sorted = [...sets].sort(
      (a, b) =>
        (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
        a.metadata.name.localeCompare(b.metadata.name),
    );
    const found = sorted.find((set) => sameTemplate(set.spec.template, d.spec.template));
    const old = sorted.filter((set) => set !== found);
    const revision = String(maxRevision(old) + 1);
    if (found) return { newSet: this.#adopt(d, found, revision), old };
    return { newSet: create ? this.#createSet(d, old, revision) : undefined, old };
  }

  #adopt(d: KubeObject, found: KubeObject, revision: string): KubeObject {
    const changed = annotateNewSet(d, found, revision, true, maxSurge(d));
    const seconds = d.spec.minReadySeconds ?? 0;
    if (changed || (found.spec.minReadySeconds ?? 0) !== seconds) {
      if (seconds > 0) found.spec.minReadySeconds = seconds;
      else delete found.spec.minReadySeconds;
      return this.#store.update(SETS, found, MANAGER);
    }
    let dirty = setRevision(d, found.metadata.annotations?.[REVISION] ?? revision);
    if (hasDeadline(d) && !findCondition(d.status, 'Progressing')) {
      d.status ??= {};
      setCondition(
        d.status,
        condition('Progressing', 'True', 'FoundNewReplicaSet', `Found new replica set "${found.metadata.name}"`),
      );
      dirty = true;
    }
    if (dirty) this.#store.updateStatus(DEPLOYMENTS, d, MANAGER);
    return found;
  }

  #createSet(d: KubeObject, old: KubeObject[], revision: string): KubeObject | undefined {
    const hash = templateHash(d.spec.template, d.status?.collisionCount);
    const template = structuredClone(d.spec.template);
    template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, 'pod-template-hash': hash } };
    const set: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${d.metadata.name}-${hash}`,
        namespace: d.metadata.namespace,
        labels: { ...template.metadata.labels },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: d.metadata.name,
            uid: d.metadata.uid as string,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: {
        replicas: 0,
        ...(d.spec.minReadySeconds ? { minReadySeconds: d.spec.minReadySeconds } : {}),
        selector: { matchLabels: { ...d.spec.selector.matchLabels, 'pod-template-hash': hash } },
        template,
      },
    };
    set.spec.replicas = newReplicas(d, [...old, set], set);
    annotateNewSet(d, set, revision, false, maxSurge(d));

    let created: KubeObject;
    try {
      created = this.#store.create(SETS, set, MANAGER);
    } catch (error) {
      if ((error as { status?: Json }).status?.reason !== 'AlreadyExists') throw this.#createFailed(d, set, error);
      const existing = this.#store.get(SETS, d.metadata.namespace, set.metadata.name);
      if (
        existing &&
        controllerOf(existing)?.uid === d.metadata.uid &&
        sameTemplate(existing.spec.template, d.spec.template)
      )
        created = existing;
      else {
        d.status = { ...d.status, collisionCount: (d.status?.collisionCount ?? 0) + 1 };
        this.#store.updateStatus(DEPLOYMENTS, d, MANAGER);
        throw error;
      }
    }
    if (set.spec.replicas > 0)
      this.#events.event(
        d,
        'Normal',
        'ScalingReplicaSet',
        `Scaled up replica set ${created.metadata.name} from 0 to ${set.spec.replicas}`,
      );
    let dirty = setRevision(d, revision);
    if (hasDeadline(d)) {
      d.status ??= {};
      setCondition(
        d.status,
        condition('Progressing', 'True', 'NewReplicaSetCreated', `Created new replica set "${created.metadata.name}"`),
      );
      dirty = true;
    }
    // The answer of this write is not kept: the next write of the pass conflicts and the pass starts again (recording 02).
    if (dirty) this.#store.updateStatus(DEPLOYMENTS, d, MANAGER);
    return created;
  }

  #createFailed(d: KubeObject, set: KubeObject, error: unknown): unknown {
    const message = `Failed to create new replica set "${set.metadata.name}": ${(error as Error).message}`;
    if (hasDeadline(d)) {
      d.status ??= {};
      setCondition(d.status, condition('Progressing', 'False', 'ReplicaSetCreateError', message));
      this.#store.updateStatus(DEPLOYMENTS, d, MANAGER);
    }
    this.#events.event(d, 'Warning', 'ReplicaSetCreateError', message);
    return error;
  }

  // ---- rolling update and recreate

  #roll(d: KubeObject, sets: KubeObject[]): void {
    const { newSet, old } = this.#split(d, sets, true);
    if (!newSet) return;
    const all = [...old, newSet];
    if (specReplicas(newSet) !== d.spec.replicas) {
      const size = specReplicas(newSet) > d.spec.replicas ? d.spec.replicas : newReplicas(d, all, newSet);
      if (size !== specReplicas(newSet)) {
        this.#rolloutStatus(d, { newSet: this.#scale(d, newSet, size), old });
        return;
      }
    }
    const shrunk = shrinkOld(
      d,
      old.filter((set) => specReplicas(set) > 0),
      newSet,
    );
    if (shrunk.length > 0) {
      const after = old.map((set) => {
        const resize = shrunk.find((item) => item.set === set);
        return resize ? this.#scale(d, set, resize.replicas) : set;
      });
      this.#rolloutStatus(d, { newSet, old: after });
      return;
    }
    if (isComplete(d, d.status)) this.#cleanUp(d, old);
    this.#rolloutStatus(d, { newSet, old });
  }

  #recreate(d: KubeObject, sets: KubeObject[]): void {
    let { newSet, old } = this.#split(d, sets, false);
    const active = old.filter((set) => specReplicas(set) > 0);
    if (active.length > 0) {
      for (const set of active) this.#scale(d, set, 0);
      this.#rolloutStatus(d, { newSet, old });
      return;
    }
    if (this.#oldPodsRunning(d, old)) {
      this.#rolloutStatus(d, { newSet, old });
      return;
    }
    if (!newSet) ({ newSet, old } = this.#split(d, sets, true));
    if (newSet && specReplicas(newSet) !== d.spec.replicas) newSet = this.#scale(d, newSet, d.spec.replicas);
    if (isComplete(d, d.status)) this.#cleanUp(d, old);
    this.#rolloutStatus(d, { newSet, old });
  }

  #oldPodsRunning(d: KubeObject, old: KubeObject[]): boolean {
    const uids = new Set(old.map((set) => set.metadata.uid));
    return this.#store
      .list('pods', d.metadata.namespace, d.spec.selector.matchLabels)
      .some((pod) => uids.has(controllerOf(pod)?.uid) && !['Succeeded', 'Failed'].includes(pod.status?.phase));
  }

  #cleanUp(d: KubeObject, old: KubeObject[]): void {
    const limit: number | undefined = d.spec.revisionHistoryLimit;
    if (limit === undefined) return;
    const surplus = old
      .filter((set) => !set.metadata.deletionTimestamp)
      .sort(
        (a, b) => Number(a.metadata.annotations?.[REVISION] ?? 0) - Number(b.metadata.annotations?.[REVISION] ?? 0),
      );
    for (const set of surplus.slice(0, Math.max(0, surplus.length - limit))) {
      if (
        count(set.status, 'replicas') !== 0 ||
        specReplicas(set) !== 0 ||
        (set.metadata.generation ?? 0) > count(set.status, 'observedGeneration')
      )
        continue;
      this.#store.delete(SETS, set.metadata.namespace, set.metadata.name);
    }
  }

  // ---- scaling

  #isScaling(d: KubeObject, sets: KubeObject[]): boolean {
    const { newSet, old } = this.#split(d, sets, false);
    return [...old, ...(newSet ? [newSet] : [])].some((set) => {
      const desired = set.metadata.annotations?.['deployment.kubernetes.io/desired-replicas'];
      return specReplicas(set) > 0 && desired !== undefined && Number(desired) !== d.spec.replicas;
    });
  }

  #syncScale(d: KubeObject, sets: KubeObject[]): void {
    const split = this.#split(d, sets, false);
    this.#rescale(d, split);
    if (d.spec.paused) this.#cleanUp(d, split.old);
    this.#syncStatus(d, split);
  }

  #rescale(d: KubeObject, { newSet, old }: Sets): void {
    const all = [...old, ...(newSet ? [newSet] : [])];
    const active = all.filter((set) => specReplicas(set) > 0);
    const only = active.length === 0 ? (newSet ?? [...old].reverse()[0]) : active.length === 1 ? active[0] : undefined;
    if (only) {
      if (specReplicas(only) !== d.spec.replicas) this.#scale(d, only, d.spec.replicas);
      return;
    }
    if (newSet && isSaturated(d, newSet)) {
      for (const set of old) if (specReplicas(set) > 0) this.#scale(d, set, 0);
      return;
    }
    if (!isRolling(d)) return;
    for (const { set, replicas } of proportionalSizes(d, active)) this.#scale(d, set, replicas);
  }

  #scale(d: KubeObject, set: KubeObject, replicas: number): KubeObject {
    const before = specReplicas(set);
    const annotations = replicasAnnotations(d.spec.replicas, d.spec.replicas + maxSurge(d));
    if (
      before === replicas &&
      Object.entries(annotations).every(([key, value]) => set.metadata.annotations?.[key] === value)
    )
      return set;
    const copy = structuredClone(set);
    copy.spec.replicas = replicas;
    setReplicasAnnotations(copy, annotations);
    const updated = this.#store.update(SETS, copy, MANAGER);
    if (before !== replicas)
      this.#events.event(
        d,
        'Normal',
        'ScalingReplicaSet',
        `Scaled ${replicas > before ? 'up' : 'down'} replica set ${set.metadata.name} from ${before} to ${replicas}`,
      );
    return updated;
  }

  // ---- status

  #checkPaused(d: KubeObject): void {
    if (!hasDeadline(d)) return;
    const current = findCondition(d.status, 'Progressing');
    if (current?.reason === 'ProgressDeadlineExceeded') return;
    const marked = current?.reason === 'DeploymentPaused';
    if (Boolean(d.spec.paused) === marked) return;
    d.status ??= {};
    setCondition(
      d.status,
      d.spec.paused
        ? condition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused')
        : condition('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed'),
    );
    const written = this.#store.updateStatus(DEPLOYMENTS, d, MANAGER);
    d.metadata.resourceVersion = written.metadata.resourceVersion;
  }

  #syncStatus(d: KubeObject, sets: Sets): void {
    this.#writeStatus(d, calculateStatus(d, sets));
  }

  #rolloutStatus(d: KubeObject, sets: Sets): void {
    const status = rolloutStatus(d, sets);
    this.#writeStatus(d, status);
    this.#requeueStuck(d, status);
  }

  #writeStatus(d: KubeObject, status: Json): void {
    if (JSON.stringify(d.status ?? {}) === JSON.stringify(status)) return;
    this.#store.updateStatus(DEPLOYMENTS, { ...d, status }, MANAGER);
  }

  /** The deadline must be noticed although nothing happens. */
  #requeueStuck(d: KubeObject, status: Json): void {
    const current = findCondition(status, 'Progressing');
    if (!hasDeadline(d) || !current || isComplete(d, status) || current.reason === 'ProgressDeadlineExceeded') return;
    const due =
      Date.parse(current.lastUpdateTime ?? current.lastTransitionTime) + d.spec.progressDeadlineSeconds * 1000;
    this.queue.addAfter(keyOf(d), Math.max(1000, due - Date.now() + 1000));
  }
}

function setRevision(d: KubeObject, revision: string): boolean {
  if (d.metadata.annotations?.[REVISION] === revision) return false;
  d.metadata.annotations = { ...d.metadata.annotations, [REVISION]: revision };
  return true;
}

function isSaturated(d: KubeObject, set: KubeObject): boolean {
  return (
    specReplicas(set) === d.spec.replicas &&
    Number(set.metadata.annotations?.['deployment.kubernetes.io/desired-replicas']) === d.spec.replicas &&
    count(set.status, 'availableReplicas') === d.spec.replicas
  );
}
