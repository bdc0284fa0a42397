import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ok } from '../result.ts';
import { listOf } from './refs.ts';
import type { KubeObject, WatchEvent } from './types.ts';
import { startWatch, type WatchDeps } from './watch.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pod = (name: string, version: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, uid: name, resourceVersion: `${version}` },
});

/** A watch over a server that is played: what it lists, and what its streams say. */
function watched() {
  let items = [pod('a', 1)];
  let version = 1;
  let lists = 0;
  const streams: PassThrough[] = [];
  const events: string[] = [];
  const stop = new AbortController();
  const transport = {
    closed: stop.signal,
    countWatch: () => {},
    alive: () => {},
    async open() {
      streams.push(new PassThrough());
      return ok(streams.at(-1));
    },
  };
  const deps = {
    transport,
    async list() {
      lists++;
      return ok({ items: structuredClone(items), resourceVersion: `${version}` });
    },
  } as unknown as WatchDeps;
  const handle = startWatch(deps, listOf('Pod', 'nova'), {
    signal: stop.signal,
    safetyPollMs: 15_000,
    onEvent: ({ type, object }: WatchEvent) => events.push(`${type} ${object.metadata.name}`),
  });
  return {
    handle,
    events,
    streams,
    lists: () => lists,
    /** What a new LIST would show; no stream tells of it. */
    happen(next: KubeObject[], at: number) {
      items = next;
      version = at;
    },
    say: (event: object) => streams.at(-1)!.write(`${JSON.stringify(event)}\n`),
    stop: () => stop.abort(),
  };
}

test('a stream that says nothing for 15 s is asked beside; one that knew less than the LIST is opened anew', async () => {
  const one = watched();
  await one.handle.synced;
  await vi.advanceTimersByTimeAsync(14_000);
  expect(one.lists()).toBe(1);
  one.happen([pod('a', 1), pod('b', 2)], 2);
  await vi.advanceTimersByTimeAsync(1_100);
  expect(one.lists()).toBe(2);
  expect(one.events).toEqual(['ADDED a', 'ADDED b']);
  expect(one.streams[0]!.destroyed).toBe(true);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(one.streams).toHaveLength(2);
  one.stop();
});

test('a silent stream without news is left alone, and asked again 15 s later', async () => {
  const one = watched();
  await one.handle.synced;
  await vi.advanceTimersByTimeAsync(60_500);
  expect(one.lists()).toBe(5);
  expect(one.streams).toHaveLength(1);
  expect(one.handle.ageMs()).toBeLessThan(15_000);
  one.stop();
});

test('a stream that speaks costs no LIST, and is asked as soon as it has been silent', async () => {
  const one = watched();
  await one.handle.synced;
  for (let second = 0; second < 60; second += 5) {
    await vi.advanceTimersByTimeAsync(5_000);
    one.say({ type: 'MODIFIED', object: pod('a', 100 + second) });
    await vi.advanceTimersByTimeAsync(1);
    expect(one.handle.ageMs()).toBeLessThan(5_000);
  }
  expect(one.lists()).toBe(1);
  await vi.advanceTimersByTimeAsync(15_100);
  expect(one.lists()).toBe(2);
  one.stop();
});
