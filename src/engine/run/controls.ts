/**
 * What the operator wants besides answering the open question: go back, hold, leave. The runner looks here between
 * steps, and a working step is interrupted at its next wait. A mutating call that was sent is interrupted by nothing but
 * leaving, and only after a moment: its intent is in the journal, its outcome is unknown, and a resume asks the cluster.
 */
import { type WizardError, wizardError } from '../result.ts';
import type { RollbackScope } from './model.ts';

/** The reason a step's signal is aborted with. */
export class Interrupted extends Error {
  readonly why: 'leave' | 'rollback' | 'lost-lock' | 'journal' | 'contested';
  constructor(why: Interrupted['why'], message: string) {
    super(message);
    this.name = 'Interrupted';
    this.why = why;
  }
}

/** Somebody took a change of ours back. */
export interface Contest {
  readonly service: string;
  readonly manager: string;
  readonly detail: string;
}

/** How long leaving waits for the answer to a change that was sent: a cluster that is well needs less. */
const ANSWER_MS = 1000;

export class Controls {
  #leave: string | undefined;
  #lockLost: WizardError | undefined;
  #rollback: RollbackScope | undefined;
  #contest: Contest | undefined;
  #goingBack = false;
  #held: { who: string; reason: string } | undefined;
  #abort = new AbortController();
  readonly #abandon = new AbortController();
  #wake: (() => void)[] = [];

  /** Signal of the work that goes on now. A new one is made by `rearm` after an interruption was dealt with. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Aborted soon after the run was left: nobody waits for the answer to a change any more. */
  get abandoned(): AbortSignal {
    return this.#abandon.signal;
  }

  get leaving(): string | undefined {
    return this.#leave;
  }

  get held(): { who: string; reason: string } | undefined {
    return this.#held;
  }

  leave(reason: string): void {
    this.#leave ??= reason;
    this.#interrupt('leave', reason);
    setTimeout(() => this.#abandon.abort(new Interrupted('leave', reason)), ANSWER_MS).unref();
  }

  /** Why the run stops, when it is not because somebody asked for it. */
  get lockLost(): WizardError | undefined {
    return this.#lockLost;
  }

  lostLock(reason: string): void {
    this.#leave ??= reason;
    this.#lockLost ??= wizardError('lock-lost', reason, {
      next: ['Ask them before anything else: pgb-wizard lock show', 'Then resume: the cluster is read first.'],
    });
    this.#interrupt('lost-lock', reason);
  }

  rollback(scope: RollbackScope): void {
    this.#rollback = scope;
    this.#interrupt('rollback', 'the operator asks for a rollback');
  }

  /** Interrupts the step at work. A rollback is not interrupted: it is on its way to where the other one wants to be. */
  contest(contest: Contest): void {
    this.#contest ??= contest;
    if (!this.#goingBack) this.#interrupt('contested', contest.detail);
  }

  takeContest(): Contest | undefined {
    const contest = this.#contest;
    this.#contest = undefined;
    return contest;
  }

  goingBack(now: boolean): void {
    this.#goingBack = now;
  }

  takeRollback(): RollbackScope | undefined {
    const scope = this.#rollback;
    this.#rollback = undefined;
    return scope;
  }

  hold(who: string, reason: string): void {
    this.#held = { who, reason };
    this.#wakeAll();
  }

  unhold(): void {
    this.#held = undefined;
    this.#wakeAll();
  }

  /** After an interruption was dealt with: the next work gets a fresh signal. */
  rearm(): void {
    if (this.#abort.signal.aborted) this.#abort = new AbortController();
  }

  /** Settles at the next change of anything here. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #interrupt(why: Interrupted['why'], message: string): void {
    this.#abort.abort(new Interrupted(why, message));
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const resolve of waiting) resolve();
  }
}
