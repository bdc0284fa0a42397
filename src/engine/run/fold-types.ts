/** The state of a run as its journal tells it (fold.ts). */
import type { RunEvent } from './events.ts';
import type {
  ChecklistItem,
  GateView,
  JsonValue,
  Outcome,
  PoolSample,
  ReconcileRow,
  RollbackScope,
  ServiceState,
  StepView,
  Timestamp,
} from './model.ts';

type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { readonly type: T }>;

/** A mutating call: its intent, and its outcome when that was journaled. */
export interface CallState {
  readonly callId: string;
  readonly seq: number;
  readonly at: Timestamp;
  readonly intent: EventOf<'call.intent'>;
  /** Absent: the run was cut between the intent and the outcome; nobody knows whether it happened. */
  readonly outcome?: EventOf<'call.outcome'>;
  readonly outcomeAt?: Timestamp;
}

export interface ServiceRunState {
  readonly name: string;
  readonly phase: string;
  readonly workload: string;
  readonly state: ServiceState;
  readonly changedAt?: Timestamp;
}

interface Decision extends Omit<EventOf<'decided'>, 'type'> {
  readonly at: Timestamp;
}

interface RollbackState {
  readonly at: Timestamp;
  readonly scope: RollbackScope;
  readonly services: readonly string[];
  readonly who: string;
  readonly finishedAt?: Timestamp;
  readonly ok?: boolean;
}

export interface RunState {
  readonly runId: string;
  /** Who started it, and who drives it now (the last resume). */
  readonly startedBy: string;
  readonly operator: string;
  readonly host: string;
  readonly pid: number;
  readonly toolVersion: string;
  readonly planName: string;
  readonly planHash: string;
  readonly plan: JsonValue;
  readonly cluster: EventOf<'run.started'>['cluster'];
  readonly rehearsal: boolean;
  readonly timeScale: number;
  readonly change?: EventOf<'run.started'>['change'];
  readonly startedAt: Timestamp;
  readonly updatedAt: Timestamp;
  readonly endedAt?: Timestamp;

  readonly status: 'running' | 'held' | 'rolling-back' | 'parked' | 'ended';
  readonly outcome?: Outcome;
  readonly cause?: string;
  readonly heldFor?: string;
  readonly parkedFor?: string;

  /** In the order of the plan; steps that came later (rollback) are at the end. */
  readonly steps: readonly StepView[];
  /** The step that was started last and not finished. */
  readonly currentStep?: string;
  readonly services: readonly ServiceRunState[];
  readonly checklist: readonly ChecklistItem[];
  readonly decisions: readonly Decision[];
  /** All mutating calls, in order. */
  readonly calls: readonly CallState[];
  /** Ids of the calls whose outcome is not known: no outcome, or the outcome `unknown`. */
  readonly openCalls: readonly string[];
  readonly facts: { readonly [key: string]: JsonValue };
  readonly resumes: readonly {
    readonly at: Timestamp;
    readonly operator: string;
    readonly host: string;
    readonly rows: readonly ReconcileRow[];
  }[];
  readonly holds: readonly {
    readonly at: Timestamp;
    readonly who: string;
    readonly reason: string;
    readonly until?: Timestamp;
  }[];
  readonly rollbacks: readonly RollbackState[];
  /**
   * A rollback that was decided and is not over: a resume goes on with it, never forward. `done` when all of it is back
   * and only the end of the run was not written. A step of the plan that starts afterwards ends it.
   */
  readonly pendingBack?: { readonly scope: RollbackScope; readonly done: boolean };
  /** A decision that was taken at a step which has not been finished since: it is not asked for again. */
  readonly openDecision?: Decision;
  readonly gates: readonly GateView[];
  /** Bounded, newest last. */
  readonly poolHistory: readonly PoolSample[];
  readonly messages: readonly {
    readonly at: Timestamp;
    readonly level: 'info' | 'warn' | 'error';
    readonly text: string;
  }[];
  /** The journal's own numbers: lines folded, hash of the last. */
  readonly events: number;
  readonly head: string;
}
