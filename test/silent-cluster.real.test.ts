/** The API server answers nothing but 503 in the middle of a rollout, for longer than any patience of the rollout's judge. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RehearsedCluster, rehearsedCluster } from './rehearsed-run.ts';

const SILENT_MS = 40_000;

let lab: RehearsedCluster;
beforeAll(async () => {
  lab = await rehearsedCluster();
});
afterAll(() => lab.close());

test('a silent cluster is waited for: the screen says so all the time, nothing is judged, and the run goes on', async () => {
  const { faults } = lab.cluster.api;
  const said = new Set<string>();
  const pools = new Set<string>();
  let cut: 'before' | 'silent' | 'over' = 'before';
  let last = 0;
  let longestStill = 0;
  const end = await lab.run({
    stopAfter: 'p2.identity-service.health',
    watch: (seen) => {
      const now = performance.now();
      if (cut === 'silent') {
        longestStill = Math.max(longestStill, now - last);
        if (seen.waitingFor) said.add(seen.waitingFor.text.replace(/\d+ s/, 'N s'));
        for (const pooler of seen.pools.poolers) pools.add(pooler.state);
      }
      last = now;
      if (
        cut !== 'before' ||
        seen.services.find((one) => one.name === 'identity-service')?.rollout?.stage !== 'updating'
      )
        return;
      cut = 'silent';
      faults.add({ id: 'silent', times: 0, action: { type: 'status', code: 503 } });
      faults.restart();
      setTimeout(() => {
        cut = 'over';
        faults.clear();
      }, SILENT_MS);
    },
  });
  expect(cut).toBe('over');
  expect([...said]).toContain(
    'the cluster to answer again, to follow the rollout of deployment/identity-service (cluster silent for N s)',
  );
  expect([...pools]).toContain('down');
  expect(longestStill).toBeLessThan(5000);
  expect(end.steps.filter((step) => step.service === 'identity-service').map((step) => step.state)).toEqual([
    'pass',
    'pass',
    'pass',
  ]);
});
