/**
 * The objects of the rehearsal cluster and the rules of a registry around them: one resourceVersion over all kinds, uid,
 * generation, defaults, validation, immutability, managedFields, graceful deletion, garbage collection by owner. A write that
 * changes nothing keeps the resourceVersion and makes no event (kubernetes.io: "optimistic concurrency", apiserver `registry/generic`).
 */
import { randomUUID } from 'node:crypto';
import type { Json, KubeObject, ObjectStore, StoreEvent, WriteOptions } from '../contract.ts';
import { definitionOf, groupVersion, type ResourceDefinition } from './catalogue.ts';
import { createDeletion } from './deletion.ts';
import { alreadyExists, badRequest, conflict, forbidden, invalid, invalidValue, notFound } from './errors.ts';
import { trackUpdate } from './patch/managed-fields.ts';
import { createAddresses } from './registry/addresses.ts';
import { copy, decode, same } from './registry/canonical.ts';
import { applyDefaults } from './registry/defaults.ts';
import { nextGeneration, takeStatus } from './registry/generation.ts';
import { orderedMeta } from './registry/metadata.ts';
import { refusedBySecurity, securityWarning } from './registry/pod-security.ts';
import { exceededQuota } from './registry/quota.ts';
import { validate } from './registry/validate.ts';
import { validateUpdate } from './registry/validate-update.ts';

export interface StoreOptions {
  /** The cluster's time; the wall clock unless given. */
  clock?: () => Date;
  /** Namespaces that exist from the start beside `default` and the `kube-` ones. */
  namespaces?: readonly string[];
  /** Changes kept for watches that start in the past; older starts get 410. */
  history?: number;
}

/** A write through the API: who, through which subresource, how strict. */
export interface ApiWrite extends WriteOptions {
  subresource?: 'status' | 'scale';
  /** `fieldValidation=Strict`: unknown fields are refused with 400. */
  strict?: boolean;
  /** Takes note of each unknown field that was dropped (`fieldValidation=Warn`, the default of the API). */
  warn?: (message: string) => void;
  /** Replaces `managedFields` as computed, for server-side apply. */
  managedFields?: (object: KubeObject) => Json[];
}

/** A committed change, kept for watches. `object` is shared: read it, don't change it. */
export interface Change extends StoreEvent {
  revision: number;
}

/** The store as the API server uses it: reads without copies, the past, and read-modify-write. */
export interface RehearsalStore extends ObjectStore {
  revision(): number;
  now(): Date;
  /** The stored object itself: don't change it. */
  peek(resource: string, namespace: string | undefined, name: string): KubeObject | undefined;
  /** Stored objects in order of namespace and name: don't change them. */
  each(resource: string, namespace?: string): KubeObject[];
  createAs(resource: string, object: KubeObject, write: ApiWrite): KubeObject;
  updateAs(resource: string, object: KubeObject, write: ApiWrite): KubeObject;
  /** Changes after `revision`, or `undefined` when they are no longer kept. */
  since(revision: number): Change[] | undefined;
  /** Like `watch`, without copies. */
  observe(listener: (change: Change) => void): () => void;
  /** Forgets the past: every watch that starts at an older revision gets 410. */
  compact(): void;
  /** The oldest revision a watch may start from. */
  oldest(): number;
}

const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** The in-memory store. Nothing is kept on disk: a rehearsal cluster lives as long as its process. */
export function createStore(options: StoreOptions = {}): RehearsalStore {
  const clock = options.clock ?? (() => new Date());
  const limit = options.history ?? 20_000;
  const tables = new Map<string, Map<string, KubeObject>>();
  const listeners = new Set<(event: StoreEvent) => void>();
  const observers = new Set<(change: Change) => void>();
  const addresses = createAddresses();
  let changes: Change[] = [];
  let revision = 1;
  let forgotten = 1;

  const table = (resource: string): Map<string, KubeObject> => {
    let found = tables.get(resource);
    if (found === undefined) {
      found = new Map();
      tables.set(resource, found);
    }
    return found;
  };
  const key = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;
  const timestamp = (): string => `${clock().toISOString().slice(0, 19)}Z`;

  function commit(type: StoreEvent['type'], resource: string, object: KubeObject, old?: KubeObject): void {
    revision += 1;
    object.metadata.resourceVersion = String(revision);
    const at = key(object.metadata.namespace, object.metadata.name);
    if (type === 'DELETED') table(resource).delete(at);
    else table(resource).set(at, object);
    const change: Change = { type, resource, object, revision, ...(old === undefined ? {} : { old }) };
    changes.push(change);
    if (changes.length > limit * 2) {
      changes = changes.slice(-limit);
      forgotten = (changes[0] as Change).revision - 1;
    }
    for (const observer of [...observers]) observer(change);
    if (listeners.size === 0) return;
    for (const listener of [...listeners]) {
      listener({ type, resource, object: copy(object), ...(old === undefined ? {} : { old: copy(old) }) });
    }
  }

  const { remove, deleteObject } = createDeletion({ tables, table, key, commit, clock, release: addresses.release });

  function decoded(definition: ResourceDefinition, input: KubeObject, { strict, warn }: ApiWrite): KubeObject {
    const { object, unknown } = decode(definition.kind, definition.version, {
      ...input,
      kind: definition.kind,
      apiVersion: groupVersion(definition),
    });
    if (strict && unknown.length > 0) {
      const list = unknown.map((path) => `unknown field ${JSON.stringify(path)}`).join(', ');
      throw badRequest(
        `${definition.kind} in version "${definition.version}" cannot be handled as a ${definition.kind}: strict decoding error: ${list}`,
      );
    }
    for (const path of unknown) warn?.(`unknown field ${JSON.stringify(path)}`);
    object.metadata ??= {} as KubeObject['metadata'];
    return object;
  }

  /** Namespace checks of the NamespaceLifecycle admission plugin. */
  function admitNamespace(definition: ResourceDefinition, object: KubeObject): void {
    if (!definition.namespaced) return;
    const namespace = object.metadata.namespace ?? '';
    const found = table('namespaces').get(key(undefined, namespace));
    if (found === undefined) throw notFound(definitionOf('namespaces'), namespace);
    if (found.metadata.deletionTimestamp !== undefined) {
      throw forbidden(
        definition,
        object.metadata.name,
        `unable to create new content in namespace ${namespace} because it is being terminated`,
      );
    }
  }

  /** Who owns which field after a write. */
  function fieldsAfter(before: KubeObject | undefined, after: KubeObject, write: ApiWrite) {
    if (write.managedFields) return write.managedFields(after);
    const { manager = 'unknown', subresource } = write;
    return trackUpdate(before, after, { manager, operation: 'Update', time: timestamp(), subresource });
  }

  function createAs(resource: string, input: KubeObject, write: ApiWrite): KubeObject {
    const definition = definitionOf(resource);
    const object = decoded(definition, input, write);
    const meta = object.metadata;
    if (definition.namespaced) meta.namespace ??= 'default';
    else delete meta.namespace;
    if (meta.name === undefined && (meta as Json).generateName !== undefined) {
      meta.name = `${(meta as Json).generateName}${randomSuffix()}`;
    }
    admitNamespace(definition, object);
    if (meta.name !== undefined && table(resource).has(key(meta.namespace, meta.name))) {
      throw alreadyExists(definition, meta.name);
    }
    if (meta.resourceVersion !== undefined && meta.resourceVersion !== '') {
      throw badRequest('resourceVersion should not be set on objects to be created');
    }
    meta.uid = randomUUID();
    meta.creationTimestamp = timestamp();
    delete meta.deletionTimestamp;
    delete meta.deletionGracePeriodSeconds;
    if (definition.generation) meta.generation = 1;
    if (!definition.custom && definition.subresources.status !== undefined) delete object.status;
    applyDefaults(object, {
      creating: true,
      clusterIP: (wanted) => addresses.take(wanted, meta, write.dryRun ?? false),
    });
    const final = decode(definition.kind, definition.version, object).object;
    final.metadata = orderedMeta(final.metadata);
    const causes = validate(definition, final);
    if (causes.length > 0) {
      addresses.release(final);
      throw invalid(definition.kind, definition.group, meta.name ?? '', causes);
    }
    const refused =
      (resource === 'pods' ? refusedBySecurity(namespaceOf(final), final) : undefined) ??
      exceededQuota(definition, final, (name) => each(name, final.metadata.namespace));
    if (refused !== undefined) throw forbidden(definition, meta.name, refused);
    warnOfSecurity(final, write);
    final.metadata.managedFields = fieldsAfter(undefined, final, write);
    if (write.dryRun) return copy(final);
    commit('ADDED', resource, final);
    if (definition.resource === 'namespaces') furnish(final.metadata.name);
    return copy(final);
  }

  const namespaceOf = ({ metadata }: KubeObject): KubeObject | undefined =>
    table('namespaces').get(key(undefined, metadata.namespace ?? ''));

  function warnOfSecurity(workload: KubeObject, { warn }: ApiWrite): void {
    const text = warn && securityWarning(namespaceOf(workload), workload);
    if (text !== undefined) warn?.(text);
  }

  /** What every namespace holds from its first second on. */
  function furnish(namespace: string): void {
    createAs(
      'serviceaccounts',
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } },
      { manager: 'kube-controller-manager' },
    );
  }

  function checkedCurrent(definition: ResourceDefinition, object: KubeObject): KubeObject {
    const { namespace, name } = object.metadata;
    const current = table(definition.resource).get(key(definition.namespaced ? namespace : undefined, name));
    if (current === undefined) throw notFound(definition, name);
    const { uid, resourceVersion } = object.metadata;
    if (uid !== undefined && uid !== '' && uid !== current.metadata.uid) {
      throw conflict(
        definition,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
      );
    }
    if (resourceVersion !== undefined && resourceVersion !== '') {
      if (resourceVersion !== current.metadata.resourceVersion) throw conflict(definition, name);
    } else if (definition.conditionalUpdate && !definition.custom) {
      throw invalid(definition.kind, definition.group, name, [
        invalidValue('metadata.resourceVersion', '', 'must be specified for an update'),
      ]);
    }
    return current;
  }

  function updateAs(resource: string, input: KubeObject, write: ApiWrite): KubeObject {
    const definition = definitionOf(resource);
    const object = decoded(definition, input, write);
    const current = checkedCurrent(definition, object);
    const name = current.metadata.name;
    let next: KubeObject;
    if (write.subresource === 'status') next = takeStatus(current, object);
    else {
      next = object;
      if (definition.subresources.status !== undefined) {
        if (current.status === undefined) delete next.status;
        else next.status = current.status;
      }
    }
    next.metadata = {
      ...next.metadata,
      name,
      namespace: current.metadata.namespace,
      uid: current.metadata.uid,
      creationTimestamp: current.metadata.creationTimestamp,
      deletionTimestamp: current.metadata.deletionTimestamp,
      deletionGracePeriodSeconds: current.metadata.deletionGracePeriodSeconds,
      generation: current.metadata.generation,
      resourceVersion: current.metadata.resourceVersion,
      managedFields: current.metadata.managedFields,
    };
    const generateName = (current.metadata as Json).generateName;
    if (generateName !== undefined) (next.metadata as Json).generateName = generateName;
    if (write.subresource !== 'status') {
      keepAllocated(current, next);
      applyDefaults(next, {
        creating: false,
        clusterIP: (wanted) => wanted ?? addresses.take(undefined, next.metadata, true),
      });
    }
    next = decode(definition.kind, definition.version, next).object;
    next.metadata = orderedMeta(next.metadata);
    if (write.subresource !== 'status') {
      const causes = [...validate(definition, next), ...(definition.custom ? [] : validateUpdate(current, next))];
      if (causes.length > 0) throw invalid(definition.kind, definition.group, name, causes);
      if (write.subresource === undefined) warnOfSecurity(next, write);
    }
    const generation = nextGeneration(definition, current, next, write.subresource);
    if (generation === undefined) delete next.metadata.generation;
    else next.metadata.generation = generation;
    next.metadata.managedFields = fieldsAfter(current, next, write);
    if (same(next, current)) return copy(current);
    if (write.dryRun) return copy(next);
    if (
      next.metadata.deletionTimestamp !== undefined &&
      (next.metadata.finalizers ?? []).length === 0 &&
      resource !== 'pods'
    ) {
      if (resource !== 'namespaces') {
        const removed = copy(next);
        remove(resource, current, removed);
        return copy(removed);
      }
    }
    commit('MODIFIED', resource, next, current);
    return copy(next);
  }

  /** Values the server allocated and a client may leave out of a PUT. */
  function keepAllocated(current: KubeObject, next: KubeObject): void {
    if (current.kind !== 'Service' || next.spec === undefined) return;
    if (next.spec.type === undefined || next.spec.type === current.spec?.type) {
      next.spec.clusterIP ??= current.spec?.clusterIP;
      if (next.spec.clusterIP === current.spec?.clusterIP) next.spec.clusterIPs ??= current.spec?.clusterIPs;
    }
  }

  function each(resource: string, namespace?: string): KubeObject[] {
    const found: KubeObject[] = [];
    for (const object of table(resource).values()) {
      if (namespace === undefined || object.metadata.namespace === namespace) found.push(object);
    }
    return found.sort((a, b) => {
      const left = key(a.metadata.namespace, a.metadata.name);
      const right = key(b.metadata.namespace, b.metadata.name);
      return left < right ? -1 : left > right ? 1 : 0;
    });
  }

  const store: RehearsalStore = {
    revision: () => revision,
    now: clock,
    peek: (resource, namespace, name) =>
      table(resource).get(key(definitionOf(resource).namespaced ? namespace : undefined, name)),
    each,
    createAs,
    updateAs,
    since(from) {
      if (from < forgotten) return undefined;
      let low = 0;
      let high = changes.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((changes[middle] as Change).revision <= from) low = middle + 1;
        else high = middle;
      }
      return changes.slice(low);
    },
    observe(listener) {
      observers.add(listener);
      return () => observers.delete(listener);
    },
    compact() {
      changes = [];
      forgotten = revision;
    },
    oldest: () => forgotten,
    get(resource, namespace, name) {
      const found = store.peek(resource, namespace, name);
      return found === undefined ? undefined : copy(found);
    },
    list(resource, namespace, labelSelector) {
      return each(resource, namespace)
        .filter((object) =>
          Object.entries(labelSelector ?? {}).every(([label, value]) => object.metadata.labels?.[label] === value),
        )
        .map(copy);
    },
    create: (resource, object, write = {}) => createAs(resource, object, write),
    update: (resource, object, write = {}) => updateAs(resource, object, write),
    updateStatus: (resource, object, write = {}) => updateAs(resource, object, { ...write, subresource: 'status' }),
    delete: deleteObject,
    finalise(resource, namespace, name, uid) {
      const current = store.peek(resource, namespace, name);
      if (current === undefined || current.metadata.uid !== uid) return;
      if ((current.metadata.finalizers ?? []).length > 0) return;
      remove(resource, current);
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };

  for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system', ...(options.namespaces ?? [])]) {
    createAs('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, { manager: 'kube-apiserver' });
  }
  return store;
}

function randomSuffix(): string {
  let text = '';
  for (let index = 0; index < 5; index += 1) {
    text += NAME_ALPHABET[Math.floor(Math.random() * NAME_ALPHABET.length)];
  }
  return text;
}
