/** What a chart of the whole change needs of a sample: sums over its pools. The rows themselves are many and short-lived. */
import type { PoolSample } from '../engine/run/model.ts';

export interface PoolTotals {
  /** ms since the epoch. */
  readonly at: number;
  readonly clients: number;
  readonly waiting: number;
  readonly active: number;
  /** ms: the slowest pool's mean, because an average over pools would hide it; NaN before there are two samples. */
  readonly queryMs: number;
  /** Samples are missing before this one: no pooler answered for a while. */
  readonly gap?: boolean;
}

export function totalsOf(sample: PoolSample): PoolTotals {
  let clients = 0;
  let waiting = 0;
  let active = 0;
  let queryMs = Number.NaN;
  for (const row of sample.rows) {
    clients += row.clActive;
    waiting += row.clWaiting;
    active += row.svActive;
    if (row.avgQueryMs !== undefined && !(row.avgQueryMs <= queryMs)) queryMs = row.avgQueryMs;
  }
  return { at: Date.parse(sample.at), clients, waiting, active, queryMs };
}
