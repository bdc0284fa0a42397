/**
 * AsyncLocalStorage is paid for by every promise and timer of a process from its first use on (Node 20 and 22): a quarter of the
 * CPU of an open dashboard. @inquirer/core keeps its state in one, needs it no longer once a prompt is over, and leaves it on.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Runs `work`, and turns off whatever storages it turned on. */
export async function withoutStorages<T>(work: () => Promise<T>): Promise<T> {
  const used = new Set<AsyncLocalStorage<unknown>>();
  const { run } = AsyncLocalStorage.prototype;
  AsyncLocalStorage.prototype.run = function (this: AsyncLocalStorage<unknown>, ...args: Parameters<typeof run>) {
    used.add(this);
    return run.apply(this, args);
  } as typeof run;
  try {
    return await work();
  } finally {
    AsyncLocalStorage.prototype.run = run;
    for (const storage of used) storage.disable();
  }
}
