/**
 * Deletion: grace periods of pods, preconditions, finalizers, propagation to what an object owned, namespaces with their contents
 * (apiserver `registry/generic/registry/store.go`, the garbage collector and the namespace controller in one).
 */
import type { DeleteOptions, KubeObject, StoreEvent } from '../contract.ts';
import { definitionOf } from './catalogue.ts';
import { conflict, failure, notFound } from './errors.ts';
import { copy } from './registry/canonical.ts';
import { orderedMeta } from './registry/metadata.ts';

/** What deletion needs of the store around it. */
export interface DeletionContext {
  tables: ReadonlyMap<string, Map<string, KubeObject>>;
  table: (resource: string) => Map<string, KubeObject>;
  key: (namespace: string | undefined, name: string) => string;
  commit: (type: StoreEvent['type'], resource: string, object: KubeObject, old?: KubeObject) => void;
  clock: () => Date;
  /** Gives back what an object held, such as a ClusterIP. */
  release: (object: KubeObject) => void;
}

export interface Deletion {
  /** Takes an object out at once; what it owned follows in a microtask. */
  remove(resource: string, current: KubeObject, last?: KubeObject): void;
  deleteObject(
    resource: string,
    namespace: string | undefined,
    name: string,
    options?: DeleteOptions & { dryRun?: boolean },
  ): KubeObject;
}

export function createDeletion({ tables, table, key, commit, clock, release }: DeletionContext): Deletion {
  const timestamp = (): string => `${clock().toISOString().slice(0, 19)}Z`;

  function remove(resource: string, current: KubeObject, last: KubeObject = copy(current)): void {
    commit('DELETED', resource, last, current);
    release(current);
    if (resource === 'namespaces') return;
    queueMicrotask(() => {
      collectGarbage(current);
      finishOwners(current);
      finishNamespace(current.metadata.namespace);
    });
  }

  /** Deletes what only the removed object owned. */
  function collectGarbage(owner: KubeObject): void {
    for (const [resource, objects] of tables) {
      for (const object of [...objects.values()]) {
        const owners = object.metadata.ownerReferences;
        if (owners === undefined || !owners.some((one) => one.uid === owner.metadata.uid)) continue;
        if (owners.some((one) => one.uid !== owner.metadata.uid)) {
          const next = copy(object);
          next.metadata.ownerReferences = owners.filter((one) => one.uid !== owner.metadata.uid);
          commit('MODIFIED', resource, next, object);
        } else if (object.metadata.deletionTimestamp === undefined) {
          deleteObject(resource, object.metadata.namespace, object.metadata.name, { propagationPolicy: 'Background' });
        }
      }
    }
  }

  /** Ends the foreground deletion of owners whose last blocking dependent is gone. */
  function finishOwners(gone: KubeObject): void {
    for (const reference of gone.metadata.ownerReferences ?? []) {
      for (const [resource, objects] of tables) {
        for (const owner of objects.values()) {
          if (owner.metadata.uid !== reference.uid || !owner.metadata.finalizers?.includes('foregroundDeletion'))
            continue;
          if (!hasBlockingDependents(reference.uid)) dropFinalizer(resource, owner, 'foregroundDeletion');
        }
      }
    }
  }

  function hasBlockingDependents(uid: string): boolean {
    for (const objects of tables.values()) {
      for (const object of objects.values()) {
        if (object.metadata.ownerReferences?.some((one) => one.uid === uid && one.blockOwnerDeletion === true))
          return true;
      }
    }
    return false;
  }

  function dropFinalizer(resource: string, object: KubeObject, finalizer: string): void {
    const next = copy(object);
    const rest = (next.metadata.finalizers ?? []).filter((one) => one !== finalizer);
    if (rest.length > 0) {
      next.metadata.finalizers = rest;
      commit('MODIFIED', resource, next, object);
    } else {
      delete next.metadata.finalizers;
      remove(resource, object, next);
    }
  }

  function finishNamespace(name: string | undefined): void {
    const namespace = name === undefined ? undefined : table('namespaces').get(key(undefined, name));
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    for (const objects of tables.values()) {
      for (const object of objects.values()) if (object.metadata.namespace === name) return;
    }
    remove('namespaces', namespace);
  }

  function deleteObject(
    resource: string,
    namespace: string | undefined,
    name: string,
    preconditions: DeleteOptions & { dryRun?: boolean } = {},
  ): KubeObject {
    const definition = definitionOf(resource);
    const current = table(resource).get(key(definition.namespaced ? namespace : undefined, name));
    if (current === undefined) throw notFound(definition, name);
    const { uid, resourceVersion } = preconditions;
    if (uid !== undefined && uid !== current.metadata.uid) {
      throw conflict(
        definition,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
      );
    }
    if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
      throw conflict(
        definition,
        name,
        `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${current.metadata.resourceVersion}`,
      );
    }
    const grace = gracePeriod(resource, current, preconditions.gracePeriodSeconds);
    if (preconditions.dryRun) return copy(current);
    if (resource === 'namespaces') return deleteNamespace(current);
    const finalizers = [...(current.metadata.finalizers ?? [])];
    const policy = preconditions.propagationPolicy ?? 'Background';
    if (policy === 'Orphan') orphanDependents(current);
    if (policy === 'Foreground' && hasDependents(current.metadata.uid as string)) {
      if (!finalizers.includes('foregroundDeletion')) finalizers.push('foregroundDeletion');
    }
    if (grace === 0 && finalizers.length === 0) {
      const last = copy(current);
      remove(resource, current, last);
      return copy(last);
    }
    const already = current.metadata.deletionTimestamp !== undefined;
    if (already && grace >= (current.metadata.deletionGracePeriodSeconds ?? 0)) return copy(current);
    const next = copy(current);
    const at = new Date(clock().getTime() + grace * 1000);
    next.metadata.deletionTimestamp = `${at.toISOString().slice(0, 19)}Z`;
    next.metadata.deletionGracePeriodSeconds = grace;
    if (next.metadata.generation !== undefined && !already) next.metadata.generation += 1;
    if (finalizers.length > 0) next.metadata.finalizers = finalizers;
    next.metadata = orderedMeta(next.metadata);
    commit('MODIFIED', resource, next, current);
    if (policy === 'Foreground') deleteDependents(current.metadata.uid as string);
    return copy(next);
  }

  /** Pods on a node get their grace period; everything else goes at once. */
  function gracePeriod(resource: string, current: KubeObject, wanted: number | undefined): number {
    if (resource !== 'pods') return 0;
    const phase = current.status?.phase;
    if (current.spec?.nodeName === undefined || phase === 'Succeeded' || phase === 'Failed') return 0;
    return wanted ?? current.spec?.terminationGracePeriodSeconds ?? 30;
  }

  function dependents(uid: string): [string, KubeObject][] {
    const found: [string, KubeObject][] = [];
    for (const [resource, objects] of tables) {
      for (const object of objects.values()) {
        if (object.metadata.ownerReferences?.some((one) => one.uid === uid)) found.push([resource, object]);
      }
    }
    return found;
  }
  const hasDependents = (uid: string): boolean => dependents(uid).length > 0;

  function deleteDependents(uid: string): void {
    for (const [resource, object] of dependents(uid)) {
      deleteObject(resource, object.metadata.namespace, object.metadata.name, { propagationPolicy: 'Foreground' });
    }
  }

  function orphanDependents(owner: KubeObject): void {
    for (const [resource, object] of dependents(owner.metadata.uid as string)) {
      const next = copy(object);
      const rest = (next.metadata.ownerReferences ?? []).filter((one) => one.uid !== owner.metadata.uid);
      if (rest.length === 0) delete next.metadata.ownerReferences;
      else next.metadata.ownerReferences = rest;
      commit('MODIFIED', resource, next, object);
    }
  }

  function deleteNamespace(current: KubeObject): KubeObject {
    const name = current.metadata.name;
    if (['default', 'kube-system', 'kube-public', 'kube-node-lease'].includes(name)) {
      throw failure(403, 'Forbidden', `namespaces "${name}" is forbidden: this namespace may not be deleted`, {
        name,
        kind: 'namespaces',
      });
    }
    if (current.metadata.deletionTimestamp !== undefined) return copy(current);
    const next = copy(current);
    next.metadata.deletionTimestamp = timestamp();
    next.status = { ...next.status, phase: 'Terminating' };
    commit('MODIFIED', 'namespaces', next, current);
    queueMicrotask(() => {
      for (const [resource, objects] of tables) {
        for (const object of [...objects.values()]) {
          if (object.metadata.namespace !== name || !objects.has(key(name, object.metadata.name))) continue;
          deleteObject(resource, name, object.metadata.name);
        }
      }
      finishNamespace(name);
    });
    return copy(next);
  }

  return { remove, deleteObject };
}
