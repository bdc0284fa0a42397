/** The end of a session: how long it waits for a cluster that may be silent. */
import { onAbort } from '../kube/abort.ts';

/** A run that came to its end by itself: nobody is in a hurry, and the ledger should say how it ended. */
const ENDED_MS = 20_000;
/** Somebody leaves: the lock runs out by itself, the journal is here, and a terminal is waited for. */
const LEFT_MS = 1200;

/** One allowance for all that is still said to the cluster; what is under way when it is used up ends with the connection. */
export class LastWords {
  readonly #over = new AbortController();

  constructor(left: boolean) {
    setTimeout(() => this.#over.abort(new Error('the cluster does not answer')), left ? LEFT_MS : ENDED_MS).unref();
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Waits for the work, but not past the allowance. Never rejects for the allowance; a bug in the work does. */
  wait(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const off = onAbort([this.#over.signal], resolve);
      work.then(() => resolve(), reject).finally(off);
    });
  }
}
