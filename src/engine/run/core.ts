/**
 * The heart of a run: its journal, the state folded from it, and the live view, joined into snapshots. Every fact goes
 * through `record`, so that a screen can't show what the journal doesn't know.
 */
import { err, type Result, type WizardError } from '../result.ts';
import type { Clock } from './clock.ts';
import type { RunEvent } from './events.ts';
import { fold, phaseViews, type RunState } from './fold.ts';
import type { Journal } from './journal-types.ts';
import type { LiveView } from './live.ts';
import type { RunSnapshot, ServiceView } from './model.ts';

/** Thrown inside the runner when the journal can't be written: nothing may happen that can't be written down. */
export class JournalStopped extends Error {
  readonly error: WizardError;
  constructor(error: WizardError) {
    super(error.message);
    this.error = error;
  }
}

export interface CorePorts {
  readonly journal: Journal;
  readonly live: LiveView;
  readonly clock: Clock;
  /** Called after each durable event, to keep the index of runs fresh. */
  readonly onRecorded?: (state: RunState) => void;
}

export class RunCore {
  readonly journal: Journal;
  readonly live: LiveView;
  readonly clock: Clock;
  readonly #onRecorded: ((state: RunState) => void) | undefined;
  #state: RunState;
  #snapshot: { live: number; events: number; value: RunSnapshot } | undefined;

  constructor(ports: CorePorts, state: RunState) {
    this.journal = ports.journal;
    this.live = ports.live;
    this.clock = ports.clock;
    this.#onRecorded = ports.onRecorded;
    this.#state = state;
  }

  get state(): RunState {
    return this.#state;
  }

  /** RFC 3339 of now, in run time. */
  timestamp(atMs: number = this.clock.now()): string {
    return new Date(atMs).toISOString();
  }

  /** Writes an event and folds it. Throws `JournalStopped` when the disk refuses. */
  record(event: RunEvent, options?: { readonly durable?: boolean }): void {
    const written = this.tryRecord(event, options);
    if (!written.ok) throw new JournalStopped(written.error);
  }

  /** As `record`, for callers that must go on after a refusal (the outcome of a call that was already sent). */
  tryRecord(event: RunEvent, options?: { readonly durable?: boolean }): Result<void> {
    const written = this.journal.append(event, options);
    if (!written.ok) return err(written.error);
    this.#state = fold(this.#state, written.value);
    this.live.touch();
    if (options?.durable !== false) this.#onRecorded?.(this.#state);
    return { ok: true, value: undefined };
  }

  message(level: 'info' | 'warn' | 'error', text: string): void {
    this.record({ type: 'message', level, text }, { durable: false });
  }

  /** The same object until the journal or the live view changes. */
  snapshot(): RunSnapshot {
    const cached = this.#snapshot;
    if (cached && cached.live === this.live.version && cached.events === this.journal.events) return cached.value;
    const value = this.#build();
    this.#snapshot = { live: this.live.version, events: this.journal.events, value };
    return value;
  }

  #build(): RunSnapshot {
    const state = this.#state;
    const live = this.live.state;
    return {
      ...identityOf(state),
      // A run that has ended took as long as it took, whatever is done with its record afterwards.
      now: this.state.endedAt ?? this.timestamp(),
      status: live.status,
      outcome: live.outcome ?? state.outcome,
      endedFor: live.status === 'ended' ? (state.status === 'parked' ? state.parkedFor : state.cause) : undefined,
      error: live.error,
      phases: phaseViews(state),
      steps: state.steps,
      services: state.services.map((service) => serviceView(service, live)),
      currentStep: state.currentStep,
      waitingFor: live.waitingFor,
      ask: live.ask,
      heldFor: live.heldFor,
      pools: live.pools,
      gates: live.gates,
      checklist: state.checklist,
      messages: state.messages,
      logLines: live.logLines,
      following: live.following,
      lock: live.lock,
      cluster: live.cluster,
      journal: { path: this.journal.path, events: this.journal.events, headHash: this.journal.head },
      exportedTo: live.exportedTo,
    };
  }
}

/** What never changes of a run, as snapshots tell it. */
export const identityOf = (state: RunState) => ({
  runId: state.runId,
  operator: state.operator,
  context: state.cluster.context,
  namespace: state.cluster.namespace,
  planName: state.planName,
  startedAt: state.startedAt,
  timeScale: state.timeScale,
  rehearsal: state.rehearsal,
});

function serviceView(service: RunState['services'][number], live: LiveView['state']): ServiceView {
  return {
    name: service.name,
    phase: service.phase,
    state: service.state,
    workload: service.workload,
    rollout: live.rollouts[service.name],
    ...live.connections[service.name],
  };
}
