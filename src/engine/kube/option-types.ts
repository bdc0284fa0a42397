/**
 * What the functions of this folder take and give beside the objects: options, the lease, the run's state in the cluster.
 */
import type { Result } from '../result.ts';
import type { Clock } from '../run/clock.ts';
import type { JsonValue } from '../run/model.ts';
import type { Ref } from './types.ts';
import type { Endpoint, RolloutUpdate, RolloutVerdict, TemplateMatch } from './workload-types.ts';

export interface ConnectOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Default: the context's namespace, else `default`. It must exist. */
  readonly namespace?: string;
  /** Impersonation, as kubectl's `--as`. */
  readonly as?: string;
  /** Overrides the per-request limits; kubectl's `--request-timeout` in ms. */
  readonly requestTimeoutMs?: number;
  readonly runId?: string;
  readonly toolVersion?: string;
  readonly clock: Clock;
  /** Requests per second and burst; default 10 and 20. */
  readonly rate?: { readonly perSecond: number; readonly burst: number };
  /** Closes the connection, now or later: every call under way ends as `aborted`. */
  readonly signal?: AbortSignal;
}

export interface KubeconfigContext {
  readonly name: string;
  readonly cluster: string;
  readonly namespace?: string;
  readonly current: boolean;
}

export interface PlanSwitchOptions {
  readonly to: Endpoint;
  readonly runId: string;

  readonly signal?: AbortSignal;
}

export interface SendOptions {
  readonly dryRun?: boolean;
  readonly auditId?: string;
  /** As in WriteOptions; asked also before a patch that was computed anew. */
  readonly again?: () => Promise<boolean>;
  readonly signal?: AbortSignal;
}

export interface RolloutOptions {
  readonly uid: string;
  readonly match: TemplateMatch;
  /** Limit for `available`, in real time, ms. */
  readonly limitMs: number;
  /** Limit for `drained` after available; default: longest grace period + 30 s. */
  readonly drainLimitMs?: number;
  readonly until: 'available' | 'drained';
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: (update: RolloutUpdate) => void;
  /** Called once when the new pods are available, before draining ends. */
  readonly onAvailable?: (verdict: RolloutVerdict) => void;
}

export type Need = {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly namespace: string;
  /** `p2.identity-service.migrate: switch the workload`. */
  readonly neededBy: string;
  /** Can the run go on without it? */
  readonly optional?: boolean;
};

export interface AccessRow extends Need {
  readonly allowed: boolean | 'unknown';
  readonly reason?: string;
}

export interface LeaseRecord {
  /** Empty when nobody holds it. */
  readonly holder: string;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly durationSeconds: number;
  readonly transitions: number;
  readonly runId?: string;
  readonly title?: string;
  readonly resourceVersion?: string;
}

export interface AcquireOptions {
  readonly namespace: string;
  readonly runId: string;
  /** `alice@bastion`. */
  readonly who: string;
  readonly title?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /**
   * Somebody else holds the lock and has been silent for its whole duration, as observed by our own clock: take it?
   * Absent: refuse with `locked`.
   */
  readonly onExpired?: (holder: LeaseRecord) => Promise<boolean>;
  /** Held by somebody alive: say so while we watch. */
  readonly onHeld?: (holder: LeaseRecord, silentMs: number) => void;
  /** Give up on a live holder at once (default) or keep watching until it expires. */
  readonly wait?: boolean;
  /** Dead processes of this very machine: these holder identities may be replaced without waiting. */
  readonly replaceHolders?: readonly string[];
  /** Tells one start of the process from another in the holder identity; random unless given. */
  readonly nonce?: string;
}

export interface LeaseHandle {
  readonly holder: string;
  /** leaseTransitions at acquisition: the fencing number. */
  readonly epoch: number;
  /** May a mutating call be sent now? False after 20 s without a renewal, after a sleep, and after a loss. */
  isSafe(): boolean;
  /** Renews now; after a sleep this is the way back to safe. */
  renew(): Promise<Result<void>>;
  /** Aborted when the lock was taken by somebody else. */
  readonly lost: AbortSignal;
  view(): { readonly holder: string; readonly mine: boolean; readonly ageMs: number };
  release(): Promise<Result<void>>;
}

/** The immutable Secret of a run: what is needed to go back, from any machine. */
export interface RunOriginals {
  readonly v: 1;
  readonly runId: string;
  readonly planName: string;
  /** `WorkloadChange.sealed` by workload id, and whatever else must survive the machine. May hold passwords. */
  readonly changes: { readonly [workload: string]: JsonValue };
  /** Key of the HMACs in ledger and journal, hex. */
  readonly hmacKey: string;
}

/** The ConfigMap of a run: small, no secrets, updated by compare-and-set. */
export interface Ledger {
  readonly v: 1;
  readonly runId: string;
  readonly operator: string;
  readonly planName: string;
  readonly planHash: string;
  readonly epoch: number;
  readonly seq: number;
  readonly status: 'running' | 'parked' | 'ended';
  readonly startedAt: string;
  readonly updatedAt: string;
  readonly headHash: string;
  readonly data: { readonly [key: string]: JsonValue };
}

export interface LedgerHandle {
  current(): Ledger;
  /** PUT with the resourceVersion we last saw; `lock-lost` when somebody else wrote in between. */
  update(change: (ledger: Ledger) => Ledger, signal?: AbortSignal): Promise<Result<Ledger>>;
}

export interface RunInCluster {
  readonly runId: string;
  readonly ledger: Ledger;
  readonly resourceVersion: string;
  /** When it was written to last, RFC 3339 by the cluster's clock; the ledger's own times are the run's. */
  readonly writtenAt: string;
}

export interface Fight {
  readonly ref: Ref;
  /** Who reverted it, from managedFields; `unknown` when they do not say. */
  readonly manager: string;
  readonly at: number;
  readonly detail: string;
  /** It has its original address again (not a third one, not another object). */
  readonly back: boolean;
}
