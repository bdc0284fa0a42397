/** What the gates look at (gates.ts). Every field that could not be measured is left out: the gate is then inconclusive. */
import type { GateView, PoolRow, Timestamp } from './model.ts';

export interface GateSample {
  readonly at: Timestamp;
  /** Rows of every pooler pod; absent when not every pooler pod could be read. */
  readonly pools?: readonly PoolRow[];
  /** Error lines in the logs of pooler and services since the sample before. */
  readonly logErrors?: number;
  /** Mean query time as the poolers saw it, ms; the worst of `pools[].avgQueryMs` when left out. */
  readonly queryTimeMs?: number;
  /** Longest query that a watched service runs at this moment, and the longest that is still no news, ms. */
  readonly longestQuery?: { readonly observedMs: number; readonly limitMs: number };
  /** Response time of the slowest watched service, ms. */
  readonly responseTime?: ResponseSample;
  /** What failed since the sample before, by who tells. */
  readonly failures?: FailureSample;
  /** The guide's alerts as Prometheus sees them, when the plan names one. */
  readonly prometheus?: { readonly agrees: boolean; readonly observed: string };
  /** Client connections in PostgreSQL, and what the plan computed for this moment. */
  readonly pgConnections?: { readonly observed: number; readonly expected: number };
  /** Direct connections that services which were switched still hold. */
  readonly directLeft?: number;
}

export interface ResponseSample {
  readonly service: string;
  /** Median, and the range in which the true one lies with 95 % certainty. */
  readonly observedMs: number;
  readonly lowMs: number;
  readonly highMs: number;
  readonly answers: number;
  readonly baselineMs: number;
  /** The baseline and the percent of the plan, or the noise of the measurement where that is more. */
  readonly limitMs: number;
}

export interface FailureSample {
  /** `source` completes "3 of 120 …". */
  readonly counts: readonly (
    | { readonly source: string; readonly failed: number; readonly total: number }
    | { readonly source: string; readonly percent: number }
  )[];
  /** Sources that belong to it and could not be asked. */
  readonly unread: readonly string[];
}

export type GateId =
  | 'clients-waiting'
  | 'max-wait'
  | 'servers-active'
  | 'query-time'
  | 'longest-query'
  | 'response-time'
  | 'error-rate'
  | 'log-errors'
  | 'pg-connections'
  | 'direct-left'
  | 'prometheus';

export interface Gates {
  /** Takes a sample and returns all gates. A gate fails after N failing samples in a row, and passes again with one good one. */
  observe(sample: GateSample): readonly GateView[];
  views(): readonly GateView[];
  /** Forgets all samples: a new phase or service starts. */
  reset(): void;
}
