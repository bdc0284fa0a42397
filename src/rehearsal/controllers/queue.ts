/**
 * A controller's work queue: keys, not events. A key that is added while it waits is worked once; a key that fails is
 * tried again after 5 ms doubling to 10 s, as client-go's rate limiter does. Keys are worked one at a time, each in a
 * turn of its own, so that nothing runs inside the store's write that caused it.
 */
export interface WorkQueue {
  add(key: string): void;
  addAfter(key: string, milliseconds: number): void;
  close(): void;
}

const FIRST_RETRY_MS = 5;
const LAST_RETRY_MS = 10_000;

export function createWorkQueue(work: (key: string) => void, report: (key: string, error: unknown) => void): WorkQueue {
  const waiting = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, { due: number; timer: NodeJS.Timeout }>();
  let scheduled = false;
  let closed = false;

  const turn = () => {
    scheduled = false;
    const key = waiting.values().next().value;
    if (key === undefined || closed) return;
    waiting.delete(key);
    try {
      work(key);
      failures.delete(key);
    } catch (error) {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      if ((error as { code?: number }).code !== 409) report(key, error);
      queue.addAfter(key, Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (count - 1)));
    }
    schedule();
  };
  const schedule = () => {
    if (scheduled || closed || waiting.size === 0) return;
    scheduled = true;
    setImmediate(turn);
  };
  const queue: WorkQueue = {
    add(key) {
      if (closed) return;
      waiting.add(key);
      schedule();
    },
    addAfter(key, milliseconds) {
      if (closed) return;
      const due = Date.now() + milliseconds;
      const pending = timers.get(key);
      if (pending && pending.due <= due) return;
      if (pending) clearTimeout(pending.timer);
      const timer = setTimeout(
        () => {
          timers.delete(key);
          queue.add(key);
        },
        Math.min(milliseconds, 2 ** 31 - 1),
      );
      timer.unref();
      timers.set(key, { due, timer });
    },
    close() {
      closed = true;
      for (const { timer } of timers.values()) clearTimeout(timer);
      timers.clear();
      waiting.clear();
    },
  };
  return queue;
}
