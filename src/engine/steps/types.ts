/**
 * What a step is made of. A step is data and three functions over ports that are handed in; the runner is the only one
 * who calls them. A step knows no screen, no flag and no wall clock. The way back belongs to a service, not to a step
 * (switch-service.ts): three steps move one, and any of them may be the one that shows that it has to go back.
 */
import type { Kube, KubeObject } from '../kube/types.ts';
import type { WorkloadChange } from '../kube/workload-types.ts';
import type { Plan } from '../plan/schema.ts';
import type { Result, WizardError } from '../result.ts';
import type { AskBroker } from '../run/asks.ts';
import type { Clock } from '../run/clock.ts';
import type { RunEvent } from '../run/events.ts';
import type { RunState } from '../run/fold.ts';
import type {
  ChangePreview,
  ChecklistItem,
  Evidence,
  GateView,
  JsonValue,
  PoolSample,
  RollbackScope,
  RolloutProgress,
  ServiceState,
  StepInfo,
  Verdict,
} from '../run/model.ts';
import type { HeadlessPolicy, ManifestsOption } from '../run/options.ts';
import type { Fleet } from './fleet.ts';
import type { PoolerPorts } from './pooler-ports.ts';
import type { RunSecrets } from './run-secrets.ts';

type IntentEvent = Extract<RunEvent, { type: 'call.intent' }>;

/** A mutating call as the write-ahead protocol sees it. */
export interface MutatingCall {
  readonly verb: IntentEvent['verb'];
  readonly target: IntentEvent['target'];
  readonly direction: 'forward' | 'back';
  /** Digests, never values. */
  readonly before?: string;
  readonly expect?: string;
}

export interface CallReceipt {
  /** Digest of what the server says is there now. */
  readonly after?: string;
  readonly facts?: Readonly<Record<string, JsonValue>>;
}

/** Makes the call. `again` goes along with the request (see WriteOptions): a retry needs the lock as the first try did. */
export type Send = (auditId: string, again: () => Promise<boolean>) => Promise<Result<CallReceipt>>;

/** One of several calls that are announced together. */
export interface PlannedCall {
  readonly what: MutatingCall;
  readonly send: Send;
}

export interface StepContext {
  readonly runId: string;
  readonly plan: Plan;
  readonly kube: Kube;
  readonly clock: Clock;
  /** Aborted when the run is left, or when the operator asks for a rollback while the step works. */
  readonly signal: AbortSignal;
  readonly rehearsal: boolean;
  /** `alice@bastion`. */
  readonly who: string;
  readonly secrets: RunSecrets;
  /** Workloads, their changes and originals. */
  readonly fleet: Fleet;
  /** Consoles of every pooler pod, the pools, and PostgreSQL. */
  readonly pooler: PoolerPorts;
  /** The pods as the run's watch has them, for what looks again and again; undefined while no watch is alive. */
  seenPods?(): Promise<readonly KubeObject[] | undefined>;
  /** Watches that what was switched stays so, until the end of the session; a change we take back ourselves leaves it. */
  readonly fights: { add(change: WorkloadChange): void; remove(change: WorkloadChange): void };
  state(): RunState;
  /**
   * What is waited for, for the screen; never empty while something runs. `waitedMs`: how much of the limit is gone, where
   * one wait has many texts; without it the wait begins when the text changes.
   */
  waitingFor(text: string, limitMs?: number, waitedMs?: number): void;
  evidence(evidence: Omit<Evidence, 'at'>): void;
  fact(key: string, value: JsonValue): void;
  message(level: 'info' | 'warn' | 'error', text: string): void;
  rollout(service: string, progress: RolloutProgress): void;
  serviceState(service: string, state: ServiceState): void;
  logLines(source: string, lines: readonly string[]): void;
  gates(gates: readonly GateView[]): void;
  /** Asks, or follows the policy; used by the decision step, whose question lives as long as its soak. */
  readonly asks: AskBroker;
  readonly policy?: HeadlessPolicy;
  /** The folder of manifests, when the operator named one. */
  readonly manifests?: ManifestsOption;
  /** Journals a pool sample (bounded use: the observation interval of the plan). */
  sampled(sample: PoolSample): void;
  /** Journals the decision and brings the cluster's copy up to date with it: no other machine asks for it again. */
  decided(event: Omit<Extract<RunEvent, { type: 'decided' }>, 'type'>): Promise<void>;
  checklist(items: readonly ChecklistItem[]): void;
  /** Intent → lock check → send → outcome, each on disk before the next. */
  call(call: MutatingCall, send: Send): Promise<Result<CallReceipt>>;
  /**
   * The same for calls that belong together, one after the other: one write of the cluster's ledger announces all of them,
   * and none is sent after one that failed. The receipt is the last one's.
   */
  calls(planned: readonly PlannedCall[]): Promise<Result<CallReceipt>>;
}

/** What is enough to look around: a step's context has it, and so has the doctor without a run. */
export type LookContext = Pick<StepContext, 'kube' | 'plan' | 'fleet' | 'pooler' | 'secrets' | 'signal'>;

/** Why a step failed, in the words of the failure screen. */
export interface StepFailure {
  readonly cause: string;
  readonly hint: string;
  /** The service the failure belongs to, when it is one of many. */
  readonly service?: string;
  readonly logTail?: readonly string[];
  /** Texts for the doctor (log lines, error messages, events). */
  readonly symptoms?: readonly string[];
  /** What a run without a human ends with; a failed gate otherwise. */
  readonly error?: WizardError;
}

export interface StepResult {
  /** `waived`: the step asked for itself, and went on although not every gate passed; `note` says who decided and why. */
  readonly verdict: Verdict | 'skipped' | 'waived';
  readonly failure?: StepFailure;
  readonly note?: string;
  /** The operator decided to go back. */
  readonly goBack?: RollbackScope;
}

export interface Step {
  readonly info: StepInfo;
  /** What would change. `undefined`: the step changes nothing and asks for nothing. No side effects. */
  plan?(ctx: StepContext): Promise<Result<ChangePreview | undefined>>;
  /** Makes the change. Must be safe to call again after a crash at any instant. */
  apply?(ctx: StepContext): Promise<Result<void>>;
  /** Observes, gives evidence through `ctx.evidence`, and sums up. */
  verify(ctx: StepContext): Promise<Result<StepResult>>;
}
