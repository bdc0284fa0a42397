import { useRef } from 'react';
import type { PoolSample, PoolsView } from '../engine/run/model.ts';

const LIMIT = 720;

/**
 * Adds the samples that are new; at the limit every second of the older half goes, so that the whole change stays in
 * sight at a coarser grain. Returns the same array when nothing was new.
 */
export function extendHistory(kept: readonly PoolSample[], pools: PoolsView, limit = LIMIT): readonly PoolSample[] {
  const last = kept[kept.length - 1]?.at ?? '';
  const fresh = pools.history.filter((sample) => sample.at > last);
  if (fresh.length === 0) return kept;
  let all = [...kept, ...fresh];
  while (all.length > limit) {
    const half = Math.floor(all.length / 2);
    all = [...all.slice(0, half).filter((_, index) => index % 2 === 0), ...all.slice(half)];
  }
  return all;
}

/** Pool samples of the whole change; the snapshot itself keeps the last few minutes. */
export function useHistory(pools: PoolsView | undefined): readonly PoolSample[] {
  const kept = useRef<readonly PoolSample[]>([]);
  if (pools !== undefined) kept.current = extendHistory(kept.current, pools);
  return kept.current;
}
