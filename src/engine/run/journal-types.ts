/** The shapes of the journal: what `openJournal` and `readJournal` give (journal.ts, journal-read.ts). */
import type { Result } from '../result.ts';
import type { Clock } from './clock.ts';
import type { JournalLine, RunEvent } from './events.ts';

/** A last line that was cut off by a crash; its bytes were kept in `keptIn` when the journal was opened for writing. */
interface TornTail {
  readonly bytes: number;
  readonly atByte: number;
  readonly keptIn?: string;
}

export interface JournalContent {
  readonly lines: readonly JournalLine[];
  /** Hash of the last whole line; 64 zeros when there is none. */
  readonly head: string;
  /** Bytes of whole, verified lines. */
  readonly bytes: number;
  readonly torn?: TornTail;
}

/** The one writer of a run's journal. Holds an exclusive lock until `close`. */
export interface Journal {
  readonly runId: string;
  /** Of `events.jsonl`. */
  readonly path: string;
  /** What was in it when it was opened; empty for a new run. */
  readonly opened: JournalContent;
  readonly events: number;
  readonly head: string;
  /**
   * Writes one event. Returns when it is on the disk (write and fsync), unless `durable` is false (samples of pools):
   * those are on the disk after the next durable event, `sync` or `close`. Fails with `journal-write`, after which the
   * line is not part of the journal and nothing written before is lost; the next append may succeed again.
   */
  append(event: RunEvent, options?: { readonly durable?: boolean }): Result<JournalLine>;
  sync(): Result<void>;
  /** Syncs, closes, gives the lock back. Safe to call twice. */
  close(): Result<void>;
}

export interface OpenJournalOptions {
  /** The run's own folder (paths.ts, `runDir`). */
  readonly dir: string;
  readonly runId: string;
  readonly clock: Pick<Clock, 'now'>;
  /** True: a new journal, `already-exists` when there is one. False: an existing one, `not-found` when there is none. */
  readonly create: boolean;
}
