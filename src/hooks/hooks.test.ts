import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PoolSample, PoolsView } from '../engine/run/model.ts';
import type { PoolTotals } from './pool-totals.ts';
import { tickEvery, ticking } from './use-clock.ts';
import { extendHistory, leadingUp, nextHistory } from './use-history.ts';
import { keyOf } from './use-keys.ts';
import { throttled } from './use-run.ts';

describe('keyOf', () => {
  test('names keys, and calls more than one character text', () => {
    expect(keyOf('y', {})).toBe('y');
    expect(keyOf('', { return: true })).toBe('enter');
    expect(keyOf('\n', {})).toBe('enter');
    expect(keyOf(' ', {})).toBe('space');
    expect(keyOf('c', { ctrl: true })).toBe('ctrl+c');
    expect(keyOf('é', {})).toBe('é');
    expect(keyOf('y\r', {})).toBeUndefined();
    expect(keyOf('y', { meta: true })).toBeUndefined();
  });
});

describe('throttled', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('passes what changes within a moment as one, and the last change of each interval', () => {
    let publish = () => {};
    let stopped = false;
    const calls: number[] = [];
    const stop = throttled((listener) => {
      publish = listener;
      return () => {
        stopped = true;
      };
    }, 250)(() => calls.push(Date.now()));
    const began = Date.now();
    publish();
    for (let n = 0; n < 40; n++) {
      vi.advanceTimersByTime(25);
      publish();
    }
    vi.advanceTimersByTime(1000);
    expect(calls.map((at) => at - began)).toEqual([40, 290, 540, 790, 1040]);
    stop();
    expect(stopped).toBe(true);
  });
});

describe('ticking', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('a tick a second that leaves what comes every two seconds its moment, and no second out', () => {
    const began = Date.now();
    const ticks: number[] = [];
    const stop = ticking(() => ticks.push(Date.now() - began), 1000);
    vi.advanceTimersByTime(4500);
    stop();
    vi.advanceTimersByTime(5000);
    expect(ticks).toEqual([1000, 2200, 3200, 4200]);
  });
});

test('counters move each second, and with the samples once nothing but a question has waited for half a minute', () => {
  const at = (seconds: number) => new Date(seconds * 1000).toISOString();
  const asked = { status: 'asking', waitingFor: { text: 'you', since: at(0) }, timeScale: 1 } as const;
  expect(tickEvery({ ...asked, now: at(20) })).toBe(1000);
  expect(tickEvery({ ...asked, now: at(40) })).toBe(2200);
  expect(tickEvery({ ...asked, now: at(40), status: 'running' })).toBe(1000);
  expect(tickEvery({ ...asked, now: at(40), timeScale: 60 })).toBe(1000);
  expect(tickEvery(undefined)).toBe(1000);
});

describe('extendHistory', () => {
  const sample = (n: number): PoolSample => ({ at: new Date(n * 2000).toISOString(), rows: [] });
  const view = (from: number, to: number): PoolsView => ({
    poolers: [],
    rows: [],
    everyMs: 2000,
    history: Array.from({ length: to - from }, (_, n) => sample(from + n)),
  });

  test('adds what is new and keeps the array when nothing is', () => {
    const first = extendHistory([], view(0, 5));
    expect(first).toHaveLength(5);
    expect(extendHistory(first, view(0, 5))).toBe(first);
    expect(extendHistory(first, view(3, 8))).toHaveLength(8);
  });

  test('stays bounded and keeps both ends of the change', () => {
    let kept: readonly PoolTotals[] = [];
    for (let n = 0; n < 1000; n += 5) kept = extendHistory(kept, view(n, n + 5), { limit: 100 });
    expect(kept.length).toBeLessThanOrEqual(100);
    expect(kept[0]?.at).toBe(0);
    expect(kept[kept.length - 1]?.at).toBe(999 * 2000);
  });

  test('a gap outlives the sample behind it', () => {
    let kept = extendHistory([], view(0, 3));
    kept = extendHistory(kept, view(3, 8), { afterGap: true });
    expect(kept.map((one) => one.gap === true)).toEqual([false, false, false, true, false, false, false, false]);
    for (let n = 8; n < 40; n += 4) kept = extendHistory(kept, view(n, n + 4), { limit: 12 });
    expect(kept.filter((one) => one.gap)).toHaveLength(1);
  });
});

describe('leadingUp', () => {
  const minute = 60_000;
  const at = (...minutes: number[]) => ({
    everyMs: 30_000,
    samples: minutes.map((n) => ({ at: new Date(n * minute).toISOString(), rows: [] })),
  });
  const told = (all: readonly PoolTotals[]) => all.map((one) => `${one.gap ? '|' : ''}${one.at / minute}`).join(' ');

  test('the looks of a watch belong together, and what lies between two watches was not looked at', () => {
    expect(told(leadingUp(at(0, 0.5, 1, 4, 4.5, 5), 6 * minute))).toBe('0 0.5 1 |4 4.5 5');
  });

  test('a pause of over an hour begins anew, wherever it is', () => {
    expect(told(leadingUp(at(0, 0.5, 70, 70.5), 71 * minute))).toBe('70 70.5');
    expect(leadingUp(at(0, 0.5, 1), 62 * minute)).toEqual([]);
    expect(leadingUp(at(), 0)).toEqual([]);
  });

  test('a resumed session shows where it stood, and goes on behind a gap', () => {
    const earlier = at(0, 0.5, 1);
    const view = (...minutes: number[]): PoolsView => ({
      poolers: [],
      rows: [],
      everyMs: 2000,
      earlier,
      history: at(...minutes).samples,
    });
    let kept = nextHistory({ all: [] }, view(), 10);
    expect(told(kept.all)).toBe('0 0.5 1');
    const { all } = kept;
    kept = nextHistory(kept, view(), 900);
    expect(kept.all).toBe(all);
    kept = nextHistory(kept, view(2), 1000);
    kept = nextHistory(kept, view(2, 3), 3000);
    expect(told(kept.all)).toBe('0 0.5 1 |2 3');
    const late = nextHistory(nextHistory({ all: [] }, view(), 10), view(90), 1000);
    expect(told(late.all)).toBe('90');
  });
});
