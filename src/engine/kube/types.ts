/**
 * The nouns of the cluster: what the steps and the runner say to Kubernetes and hear from it. Objects stay raw JSON
 * from the wire to the patch, because a typed round trip drops the fields its types do not know.
 */
import type { Duplex } from 'node:stream';
import type { Result } from '../result.ts';

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes objects are open JSON here on purpose: unknown fields must survive.
export type Json = any;

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: Json;
  spec?: Json;
  status?: Json;
  [field: string]: Json;
}

/** Which resource: `{apiVersion: 'apps/v1', plural: 'deployments', kind: 'Deployment'}`. */
export interface ResourceRef {
  readonly apiVersion: string;
  readonly plural: string;
  readonly kind: string;
}

/** One object. Make it with the helpers of refs.ts. */
export interface Ref extends ResourceRef {
  readonly namespace?: string;
  readonly name: string;
}

/** A set of objects. */
export interface ListRef extends ResourceRef {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface KubeList {
  readonly items: KubeObject[];
  readonly resourceVersion: string;
}

/** An operation of RFC 6902. */
export type JsonPatchOp =
  | { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: Json }
  | { readonly op: 'remove'; readonly path: string };

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Ours, per attempt. Default 10 s for a GET, 30 s for a LIST, 45 s for a write (above the server's own cap of 34 s). */
  readonly timeoutMs?: number;
}

export interface WriteOptions extends CallOptions {
  /** Server-side dry run: full validation and admission, nothing stored. */
  readonly dryRun?: boolean;
  /** Default `pgb-wizard`. */
  readonly fieldManager?: string;
  /** Sent as `Audit-ID`, so that the call is found again in the cluster's audit log. */
  readonly auditId?: string;
  /** Asked before the same write is sent once more, which may be minutes after the first time: false ends it there. */
  readonly again?: () => Promise<boolean>;
  /** A `Warning:` header of the answer, sanitised. */
  readonly onWarning?: (text: string) => void;
}

export interface ApplyOptions extends WriteOptions {
  /** Take over fields of other managers. Never without a human's word. */
  readonly force?: boolean;
}

export interface DeleteOptions extends WriteOptions {
  /** Precondition: delete only this very object. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Each change, once; after a relist the differences arrive as events. Objects are shared: do not change them. */
  readonly onEvent?: (event: WatchEvent) => void;
  /** The watch lost or regained its connection. It keeps trying either way. */
  readonly onState?: (state: 'live' | 'stale', detail: string) => void;
  /** Re-LIST beside a stream that has said nothing for so many ms (15 s for the object under change). 0 or absent: never. */
  readonly safetyPollMs?: number;
}

/** A self-healing watch with the objects it knows. */
export interface WatchHandle {
  /** Settles after the first LIST; an error here (403, 404 of a missing kind) is final. */
  readonly synced: Promise<Result<void>>;
  /** The objects by uid, as last seen. */
  items(): ReadonlyMap<string, KubeObject>;
  /** Ms since the last sign of life (event, bookmark or LIST). */
  ageMs(): number;
  stop(): void;
}

export interface LogOptions extends CallOptions {
  readonly container?: string;
  readonly tail?: number;
  /** The container before its last restart. */
  readonly previous?: boolean;
  readonly sinceSeconds?: number;
  /** Stop after so many bytes (default 1 MiB). */
  readonly limitBytes?: number;
  /** Each line behind the time (RFC 3339) at which its node took it, and a space. */
  readonly timestamps?: boolean;
}

export interface FollowLogOptions extends Omit<LogOptions, 'previous' | 'signal'> {
  readonly signal: AbortSignal;
  /** One line, sanitised. */
  readonly onLine: (line: string) => void;
}

export interface ExecOptions extends CallOptions {
  readonly stdin?: string | Buffer;
  readonly timeoutMs?: number;
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  /** `unknown`: the connection died before the command's status came; the command may still run. */
  readonly exitCode: number | 'unknown';
}

export interface KubeIdentity {
  readonly context: string;
  readonly cluster: string;
  /** The server's URL, without credentials. */
  readonly server: string;
  readonly namespace: string;
  /** From SelfSubjectReview; absent when the server does not say. */
  readonly user?: string;
  /** UID of the namespace: it tells this cluster from others, in the journal and in the record. Absent when it can't be read. */
  readonly clusterUid?: string;
}

export interface KubeVersion {
  readonly gitVersion: string;
  readonly major: number;
  readonly minor: number;
}

export interface KubeHealth {
  /** `stale`: a read failed since the last success; `unreachable`: none succeeded for more than 60 s. */
  readonly state: 'ok' | 'stale' | 'unreachable';
  /** Ms since the last successful read (of any kind, watch events included). */
  readonly ageMs: number;
  /** Why the last read failed. */
  readonly error?: string;
  /** The server's clock minus ours, from the `Date` header; warn above 2000. */
  readonly skewMs?: number;
}

export interface RequestCounts {
  readonly total: number;
  readonly watches: number;
  readonly retries: number;
  /** By `VERB plural[/subresource]`: `PATCH deployments`, `GET pods/log`. */
  readonly byKind: Readonly<Record<string, number>>;
}

/** The port to the cluster. Every error is a `WizardError`; nothing here throws or emits an uncaught error. */
export interface Kube {
  readonly ref: KubeIdentity;
  version(signal?: AbortSignal): Promise<Result<KubeVersion>>;
  get(ref: Ref, options?: CallOptions): Promise<Result<KubeObject>>;
  /** All pages. */
  list(ref: ListRef, options?: CallOptions & { readonly pageSize?: number }): Promise<Result<KubeList>>;
  /** Page by page, for thousands of objects; `onPage` may drop what it does not need. */
  listPages(
    ref: ListRef,
    onPage: (items: KubeObject[]) => void,
    options?: CallOptions & { readonly pageSize?: number },
  ): Promise<Result<{ resourceVersion: string }>>;
  create(ref: Ref, object: Json, options?: WriteOptions): Promise<Result<KubeObject>>;
  /** PUT; carries the object's own resourceVersion as precondition. */
  replace(ref: Ref, object: Json, options?: WriteOptions): Promise<Result<KubeObject>>;
  /** JSON Patch. A failed `test` is `precondition-failed`, a validation error `invalid-object`. */
  patch(ref: Ref, ops: readonly JsonPatchOp[], options?: WriteOptions): Promise<Result<KubeObject>>;
  /** JSON merge patch, for annotation-only writes. */
  mergePatch(ref: Ref, body: Json, options?: WriteOptions): Promise<Result<KubeObject>>;
  /** Server-side apply of an object the wizard owns. */
  apply(ref: Ref, object: Json, options?: ApplyOptions): Promise<Result<KubeObject>>;
  delete(ref: Ref, options?: DeleteOptions): Promise<Result<void>>;
  watch(target: ListRef | Ref, options: WatchOptions): WatchHandle;
  logs(namespace: string, pod: string, options?: LogOptions): Promise<Result<string>>;
  /** Ends when the container ends, the signal aborts (ok) or the stream breaks (error). */
  followLogs(namespace: string, pod: string, options: FollowLogOptions): Promise<Result<void>>;
  exec(
    namespace: string,
    pod: string,
    container: string | undefined,
    command: readonly string[],
    options?: ExecOptions,
  ): Promise<Result<ExecResult>>;
  /** One TCP connection to a port inside the pod; a Duplex for pg's `stream` option. Errors arrive as its `error` event. */
  portForward(namespace: string, pod: string, port: number, options?: CallOptions): Promise<Result<Duplex>>;
  health(): KubeHealth;
  requestCounts(): RequestCounts;
  /** `Warning:` headers so far, each once, sanitised. */
  warnings(): readonly string[];
  close(): void;
}
