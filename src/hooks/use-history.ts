import { useRef } from 'react';
import type { PoolsView } from '../engine/run/model.ts';
import { type PoolTotals, totalsOf } from './pool-totals.ts';

const LIMIT = 720;
/** A run that was parked for longer begins its chart anew: what came before would be squeezed to a line at its edge. */
const PAUSE_MS = 60 * 60_000;
/** A sample that is later than so many of its turns says that some are missing. */
const LATE = 3;

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

/**
 * What led up to a session, of the samples that the journal kept of those before: from the last pause of over an hour on,
 * the one that `now` (ms since the epoch) ends among them. The journal holds the looks of watches and soaks, and nothing of
 * the time between two of them: that is a gap.
 */
export function leadingUp({ samples, everyMs }: Earlier, now: number): readonly PoolTotals[] {
  let all: PoolTotals[] = [];
  for (const one of samples.map(totalsOf)) {
    const apart = one.at - (all[all.length - 1]?.at ?? one.at);
    if (apart > PAUSE_MS) all = [one];
    else all.push(apart > LATE * everyMs ? { ...one, gap: true } : one);
  }
  return now - (all[all.length - 1]?.at ?? now) > PAUSE_MS ? [] : all;
}

type Earlier = NonNullable<PoolsView['earlier']>;

interface Kept {
  readonly all: readonly PoolTotals[];
  /** Real time of the newest of them, ms; absent while they are all of an earlier session. */
  readonly since?: number;
}

/** The next state of the history: the first samples of a session follow what led up to it. `real` is real time, ms. */
export function nextHistory(kept: Kept, pools: PoolsView, real: number): Kept {
  const first = pools.history[0];
  let { all } = kept;
  if (kept.since === undefined && pools.earlier !== undefined && (all.length === 0 || first !== undefined)) {
    const { samples } = pools.earlier;
    const newest = first ?? samples[samples.length - 1];
    all = newest === undefined ? [] : leadingUp(pools.earlier, Date.parse(newest.at));
  }
  const afterGap = all.length > 0 && (kept.since === undefined || real - kept.since > LATE * pools.everyMs);
  const next = extendHistory(all, pools, { afterGap });
  if (next !== all) return { all: next, since: real };
  return all === kept.all || all.length === 0 ? kept : { all };
}

/**
 * Sums of the pools over the whole change, across its sessions; the snapshot itself keeps whole samples of the last few minutes.
 * Whether samples are missing is judged by real time: run time may pass faster, and then says nothing about them.
 */
export function useHistory(pools: PoolsView | undefined): readonly PoolTotals[] {
  const kept = useRef<Kept>({ all: [] });
  if (pools !== undefined) kept.current = nextHistory(kept.current, pools, performance.now());
  return kept.current.all;
}
