/**
 * What the operator wants besides answering the open question: go back, hold, leave. The runner looks here between
 * steps, and a working step is interrupted at its next wait. A mutating call that was sent is never interrupted.
 */
import type { RollbackScope } from './model.ts';

/** The reason a step's signal is aborted with. */
export class Interrupted extends Error {
  readonly why: 'leave' | 'rollback' | 'lost-lock' | 'journal';
  constructor(why: Interrupted['why'], message: string) {
    super(message);
    this.name = 'Interrupted';
    this.why = why;
  }
}

export class Controls {
  #leave: string | undefined;
  #rollback: RollbackScope | undefined;
  #held: { who: string; reason: string } | undefined;
  #abort = new AbortController();
  #wake: (() => void)[] = [];

  /** Signal of the work that goes on now. A new one is made by `rearm` after an interruption was dealt with. */
  get signal(): AbortSignal {
    return this.#abort.signal;
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
  }

  lostLock(reason: string): void {
    this.#leave ??= reason;
    this.#interrupt('lost-lock', reason);
  }

  rollback(scope: RollbackScope): void {
    this.#rollback = scope;
    this.#interrupt('rollback', 'the operator asks for a rollback');
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
