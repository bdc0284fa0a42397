/** Several abort signals at once. AbortSignal.any keeps long-lived signals growing on older Node 20, so: plain listeners. */
import { setMaxListeners } from 'node:events';

export type Signals = readonly (AbortSignal | undefined)[];

/** Calls `action` at the first abort (at once when already aborted). Returns the release function. */
export function onAbort(signals: Signals, action: () => void): () => void {
  const live = signals.filter((s) => s !== undefined);
  if (live.some((s) => s.aborted)) {
    action();
    return () => undefined;
  }
  // One signal of a run is heard by every watch and wait of it: many listeners are no leak here.
  for (const signal of live) setMaxListeners(0, signal);
  for (const signal of live) signal.addEventListener('abort', action, { once: true });
  return () => {
    for (const signal of live) signal.removeEventListener('abort', action);
  };
}

export const isAborted = (signals: Signals): boolean => signals.some((s) => s?.aborted === true);

/** Waits in real time; false when aborted meanwhile. */
export function pause(ms: number, signals: Signals): Promise<boolean> {
  if (isAborted(signals)) return Promise.resolve(false);
  if (ms <= 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      release();
      resolve(true);
    }, ms);
    const release = onAbort(signals, () => {
      clearTimeout(timer);
      resolve(false);
    });
  });
}

/** The result of the work, or `undefined` when a signal aborts first; the work then goes on alone and its end is nobody's. */
export function unlessAborted<T>(work: Promise<T>, signals: Signals): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const off = onAbort(signals, () => resolve(undefined));
    work.then(
      (value) => {
        off();
        resolve(value);
      },
      (thrown: unknown) => {
        off();
        reject(thrown);
      },
    );
  });
}
