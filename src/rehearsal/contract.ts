/**
 * Where the two halves of the rehearsal cluster meet: the API server (`api/`) keeps objects and speaks HTTP; the
 * controllers and the pods (`controllers/`, `pods/`) live behind it. Neither imports the other's insides.
 */
import type { Duplex } from 'node:stream';

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes objects are open JSON here on purpose: unknown fields must survive.
export type Json = any;

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
  finalizers?: string[];
  managedFields?: Json[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: Json;
  status?: Json;
  [field: string]: Json;
}

/** `deployments.apps`, `pods` (core), `cronjobs.batch`, `rollouts.argoproj.io`. */
export type ResourceName = string;

export interface StoreEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  resource: ResourceName;
  object: KubeObject;
  /** The object before a MODIFIED, for selector transitions. */
  old?: KubeObject;
}

/** Thrown by the store; `status` is the Kubernetes `Status` body, `code` its HTTP code. */
export interface ApiStatusError extends Error {
  code: number;
  status: Json;
}

/**
 * The object store with the registry's behaviour: one resourceVersion over all kinds, uid, creationTimestamp,
 * generation rules, defaulting, validation, no event for a write that changes nothing. Objects handed out are copies.
 */
export interface ObjectStore {
  get(resource: ResourceName, namespace: string | undefined, name: string): KubeObject | undefined;
  list(resource: ResourceName, namespace?: string, labelSelector?: Record<string, string>): KubeObject[];
  create(resource: ResourceName, object: KubeObject, options?: WriteOptions): KubeObject;
  /** PUT: optimistic when `metadata.resourceVersion` is set. */
  update(resource: ResourceName, object: KubeObject, options?: WriteOptions): KubeObject;
  /** PUT on `/status` (never bumps generation; may change annotations, as the Deployment controller does). */
  updateStatus(resource: ResourceName, object: KubeObject, options?: WriteOptions): KubeObject;
  delete(resource: ResourceName, namespace: string | undefined, name: string, options?: DeleteOptions): KubeObject;
  /** Removes a pod whose graceful deletion is over, whatever its grace period. */
  finalise(resource: ResourceName, namespace: string | undefined, name: string, uid: string): void;
  /** Called after each committed write, in order, synchronously. Returns the unsubscribe function. */
  watch(listener: (event: StoreEvent) => void): () => void;
}

export interface WriteOptions {
  manager?: string;
  dryRun?: boolean;
}

export interface DeleteOptions {
  uid?: string;
  resourceVersion?: string;
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

export interface ExecSession {
  stdin?: NodeJS.ReadableStream;
  /** Both may be written until the promise of `exec` settles. */
  stdout: (data: Buffer) => void;
  stderr: (data: Buffer) => void;
  tty: boolean;
  signal: AbortSignal;
}

/** What a kubelet can do for a pod. Errors are `ApiStatusError` with the real server's messages. */
export interface PodRuntime {
  /** Log lines with their times. `follow` ends when the container ends or the signal aborts. */
  log(
    namespace: string,
    pod: string,
    container: string,
    options: { previous: boolean; follow: boolean; tailLines?: number; sinceTime?: Date; signal: AbortSignal },
  ): AsyncIterable<{ at: Date; line: string }>;
  /** Resolves with the exit code; throws when the command cannot be started (message as containerd gives it). */
  exec(namespace: string, pod: string, container: string, command: string[], session: ExecSession): Promise<number>;
  /** A TCP connection to a port inside the pod; rejects with `connection refused` as the kubelet words it. */
  dial(namespace: string, pod: string, port: number): Promise<Duplex>;
}
