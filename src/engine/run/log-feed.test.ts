import { expect, test, vi } from 'vitest';
import type { FollowLogOptions } from '../kube/types.ts';
import { fail, ok, type Result } from '../result.ts';
import type { FollowedContainer } from '../steps/followed-logs.ts';
import { realClock } from './clock.ts';
import { LiveView } from './live.ts';
import { LogFeed } from './log-feed.ts';

const container = (pod: string, start = 0): FollowedContainer => ({
  pod,
  container: 'app',
  run: `${pod}/${start}`,
  source: pod,
});

function feed(first: readonly FollowedContainer[]) {
  const live = new LiveView({ logLines: [] } as unknown as ConstructorParameters<typeof LiveView>[0]);
  const opened: { pod: string; options: FollowLogOptions; end: (result: Result<void>) => void }[] = [];
  const state = { wanted: ok(first) as Result<readonly FollowedContainer[]> };
  const logs = new LogFeed({
    kube: {
      followLogs: (_, pod, options) =>
        new Promise((resolve) => {
          opened.push({ pod, options, end: resolve });
          options.signal.addEventListener('abort', () => resolve(ok(undefined)), { once: true });
        }),
    },
    namespace: 'nova',
    live,
    clock: {
      ...realClock(),
      sleep: (_, signal) =>
        new Promise((resolve, reject) => {
          const timer = setTimeout(resolve, 5);
          signal?.addEventListener(
            'abort',
            () => {
              clearTimeout(timer);
              reject(new Error('over'));
            },
            { once: true },
          );
        }),
    },
    wanted: async () => state.wanted,
    signal: new AbortController().signal,
  });
  return { logs, live, opened, state };
}
const texts = (live: LiveView) => live.state.logLines.map((row) => `${row.source}: ${row.text}`);

test('lines come while somebody looks, and the streams end with the last one who does', async () => {
  const { logs, live, opened } = feed([container('cart'), container('auth')]);
  const stops = [logs.watch(), logs.watch()];
  await vi.waitFor(() => expect(opened).toHaveLength(2));
  opened[0]?.options.onLine('one');
  opened[1]?.options.onLine('two');
  await vi.waitFor(() => expect(texts(live)).toEqual(['cart: one', 'auth: two']));
  expect(live.state.following?.sources).toEqual(['cart', 'auth']);
  stops[0]?.();
  stops[0]?.();
  expect(opened[0]?.options.signal.aborted).toBe(false);
  stops[1]?.();
  expect(opened.every((one) => one.options.signal.aborted)).toBe(true);
  await vi.waitFor(() => expect(live.state.following).toBeUndefined());
});

test('a pod that comes is followed, one that is nobody’s any more is not, and what broke off goes on where it was', async () => {
  const { logs, opened, state } = feed([container('old')]);
  const stop = logs.watch();
  await vi.waitFor(() => expect(opened).toHaveLength(1));
  opened[0]?.options.onLine('first');
  opened[0]?.end(fail('stream-failed', 'it broke off', { retryable: true }));
  await vi.waitFor(() => expect(opened).toHaveLength(2));
  expect(opened.map(({ options }) => [options.tail, options.sinceSeconds])).toEqual([
    [20, undefined],
    [undefined, 1],
  ]);
  state.wanted = ok([container('new')]);
  await vi.waitFor(() => expect(opened.map((one) => one.pod)).toEqual(['old', 'old', 'new']));
  expect(opened[1]?.options.signal.aborted).toBe(true);
  stop();
});

test('a container that ended is not asked again; its next start is', async () => {
  const { logs, opened, state } = feed([container('cart')]);
  const stop = logs.watch();
  await vi.waitFor(() => expect(opened).toHaveLength(1));
  opened[0]?.end(ok(undefined));
  state.wanted = ok([container('cart'), container('other')]);
  await vi.waitFor(() => expect(opened).toHaveLength(2));
  state.wanted = ok([container('cart', 1)]);
  await vi.waitFor(() => expect(opened.map((one) => one.pod)).toEqual(['cart', 'other', 'cart']));
  stop();
});

test('that the pods can’t be listed is said', async () => {
  const { logs, live, state } = feed([]);
  state.wanted = fail('not-authorised', 'pods is forbidden');
  const stop = logs.watch();
  await vi.waitFor(() => expect(live.state.following).toEqual({ sources: [], problem: 'pods is forbidden' }));
  stop();
});

test('the next step takes the lines of the one before away, unless somebody reads them', () => {
  const { logs, live } = feed([]);
  live.addLogLines('cart', ['read me']);
  live.set({ following: { sources: ['cart'] } });
  live.addLogLines('cart/app', ['which the stream brings too']);
  live.forgetStep();
  expect(texts(live)).toEqual(['cart: read me']);
  live.set({ following: undefined });
  live.forgetStep();
  expect(texts(live)).toEqual([]);
  expect(logs).toBeDefined();
});
