/**
 * The change record: one canonical object, from the journal alone. Every exported file is a view of it. There is no
 * "generated at" in it, so that the same journal always gives the same bytes.
 */
import type {
  ChecklistItem,
  Evidence,
  GateView,
  JsonValue,
  Outcome,
  RollbackScope,
  ServiceState,
  StepInfo,
  StepState,
  Timestamp,
} from '../run/model.ts';

export const RECORD_SCHEMA = 'pgb-wizard/record/v1';
/** Raised whenever the same journal would give other bytes than before (a new field, another sentence). */
export const RECORD_FORMAT = 1;

interface RecordHeader {
  readonly runId: string;
  readonly changeNumber?: string;
  /** At most 160 characters, ServiceNow's limit. */
  readonly title: string;
  readonly type: 'normal' | 'rehearsal';
  readonly risk: string;
  readonly impact: string;
  readonly startedBy: string;
  /** Everyone who drove or decided, in order of appearance. */
  readonly people: readonly string[];
  readonly plan: { readonly name: string; readonly hash: string };
  readonly toolVersion: string;
  readonly cluster: {
    readonly context: string;
    readonly namespace: string;
    readonly uid: string;
    readonly version: string;
  };
  readonly rehearsal: boolean;
  readonly timeScale: number;
}

interface RecordTimes {
  readonly plannedStart?: Timestamp;
  readonly plannedEnd?: Timestamp;
  /** From the limits, soaks and observation times of the plan. */
  readonly plannedMinutes?: number;
  readonly actualStart: Timestamp;
  /** Absent while it runs. */
  readonly actualEnd?: Timestamp;
  readonly actualMinutes: number;
}

export interface RecordWorkload {
  readonly service: string;
  readonly phase: string;
  readonly workload: string;
  readonly state: ServiceState;
  /** Keyed digests of the entries with the address, as the journal has them; never a value. */
  readonly before?: string;
  readonly after?: string;
  readonly switchedAt?: Timestamp;
  readonly rolledBackAt?: Timestamp;
}

export interface PlannedStep {
  readonly step: string;
  readonly guide: string;
  readonly what: string;
  readonly who: string;
  /** The most it may take; absent where only a human decides. */
  readonly minutes?: number;
  /** For the way back: what "restored" looks like. */
  readonly restored?: string;
}

export interface RecordCall {
  readonly callId: string;
  readonly at: Timestamp;
  readonly verb: string;
  readonly target: string;
  readonly direction: 'forward' | 'back';
  readonly result: 'done' | 'refused' | 'unknown' | 'open';
  readonly auditId?: string;
  readonly before?: string;
  readonly after?: string;
  readonly error?: string;
}

export interface PoolFigures {
  readonly samples: number;
  readonly peakWaiting: number;
  readonly peakActive: number;
  readonly peakClients: number;
  readonly longestWaitMs: number;
}

export interface RecordStep extends Pick<StepInfo, 'id' | 'guide' | 'title' | 'phase' | 'kind' | 'service'> {
  readonly state: StepState;
  readonly attempts: number;
  /** Of the first attempt. */
  readonly startedAt?: Timestamp;
  readonly finishedAt?: Timestamp;
  readonly seconds?: number;
  /** What an operator would have typed, secrets masked. */
  readonly commands: readonly string[];
  readonly departures: readonly string[];
  readonly summary?: string;
  readonly evidence: readonly Evidence[];
  /** sha256 of the canonical JSON of the evidence. */
  readonly evidenceDigest: string;
  readonly calls: readonly RecordCall[];
  readonly pools?: PoolFigures;
  readonly cause?: string;
  readonly hint?: string;
  readonly note?: string;
}

interface RecordDecision {
  readonly at: Timestamp;
  readonly step: string;
  readonly phase: string;
  readonly who: string;
  readonly action: string;
  readonly reason?: string;
  readonly override: boolean;
  readonly gates: readonly Pick<GateView, 'id' | 'title' | 'verdict' | 'observed' | 'limit'>[];
}

/** Something that did not go as planned, or was waved through. */
export interface Deviation {
  readonly at: Timestamp;
  readonly kind:
    | 'failure'
    | 'inconclusive'
    | 'waived'
    | 'skipped'
    | 'retry'
    | 'override'
    | 'hold'
    | 'resume'
    | 'parked'
    | 'rollback'
    | 'unknown-outcome'
    | 'departure';
  readonly step?: string;
  readonly text: string;
  readonly who?: string;
}

interface RecordRollback {
  readonly at: Timestamp;
  readonly finishedAt?: Timestamp;
  readonly scope: RollbackScope;
  readonly services: readonly string[];
  readonly who: string;
  readonly ok?: boolean;
}

export interface TimelineEntry {
  readonly at: Timestamp;
  readonly text: string;
}

export interface ChangeRecord {
  readonly schema: typeof RECORD_SCHEMA;
  readonly format: number;
  readonly header: RecordHeader;
  readonly times: RecordTimes;
  readonly status: 'in progress' | 'parked' | 'closed';
  readonly outcome?: Outcome;
  readonly workloads: readonly RecordWorkload[];
  readonly implementationPlan: readonly PlannedStep[];
  readonly testPlan: readonly PlannedStep[];
  readonly backoutPlan: readonly PlannedStep[];
  readonly steps: readonly RecordStep[];
  readonly checklist: readonly ChecklistItem[];
  readonly decisions: readonly RecordDecision[];
  readonly rollbacks: readonly RecordRollback[];
  readonly deviations: readonly Deviation[];
  readonly timeline: readonly TimelineEntry[];
  readonly pools: PoolFigures;
  readonly facts: { readonly [key: string]: JsonValue };
  readonly close: {
    readonly code: 'successful' | 'successful with issues' | 'unsuccessful' | 'backed out' | 'open';
    readonly notes: string;
  };
  readonly followUp: { readonly dueAt?: Timestamp; readonly tasks: readonly string[] };
  /** The journal this follows from. */
  readonly journal: { readonly events: number; readonly head: string };
}
