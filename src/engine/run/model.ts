/**
 * The nouns of a run, shared by the runner, the screens, the headless output and the record. Everything here is plain
 * JSON: it goes through the journal and comes back equal. No secret is ever part of it; text that came from the cluster
 * is sanitised before it is put here (`src/engine/sanitise.ts`).
 */
import type { WizardError } from '../result.ts';

export type StepState = 'todo' | 'running' | 'pass' | 'fail' | 'inconclusive' | 'waived' | 'skipped';
export type ServiceState = 'direct' | 'switching' | 'pooled' | 'rolled-back';
export type Verdict = 'pass' | 'fail' | 'inconclusive';

/** RFC 3339 with milliseconds, UTC, in run time (see clock.ts). */
export type Timestamp = string;

/** One observation. A green tick is an evidence with verdict `pass`; `inconclusive` means "could not measure". */
export interface Evidence {
  /** What was looked at, in the field's words: `rollout`, `pod log`, `health GET :8000/health`, `left direct PostgreSQL`. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What was seen, one line, sanitised. */
  readonly observed: string;
  /** What would have passed. */
  readonly expected?: string;
  readonly at: Timestamp;
  /** Numbers and names behind the sentence, for the record. */
  readonly data?: Readonly<Record<string, JsonValue>>;
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What a step is, for the checklist and the record. */
export interface StepInfo {
  /** Stable: `preflight`, `p1.secret`, `p2.identity-service.migrate`, `p2.decide`, `rollback.identity-service`. */
  readonly id: string;
  /** The guide's section (`2.1`), or `-`. */
  readonly guide: string;
  readonly title: string;
  /** `preflight`, `p1` … `p5`, `post`, `rollback`. */
  readonly phase: string;
  readonly kind: 'check' | 'change' | 'observe' | 'decide' | 'document';
  readonly service?: string;
  /** Why the step exists and where it departs from the guide's command, a sentence or two for the screen. */
  readonly why?: string;
}

/** A line of a diff that the operator confirms. Values that could be secrets are masked before they come here. */
export interface DiffLine {
  /** `title`: what the lines below are about, a service or an object; `note`: a remark on them. */
  readonly kind: 'title' | 'context' | 'remove' | 'add' | 'note';
  readonly text: string;
}

/** What a step's `plan()` answers: what would change, nothing done yet. */
export interface ChangePreview {
  /** One sentence: `switch DATABASE_URL of deployment/identity-service to pgbouncer:6432`. */
  readonly summary: string;
  readonly diff: readonly DiffLine[];
  /** The equivalent kubectl command lines, secrets masked; what an operator would have typed. */
  readonly commands: readonly string[];
  /** Where the guide's own command is wrong and what is done instead. */
  readonly departures?: readonly string[];
  readonly warnings?: readonly string[];
  /** Nothing to do: the live state is already what this step wants. */
  readonly alreadyDone?: boolean;
  /** A change that takes something away or moves many services at once asks for a typed name. */
  readonly destructive?: boolean;
}

export interface RolloutProgress {
  readonly desired: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  /** Pods of other revisions that still exist, terminating ones included. */
  readonly old: number;
  readonly elapsedMs: number;
  readonly limitMs: number;
  readonly stage: 'waiting' | 'updating' | 'available' | 'draining' | 'done' | 'failed';
  readonly detail: string;
}

export interface StepView extends StepInfo {
  readonly state: StepState;
  readonly startedAt?: Timestamp;
  readonly finishedAt?: Timestamp;
  readonly evidence: readonly Evidence[];
  /** On failure. */
  readonly cause?: string;
  readonly hint?: string;
  readonly preview?: ChangePreview;
  /** Who waived it and why, or why it was skipped. */
  readonly note?: string;
  readonly attempts: number;
}

export interface ServiceView {
  readonly name: string;
  /** `p2` … `p4`. */
  readonly phase: string;
  readonly state: ServiceState;
  readonly workload: string;
  readonly replicas?: number;
  readonly rollout?: RolloutProgress;
  /** Live connections of this service's pods to PostgreSQL: past the pooler, and as clients of the pooler. */
  readonly direct?: number;
  readonly pooled?: number;
}

export interface PhaseView {
  readonly id: string;
  readonly number: number;
  readonly title: string;
  readonly state: 'todo' | 'running' | 'done' | 'failed' | 'rolled-back';
  /** Units of work (services in phases 2-4, steps elsewhere). */
  readonly done: number;
  readonly total: number;
  readonly stepIds: readonly string[];
}

/** One row of `SHOW POOLS` of one pooler pod, by column name, with rates from `SHOW STATS` counters. */
export interface PoolRow {
  readonly pod: string;
  readonly database: string;
  readonly user: string;
  readonly clActive: number;
  readonly clWaiting: number;
  readonly svActive: number;
  readonly svIdle: number;
  readonly svUsed: number;
  readonly svTested: number;
  readonly svLogin: number;
  readonly maxwaitMs: number;
  readonly poolMode: string;
  /** Of the database, per second, from two samples; absent until there are two. */
  readonly queriesPerSecond?: number;
  readonly avgQueryMs?: number;
  readonly avgWaitMs?: number;
}

export interface PoolerView {
  readonly pod: string;
  readonly version?: string;
  readonly state: 'ok' | 'stale' | 'down';
  /** Age of the newest sample, ms of real time. */
  readonly ageMs: number;
  readonly error?: string;
}

export interface PoolSample {
  readonly at: Timestamp;
  readonly rows: readonly PoolRow[];
}

export interface PostgresView {
  readonly maxConnections: number;
  readonly total: number;
  readonly pooled: number;
  readonly direct: number;
  readonly other: number;
  readonly ageMs: number;
  /** What the plan computed for the pooler's side. */
  readonly expectedPooled?: number;
}

export interface PoolsView {
  readonly poolers: readonly PoolerView[];
  readonly rows: readonly PoolRow[];
  /** Oldest first, bounded; one entry a sample. */
  readonly history: readonly PoolSample[];
  /** What the journal knows of the sessions before this one: the looks of watches and soaks, oldest first, bounded. */
  readonly earlier?: { readonly samples: readonly PoolSample[]; readonly everyMs: number };
  readonly everyMs: number;
  /** Queries that the poolers have ended while they were watched; grows. */
  readonly queries?: number;
  readonly postgres?: PostgresView;
}

/** A gate: a limit on a measured value, with the last verdicts, N in a row to fail. */
export interface GateView {
  readonly id: string;
  readonly title: string;
  readonly verdict: Verdict;
  readonly observed: string;
  readonly limit: string;
  /** Newest last, bounded. */
  readonly history: readonly { readonly at: Timestamp; readonly verdict: Verdict; readonly value?: number }[];
}

/** One of the guide's eight items, after a phase. */
export interface ChecklistItem {
  readonly phase: string;
  readonly item: string;
  readonly verdict: Verdict | 'todo';
  readonly observed: string;
  readonly at?: Timestamp;
}

export type RollbackScope =
  | { readonly kind: 'service'; readonly service: string }
  | { readonly kind: 'phase'; readonly phase: string }
  | { readonly kind: 'all' };

/** journal says / cluster says / will do: one row of the resume screen. */
export interface ReconcileRow {
  readonly what: string;
  readonly journal: string;
  readonly cluster: string;
  readonly willDo: string;
  readonly verdict: 'agrees' | 'continue' | 'ask' | 'stop';
}

export interface DoctorFinding {
  readonly symptom: string;
  readonly cause: string;
  readonly check: string;
  readonly observed: string;
  readonly fix: string;
}

/** What the engine needs a human (or the headless policy) to say. At most one is open at a time. */
export type Ask =
  | {
      readonly id: string;
      readonly kind: 'confirm';
      readonly stepId: string;
      readonly title: string;
      readonly preview: ChangePreview;
      /** When set, the operator types exactly this (`context/namespace`). */
      readonly typed?: string;
    }
  | {
      readonly id: string;
      readonly kind: 'decide';
      readonly stepId: string;
      readonly phase: string;
      readonly title: string;
      readonly gates: readonly GateView[];
      readonly soakMs: number;
      /** Run time at which the soak is over; continuing before it is an override that needs a reason. */
      readonly soakUntil: Timestamp;
      readonly recommendation: 'continue' | 'wait' | 'rollback' | 'human';
    }
  | {
      readonly id: string;
      readonly kind: 'failure';
      readonly stepId: string;
      readonly title: string;
      readonly service?: string;
      readonly cause: string;
      readonly hint: string;
      readonly verdict: 'fail' | 'inconclusive';
      /** The way to the cluster is what failed (an expired login, silence): nothing is known to be wrong with a service. */
      readonly blind?: true;
      readonly findings: readonly DoctorFinding[];
      readonly logTail: readonly string[];
      readonly options: readonly FailureAnswer['action'][];
    }
  | {
      readonly id: string;
      readonly kind: 'rollback';
      readonly scope: RollbackScope;
      readonly title: string;
      readonly preview: ChangePreview;
      readonly services: readonly string[];
      readonly typed: string;
    }
  | {
      readonly id: string;
      readonly kind: 'reconcile';
      readonly rows: readonly ReconcileRow[];
      /** What goes on is a way back, not the plan: it judges each service by itself, and leaves nobody's where it is. */
      readonly goingBack?: true;
      readonly typed?: string;
    };

export interface FailureAnswer {
  readonly action: 'retry' | 'rollback-service' | 'rollback-phase' | 'rollback-all' | 'waive' | 'leave';
  readonly reason?: string;
}

export type Answer =
  | {
      readonly kind: 'confirm';
      readonly action: 'approve' | 'skip' | 'leave';
      readonly reason?: string;
      /** With `approve` of a service's switch: the other switches of the same phase are approved with it. */
      readonly scope?: 'phase';
    }
  | {
      readonly kind: 'decide';
      readonly action: 'continue' | 'rollback' | 'extend' | 'hold';
      readonly reason?: string;
      readonly extendMs?: number;
    }
  | ({ readonly kind: 'failure' } & FailureAnswer)
  | { readonly kind: 'rollback'; readonly action: 'approve' | 'cancel' }
  | { readonly kind: 'reconcile'; readonly action: 'continue' | 'rollback-all' | 'leave' };

/** What a screen (or a signal, or another command) may send to the run. */
export type Intent =
  | { readonly kind: 'answer'; readonly askId: string; readonly answer: Answer }
  | { readonly kind: 'rollback'; readonly scope: RollbackScope }
  | { readonly kind: 'hold'; readonly reason: string }
  | { readonly kind: 'unhold' }
  | { readonly kind: 'leave' }
  | { readonly kind: 'export' };

export type Outcome = 'done' | 'failed' | 'parked' | 'rolled-back' | 'gate-failed' | 'refused';

export interface RunSnapshot {
  readonly runId: string;
  readonly operator: string;
  readonly context: string;
  readonly namespace: string;
  readonly planName: string;
  readonly startedAt: Timestamp;
  /** Run time at which the snapshot was made; screens show ages and countdowns from their own clock. */
  readonly now: Timestamp;
  readonly timeScale: number;
  readonly rehearsal: boolean;
  readonly status: 'starting' | 'running' | 'asking' | 'held' | 'rolling-back' | 'ended';
  readonly outcome?: Outcome;
  /** Why it ended or was parked, where its outcome and its steps do not say it. */
  readonly endedFor?: string;
  readonly error?: WizardError;
  readonly phases: readonly PhaseView[];
  readonly steps: readonly StepView[];
  readonly services: readonly ServiceView[];
  readonly currentStep?: string;
  /** Never empty while something runs. `until` is a limit in run time. */
  readonly waitingFor?: { readonly text: string; readonly since: Timestamp; readonly until?: Timestamp };
  readonly ask?: Ask;
  readonly heldFor?: string;
  readonly pools: PoolsView;
  readonly gates: readonly GateView[];
  readonly checklist: readonly ChecklistItem[];
  /** Newest last, bounded: what happened, sanitised. */
  readonly messages: readonly {
    readonly at: Timestamp;
    readonly level: 'info' | 'warn' | 'error';
    readonly text: string;
  }[];
  /** Newest last, bounded: what steps read of logs, and what is followed while somebody looks; sanitised. */
  readonly logLines: readonly { readonly source: string; readonly text: string }[];
  /** Whose logs are followed now; absent while nobody looks. `problem`: why it could not be found out. */
  readonly following?: { readonly sources: readonly string[]; readonly problem?: string };
  readonly lock?: { readonly holder: string; readonly mine: boolean; readonly ageMs: number };
  readonly cluster: {
    readonly state: 'ok' | 'stale' | 'unreachable';
    readonly ageMs: number;
    readonly version?: string;
  };
  readonly journal: { readonly path: string; readonly events: number; readonly headHash: string };
  readonly exportedTo?: string;
}

/** The engine's face towards hooks: a store of snapshots and a door for intents. */
export interface RunHandle {
  /** What beginning had to repair, or found missing; in the journal too. */
  readonly notices?: readonly string[];
  /** The same object until something changed (for `useSyncExternalStore`). */
  snapshot(): RunSnapshot;
  subscribe(listener: () => void): () => void;
  /** `by`: who says it, when it is not the operator of the run (a second terminal). */
  send(intent: Intent, by?: string): void;
  /** Follows the logs of what is under way into `logLines`, until the answer is called. */
  followLogs(): () => void;
  /** Resolves when the run has ended or is parked; never rejects. */
  readonly ended: Promise<RunSnapshot>;
}
