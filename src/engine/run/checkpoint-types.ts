/** The shapes of the checkpoint, the small index of runs (checkpoint.ts). */
import type { Result } from '../result.ts';
import type { Outcome, Timestamp } from './model.ts';

export interface CheckpointEntry {
  readonly runId: string;
  readonly context: string;
  readonly server: string;
  readonly namespace: string;
  /** uid of the namespace, which tells one cluster from another better than its address does; empty when it can't be read. */
  readonly clusterUid: string;
  readonly planName: string;
  readonly planHash: string;
  readonly startedAt: Timestamp;
  readonly updatedAt: Timestamp;
  readonly status: 'running' | 'parked' | 'ended';
  readonly outcome?: Outcome;
  /** The phase it is in: `p2`. */
  readonly phase: string;
  /** Steps. */
  readonly done: number;
  readonly total: number;
  readonly pid: number;
  readonly host: string;
  readonly rehearsal: boolean;
  /** Lines of the journal at that time: a journal that is shorter now has lost its end (a copy, a restored backup). */
  readonly events?: number;
}

export interface Checkpoint {
  /** What opening had to repair, for the operator; empty when all was well. */
  readonly notices: readonly string[];
  /** Newest first. */
  list(): Result<readonly CheckpointEntry[]>;
  get(runId: string): Result<CheckpointEntry | undefined>;
  /** Inserts or replaces. Safe with other processes doing the same. */
  put(entry: CheckpointEntry): Promise<Result<void>>;
  remove(runId: string): Promise<Result<void>>;
  /** Reads every journal under the state folder and writes the index anew. */
  rebuild(): Promise<
    Result<{ readonly runs: number; readonly unreadable: readonly { readonly runId: string; readonly why: string }[] }>
  >;
}
