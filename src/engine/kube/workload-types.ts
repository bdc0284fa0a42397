/**
 * The nouns of a workload: where it takes its database address from, what would change, and how a rollout went.
 */
import type { ChangePreview, RolloutProgress } from '../run/model.ts';
import type { Secret } from '../secret.ts';
import type { Sealed } from './sealed.ts';
import type { ResolvedTarget } from './target.ts';
import type { Json, KubeObject, Ref } from './types.ts';

/** The PostgreSQL that everybody reaches directly, or the pooler. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Which addresses count as the direct PostgreSQL. */
export interface DiscoveryTarget {
  /** Name of the Service, `postgres`. */
  readonly service: string;
  readonly port: number;
  /** The Service's namespace when it is not the workloads' own. */
  readonly namespace?: string;
  /** Further names and IPs: external host names, endpoint IPs. */
  readonly hosts?: readonly string[];
}

export type DsnForm = 'url' | 'jdbc' | 'libpq' | 'dotnet' | 'split' | 'hostport';

/** What kind of place the address is written in. */
export type SourceKind =
  | 'literal'
  | 'composed'
  | 'split'
  | 'secretKeyRef'
  | 'configMapKeyRef'
  | 'envFromSecret'
  | 'envFromConfigMap'
  | 'argument'
  | 'file'
  | 'serviceLink';

/** `tool`: talks to the server itself (an exporter, change data capture, a backup), which no pooler can stand in for. */
export type ContainerRole = 'container' | 'init' | 'sidecar' | 'tool';

/** Roles whose address is left alone. */
export const staysDirect = (role: ContainerRole): boolean => role === 'init' || role === 'tool';

/** One place of one container that holds the address. A workload may have several. */
export interface Consumer {
  /** `deployment/identity-service/app/DATABASE_URL`. Stable. */
  readonly id: string;
  readonly workload: string;
  readonly container: string;
  readonly role: ContainerRole;
  readonly source: SourceKind;
  readonly form: DsnForm;
  /** The variable, `args[2]`, or `volume/key`. */
  readonly name: string;
  /** For split variables: the variable that holds the port. */
  readonly portName?: string;
  /** Secret or ConfigMap and key, when the value comes from one. */
  readonly from?: { readonly kind: 'Secret' | 'ConfigMap'; readonly name: string; readonly key: string };
  readonly endpoints: readonly Endpoint[];
  /** The whole value with the password masked; safe to print. */
  readonly masked: string;
  readonly user?: string;
  readonly database?: string;
  readonly password?: Secret;
  /** Query parameters worth knowing for transaction pooling (`prepare_threshold`, `pgbouncer`, `options` …). */
  readonly parameters: Readonly<Record<string, string>>;
  /** What stays direct is not included, unless it is asked for. */
  readonly defaultIncluded: boolean;
  readonly note?: string;
}

export type Severity = 'info' | 'warn' | 'block';

/** One observation about a workload's readiness for the change (6.2, 6.3, 2.2). `code` is stable. */
export interface Finding {
  readonly code:
    | 'recreate'
    | 'no-surge'
    | 'capacity-drop'
    | 'ordered-no-surge'
    | 'no-readiness-probe'
    | 'paused'
    | 'zero-replicas'
    | 'mid-rollout'
    | 'deadline-exceeded'
    | 'not-available'
    | 'on-delete'
    | 'partition'
    | 'no-history'
    | 'hpa'
    | 'quota'
    | 'rwo-volume'
    | 'host-port'
    | 'anti-affinity'
    | 'manager'
    | 'existing-job'
    | 'cronjob'
    | 'proxy-sidecar'
    | 'unreadable'
    | 'external-source'
    | 'missing-reference'
    | 'immutable'
    | 'already-pooled'
    | 'other';
  readonly severity: Severity;
  readonly text: string;
}

export type ManagerClass = 'FREE' | 'WILL_REVERT_NOW' | 'WILL_REVERT_LATER' | 'UNKNOWN';

/** Who else writes this workload (part 3). */
export interface ManagerVerdict {
  readonly class: ManagerClass;
  /** `Argo CD application shop (self-heal on)`, `Helm release identity`. */
  readonly managers: readonly string[];
  /** Why, and what the operator should do after or before, in sentences. */
  readonly reasons: readonly string[];
}

export interface Workload {
  /** `deployment/identity-service`. */
  readonly id: string;
  readonly ref: Ref;
  readonly uid: string;
  readonly generation: number;
  readonly replicas: number;
  readonly status: {
    readonly updated: number;
    readonly ready: number;
    readonly available: number;
    readonly total: number;
  };
  /** Resolved numbers: how many pods more or fewer a rollout may have. */
  readonly strategy: { readonly type: string; readonly surge: number; readonly unavailable: number };
  readonly hasReadinessProbe: boolean;
  readonly minReadySeconds: number;
  readonly progressDeadlineSeconds?: number;
  readonly terminationGraceSeconds: number;
  readonly paused: boolean;
  readonly midRollout: boolean;
  /** Secrets and ConfigMaps that its pods take variables or files from. */
  readonly references: readonly { readonly kind: 'Secret' | 'ConfigMap'; readonly name: string }[];
  /** `app=identity-service`: selects the pods. */
  readonly podSelector: string;
  readonly containerPorts: readonly { readonly container: string; readonly name?: string; readonly port: number }[];
  readonly images: readonly { readonly container: string; readonly image: string }[];
  readonly manager: ManagerVerdict;
  readonly findings: readonly Finding[];
  readonly consumers: readonly Consumer[];
  /** Every name, IP and port that means the target, as seen from here; `planSwitch` looks for them again. */
  readonly target: ResolvedTarget;
  /** The live object. It may hold passwords: for planning only, never for a journal or a screen. */
  readonly object: KubeObject;
}

export interface Unexplained {
  readonly workload: string;
  readonly container?: string;
  /** `secret identity-db is not readable (403)`, `Vault injector annotations`, … */
  readonly reason: string;
}

export interface Discovery {
  /** Workloads with at least one consumer of the target, by id. */
  readonly workloads: readonly Workload[];
  /** Workloads named in `only` that do not exist. */
  readonly missing: readonly string[];
  /** Workloads named in `only` that exist but do not reach the target; facts and reason. */
  /** `pooled`: it uses the pooler already. */
  readonly notConsumers: readonly { readonly workload: Workload; readonly reason: string; readonly pooled?: boolean }[];
  readonly unexplained: readonly Unexplained[];
  /** Every name and IP that counts as the target. */
  readonly targetHosts: readonly string[];
  readonly scanned: number;
}

/** A Secret or ConfigMap that a change needs; created before the patch, immutable, deterministic name. */
export interface OwnedObject {
  readonly ref: Ref;
  readonly keys: readonly string[];
}

/**
 * One workload's change, planned against one live object. Everything public is safe to journal; the patches and the
 * original entries (they may hold passwords) are inside `sealed`, which goes to the originals Secret and nowhere else.
 */
export interface WorkloadChange {
  readonly ref: Ref;
  readonly uid: string;
  readonly runId: string;
  readonly to: Endpoint;
  readonly generation: number;
  /** Fingerprints of spec.template (sha256 of canonical JSON): live now, and as the server answered the dry run. */
  readonly before: string;
  readonly after: string;
  readonly sources: readonly { readonly container: string; readonly name: string; readonly source: SourceKind }[];
  readonly objects: readonly OwnedObject[];
  readonly preview: ChangePreview;
  /** What the cluster warned of in the answer to the dry run. */
  readonly clusterWarnings?: readonly string[];
  readonly alreadyDone: boolean;
  /** JSON of the change's inside; `restoreChange` reads it back. */
  readonly sealed: Sealed;
}

export interface SentChange {
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion: string;
  /** Fingerprint of the template the server answered with. */
  readonly fingerprint: string;
  /** False when the live object already was in the wanted state and nothing was sent. */
  readonly patched: boolean;
  /** Fields of the template other people changed since the plan, kept as they are. */
  readonly keptChanges: readonly string[];
}

export interface LiveState {
  /**
   * `before`: every entry is the original · `after`: every entry is ours · `other`: neither, or mixed ·
   * `gone`: deleted, or recreated under the same name (`uid` differs).
   */
  readonly state: 'before' | 'after' | 'other' | 'gone';
  readonly uid?: string;
  readonly generation?: number;
  readonly fingerprint?: string;
  /** True when the whole template (not only our entries) is the recorded one of that state. */
  readonly exact: boolean;
  /** `before`, but a ReplicaSet with our template exists: the change happened and was reverted. */
  readonly contested: boolean;
  /** Who owns our entries according to managedFields. */
  readonly manager?: string;
  readonly detail: string;
}

export interface PodInfo {
  readonly name: string;
  readonly uid: string;
  readonly ip?: string;
  readonly node?: string;
  readonly ready: boolean;
  readonly phase: string;
  readonly restarts: number;
  readonly startedAt?: string;
  readonly terminating: boolean;
}

export type RolloutOutcome =
  /** New pods available; old ones may still terminate. */
  | 'available'
  /** And no pod of another revision exists any more. */
  | 'drained'
  /** Zero replicas: the template is switched, no pod ever ran it. */
  | 'switched-unverified'
  | 'failed'
  | 'timeout'
  | 'contested'
  | 'drift'
  | 'blocked'
  | 'gone'
  | 'aborted';

/** Cause codes of `failed`; the text says it for people. */
export type RolloutCause =
  | 'config-error'
  | 'invalid-image'
  | 'image-pull'
  | 'crash-loop'
  | 'oom-killed'
  | 'container-start'
  | 'unschedulable'
  | 'readiness-stalled'
  | 'replica-failure'
  | 'progress-deadline'
  | 'not-reconciling'
  | 'paused'
  | 'reverted'
  | 'drift'
  | 'gone'
  | 'limit'
  /** The cluster could not be read for so long that nothing is known. */
  | 'unseen';

export interface RolloutVerdict {
  readonly outcome: RolloutOutcome;
  readonly cause?: RolloutCause;
  /** One sentence for people: what was seen. Sanitised. */
  readonly message: string;
  readonly hint?: string;
  /** Pod and container that failed. */
  readonly pod?: string;
  readonly container?: string;
  /** Last log lines of the failed container (`previous` after a crash), sanitised. */
  readonly logTail: readonly string[];
  /** Events about the pod, the ReplicaSet and the workload, newest last: `Unhealthy: Readiness probe failed: …`. */
  readonly events: readonly string[];
  readonly progress: RolloutProgress;
  /** Pods of the target revision. Health checks go to these, never to `deployment/x`. */
  readonly newPods: readonly PodInfo[];
  readonly oldPods: readonly PodInfo[];
  /** ReplicaSet of the target template (Deployments), or the revision's name (`controller-revision-hash`). */
  readonly target?: { readonly name: string; readonly uid?: string };
  /** The other manager, for `contested`. */
  readonly manager?: string;
  readonly elapsedMs: number;
  /** Run-clock times, ms since the epoch. */
  readonly availableAt?: number;
  readonly drainedAt?: number;
}

export interface RolloutUpdate {
  readonly progress: RolloutProgress;
  readonly newPods: readonly PodInfo[];
  readonly oldPods: readonly PodInfo[];
  /** `waiting for 1 new pod of identity-service to become Ready (readiness probe, 6 s)`. */
  readonly waitingFor: string;
}

/** Which template is the wanted one: said of the live `spec.template` on every event. */
export type TemplateMatch = (template: Json) => 'target' | 'origin' | 'other';
