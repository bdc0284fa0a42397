import { Worker } from 'node:worker_threads';
import { expect, test, vi } from 'vitest';
import { startCluster } from '../cluster.ts';

test('the threads of a cluster under load end by themselves when it closes', async () => {
  const terminate = vi.spyOn(Worker.prototype, 'terminate');
  const cluster = await startCluster({ services: 4, pace: 20 });
  await vi.waitFor(() => expect(cluster.report().totals.queries).toBeGreaterThan(50), { timeout: 20_000 });
  await cluster.close();
  expect(terminate).not.toHaveBeenCalled();
  terminate.mockRestore();
});
