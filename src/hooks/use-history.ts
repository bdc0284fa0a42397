import { useRef } from 'react';
import type { PoolsView } from '../engine/run/model.ts';
import { type PoolTotals, totalsOf } from './pool-totals.ts';

const LIMIT = 720;

/**
 * Adds the samples that are new; at the limit every second of the older half goes, so that the whole change stays in
 * sight at a coarser grain. Returns the same array when nothing was new.
 */
export function extendHistory(kept: readonly PoolTotals[], pools: PoolsView, limit = LIMIT): readonly PoolTotals[] {
  const last = kept[kept.length - 1]?.at ?? Number.NEGATIVE_INFINITY;
  // Newest last: what is already known need not be read again.
  let known = pools.history.length;
  while (known > 0 && Date.parse(pools.history[known - 1]?.at ?? '') > last) known--;
  if (known === pools.history.length) return kept;
  let all = [...kept, ...pools.history.slice(known).map(totalsOf)];
  while (all.length > limit) {
    const half = Math.floor(all.length / 2);
    all = [...all.slice(0, half).filter((_, index) => index % 2 === 0), ...all.slice(half)];
  }
  return all;
}

/** Sums of the pools over the whole change; the snapshot itself keeps whole samples of the last few minutes. */
export function useHistory(pools: PoolsView | undefined): readonly PoolTotals[] {
  const kept = useRef<readonly PoolTotals[]>([]);
  if (pools !== undefined) kept.current = extendHistory(kept.current, pools);
  return kept.current;
}
