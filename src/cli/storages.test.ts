import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { withoutStorages } from './storages.ts';

test('a storage works while the work lasts, and is off afterwards', async () => {
  const storage = new AsyncLocalStorage<string>();
  const { run } = AsyncLocalStorage.prototype;
  let later: Promise<string | undefined> | undefined;
  const answer = await withoutStorages(() =>
    storage.run('state', async () => {
      await null;
      later = new Promise((resolve) => setImmediate(() => resolve(storage.getStore())));
      return storage.getStore();
    }),
  );
  expect(answer).toBe('state');
  expect(await later).toBeUndefined();
  expect(AsyncLocalStorage.prototype.run).toBe(run);
});

test('what the work throws comes through, and nothing stays patched', async () => {
  const { run } = AsyncLocalStorage.prototype;
  await expect(withoutStorages(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(AsyncLocalStorage.prototype.run).toBe(run);
});
