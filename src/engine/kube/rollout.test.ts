import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ok } from '../result.ts';
import { realClock } from '../run/clock.ts';
import { ref } from './refs.ts';
import { followRollout } from './rollout.ts';
import type { Kube, KubeHealth, KubeObject } from './types.ts';

const template = { metadata: { labels: { app: 'auth' } }, spec: { containers: [{ name: 'app' }] } };
/** Patched, and the controller has not taken it up yet: the last thing that was seen before the silence. */
const patched: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'auth', namespace: 'nova', uid: 'u1', generation: 2 },
  spec: { replicas: 1, selector: { matchLabels: { app: 'auth' } }, template },
  status: { observedGeneration: 1 },
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function follow(limitMs: number) {
  let health: KubeHealth = { state: 'ok', ageMs: 0 };
  const said: string[] = [];
  const items = (kind: string) => new Map(kind === 'Deployment' ? [['u1', patched]] : []);
  const kube = {
    watch: (target: { kind: string }) => ({
      synced: Promise.resolve(ok(undefined)),
      items: () => items(target.kind),
      ageMs: () => 0,
      stop: () => {},
    }),
    ref: { context: 'c', cluster: 'c', server: 's', namespace: 'nova' },
    health: () => health,
  } as unknown as Kube;
  const verdict = followRollout(kube, ref('Deployment', 'nova', 'auth'), {
    uid: 'u1',
    match: () => 'target',
    limitMs,
    until: 'drained',
    clock: realClock(),
    signal: new AbortController().signal,
    onProgress: (update) => said.push(update.waitingFor),
  });
  return {
    verdict,
    said,
    silent: (ageMs: number) => (health = { state: 'stale', ageMs }),
    back: () => (health = { state: 'ok', ageMs: 0 }),
  };
}

test('a cluster that is silent for 90 s is no controller that does nothing: the patience runs while it can be seen', async () => {
  const { verdict, said, silent, back } = follow(600_000);
  await vi.advanceTimersByTimeAsync(5_000);
  silent(90_000);
  await vi.advanceTimersByTimeAsync(90_000);
  expect(said.at(-1)).toBe(
    'the cluster to answer again, to follow the rollout of deployment/auth (cluster silent for 90 s)',
  );
  back();
  let over: string | undefined;
  void verdict.then((one) => (over = one.cause));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(over).toBeUndefined();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await verdict).toMatchObject({ outcome: 'failed', cause: 'not-reconciling' });
});

test('a silence as long as the limit ends the wait, and says that nothing is known', async () => {
  const { verdict, silent } = follow(60_000);
  silent(1000);
  await vi.advanceTimersByTimeAsync(70_000);
  expect(await verdict).toMatchObject({ outcome: 'timeout', cause: 'unseen' });
});
