import { useRef } from 'react';
import type { PoolsView } from '../engine/run/model.ts';
import { type PoolTotals, totalsOf } from './pool-totals.ts';

const LIMIT = 720;

/**
 * Adds the samples that are new, the first of them behind a gap when `afterGap`; at the limit every second of the older half
 * goes, so that the whole change stays in sight at a coarser grain. Returns the same array when nothing was new.
 */
export function extendHistory(
  kept: readonly PoolTotals[],
  pools: PoolsView,
  { limit = LIMIT, afterGap = false }: { limit?: number; afterGap?: boolean } = {},
): readonly PoolTotals[] {
  const last = kept[kept.length - 1]?.at ?? Number.NEGATIVE_INFINITY;
  // Newest last: what is already known need not be read again.
  let known = pools.history.length;
  while (known > 0 && Date.parse(pools.history[known - 1]?.at ?? '') > last) known--;
  if (known === pools.history.length) return kept;
  const fresh = pools.history.slice(known).map(totalsOf);
  let all = [...kept, ...fresh.map((one, index) => (afterGap && index === 0 ? { ...one, gap: true } : one))];
  while (all.length > limit) {
    const half = Math.floor(all.length / 2);
    all = [...thinned(all.slice(0, half)), ...all.slice(half)];
  }
  return all;
}

/** Every second one; a gap before one that goes is a gap before the next that stays. */
function thinned(all: readonly PoolTotals[]): PoolTotals[] {
  return all.flatMap((one, index) => {
    if (index % 2 === 1) return [];
    return all[index - 1]?.gap && !one.gap ? [{ ...one, gap: true }] : [one];
  });
}

/** A sample that is later than so many of its turns says that some are missing. */
const LATE = 3;

/** Sums of the pools over the whole change; the snapshot itself keeps whole samples of the last few minutes. */
export function useHistory(pools: PoolsView | undefined): readonly PoolTotals[] {
  const kept = useRef<{ readonly all: readonly PoolTotals[]; readonly since: number }>({ all: [], since: 0 });
  if (pools !== undefined) {
    const { all, since } = kept.current;
    // Real time: run time may pass faster, and then says nothing about the samples.
    const now = performance.now();
    const afterGap = all.length > 0 && now - since > LATE * pools.everyMs;
    const next = extendHistory(all, pools, { afterGap });
    if (next !== all) kept.current = { all: next, since: now };
  }
  return kept.current.all;
}
