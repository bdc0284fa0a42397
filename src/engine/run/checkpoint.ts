/**
 * The checkpoint: the small index of runs (which exist, against which cluster and plan, where each stands). It holds no
 * truth of its own: all of it can be rebuilt from the journals, and is when it is damaged.
 *
 * It lies in `conf`, whose traps are handled here: the folder is made 0700 by us; a damaged file is moved aside, never
 * reset (`clearInvalidConfig` stays off); two processes take turns by a lock, as conf loses updates otherwise; whole
 * objects are written, because dotted keys with numbers become arrays; a checksum finds what still parses but was
 * changed; the temporary files of killed writers are swept.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf, sha256 } from '../plan/canonical.ts';
import { EXIT, fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { checkpointEntry, ENTRY_SCHEMA } from './checkpoint-entry.ts';
import type { Checkpoint, CheckpointEntry } from './checkpoint-types.ts';
import { foldAll } from './fold.ts';
import { nodeFiles, writeContent } from './journal-files.ts';
import { type FileLock, lockFile } from './journal-lock.ts';
import { readJournal } from './journal-read.ts';
import { ensurePrivateDir, journalPath, runDir, runIds } from './paths.ts';

export { checkpointEntry, journalShortfall } from './checkpoint-entry.ts';
export type { Checkpoint, CheckpointEntry } from './checkpoint-types.ts';

const VERSION = 1;
const NAME = 'checkpoint';
const LOCK_WAIT_MS = 5000;
/** A temporary file older than this belongs to no living write. */
const SWEEP_AFTER_MS = 60_000;

type Runs = { readonly [runId: string]: CheckpointEntry };
interface Stored {
  readonly version: number;
  readonly runs: Runs;
  readonly sum: string;
}

/** Opens (or makes) the index in the state folder. Errors: `journal-write`, `locked`, `prerequisite-missing` (newer version). */
export async function openCheckpoint(dir: string): Promise<Result<Checkpoint>> {
  const made = ensurePrivateDir(dir);
  if (!made.ok) return made;
  const { Conf } = await import('./checkpoint-conf.ts');
  const store = new CheckpointStore(dir, (options) => new Conf<Record<string, unknown>>(options as object));
  const opened = await store.repair();
  return opened.ok ? ok(store) : opened;
}

interface ConfLike {
  store: Record<string, unknown>;
}

class CheckpointStore implements Checkpoint {
  readonly #notices: string[] = [];
  readonly #dir: string;
  readonly #conf: (options: unknown) => ConfLike;
  /** Made with the first write: it compiles the schema, and refuses to be made over a damaged file. */
  #opened: ConfLike | undefined;

  constructor(dir: string, conf: (options: unknown) => ConfLike) {
    this.#dir = dir;
    this.#conf = conf;
  }

  get notices(): readonly string[] {
    return this.#notices;
  }

  get #path(): string {
    return join(this.#dir, `${NAME}.json`);
  }

  list(): Result<readonly CheckpointEntry[]> {
    const runs = this.#read();
    if (!runs.ok) return runs;
    return ok(
      Object.values(runs.value).sort((a, b) => (a.startedAt < b.startedAt ? 1 : a.startedAt > b.startedAt ? -1 : 0)),
    );
  }

  get(runId: string): Result<CheckpointEntry | undefined> {
    const runs = this.#read();
    return runs.ok ? ok(Object.hasOwn(runs.value, runId) ? runs.value[runId] : undefined) : runs;
  }

  put(entry: CheckpointEntry): Promise<Result<void>> {
    return this.#change((runs) => ({ ...runs, [entry.runId]: entry }));
  }

  remove(runId: string): Promise<Result<void>> {
    return this.#change((runs) => Object.fromEntries(Object.entries(runs).filter(([id]) => id !== runId)));
  }

  rebuild(): ReturnType<Checkpoint['rebuild']> {
    return this.#locked(() => this.#rebuildLocked());
  }

  /** Brings the file into a readable state: sweeps, moves a damaged file aside and rebuilds. Part of opening. */
  repair(): Promise<Result<void>> {
    return this.#locked(() => {
      this.#sweep();
      const runs = this.#read();
      if (runs.ok) return existsSync(this.#path) ? ok(undefined) : this.#first();
      return runs.error.code === 'checkpoint-corrupt' ? this.#replaceDamaged(runs.error.message) : runs;
    });
  }

  /** No index: a new machine, or someone deleted it. Journals that are there come back. */
  #first(): Result<void> {
    const ids = runIds(this.#dir);
    if (!ids.ok) return ids;
    if (ids.value.length === 0) return this.#write({});
    const rebuilt = this.#rebuildLocked();
    if (!rebuilt.ok) return rebuilt;
    this.#notices.push(
      `the index of runs was missing; ${rebuilt.value.runs} runs were found again from their journals`,
    );
    return ok(undefined);
  }

  #replaceDamaged(why: string): Result<void> {
    const aside = `${this.#path}.damaged-${sha256(readFileSync(this.#path)).slice(0, 8)}`;
    renameSync(this.#path, aside);
    const rebuilt = this.#rebuildLocked();
    if (!rebuilt.ok) return rebuilt;
    const { runs, unreadable } = rebuilt.value;
    const lost = unreadable.length > 0 ? `; not readable: ${unreadable.map((run) => run.runId).join(', ')}` : '';
    this.#notices.push(
      `${why}; it was kept as ${sanitiseLine(aside)} and rebuilt from the journals (${runs} ${runs === 1 ? 'run' : 'runs'}${lost})`,
    );
    return ok(undefined);
  }

  #rebuildLocked(): Awaited<ReturnType<Checkpoint['rebuild']>> {
    const ids = runIds(this.#dir);
    if (!ids.ok) return ids;
    const before = this.#lastGood();
    const runs: Record<string, CheckpointEntry> = {};
    const unreadable: { runId: string; why: string }[] = [];
    for (const runId of ids.value) {
      const content = readJournal(journalPath(runDir(this.#dir, runId)), runId);
      if (!content.ok) {
        unreadable.push({ runId, why: content.error.message });
        // The run can still be resumed from the cluster's copy: it stays in the index as it was last known.
        if (Object.hasOwn(before, runId)) runs[runId] = before[runId]!;
        continue;
      }
      const state = foldAll(content.value.lines);
      if (!state) continue;
      const old = Object.hasOwn(before, runId) ? before[runId] : undefined;
      const entry = checkpointEntry(state, old?.server ?? '');
      // The journal may have lost its end (a restored copy): the index must not forget that there was more.
      runs[runId] = { ...entry, events: Math.max(entry.events ?? 0, old?.events ?? 0) };
    }
    const written = this.#write(runs);
    return written.ok ? ok({ runs: Object.keys(runs).length, unreadable }) : written;
  }

  /** What the last write left, for the few facts that journals don't hold. Whatever is wrong with it, it is only a help. */
  #lastGood(): Runs {
    const read = readStored(`${this.#path}.last-good`);
    return read.ok ? read.value : {};
  }

  async #change(change: (runs: Runs) => Runs): Promise<Result<void>> {
    return this.#locked(() => {
      let runs = this.#read();
      if (!runs.ok && runs.error.code === 'checkpoint-corrupt') {
        const replaced = this.#replaceDamaged(runs.error.message);
        if (!replaced.ok) return replaced;
        runs = this.#read();
      }
      return runs.ok ? this.#write(change(runs.value)) : runs;
    });
  }

  #read(): Result<Runs> {
    return readStored(this.#path);
  }

  #write(runs: Runs): Result<void> {
    const stored: Stored = { version: VERSION, runs, sum: hashOf(runs) };
    try {
      this.#open().store = { ...stored };
      chmodSync(this.#path, 0o600);
      this.#copyLastGood();
      // conf makes the file durable, not the name it renames it to.
      nodeFiles.syncDir(this.#dir);
      return ok(undefined);
    } catch (error) {
      const reason = sanitiseLine((error as NodeJS.ErrnoException).code ?? (error as Error).message, 200);
      return fail('journal-write', `the index of runs cannot be written: ${reason}`, {
        next: ['The journals are whole; free or remount the disk and run pgb-wizard again'],
        retryable: true,
        details: { path: this.#path, reason },
      });
    }
  }

  #copyLastGood(): void {
    const temporary = `${this.#path}.tmp-last-good-${process.pid}`;
    if (existsSync(temporary)) unlinkSync(temporary);
    writeContent(nodeFiles, temporary, readFileSync(this.#path));
    renameSync(temporary, `${this.#path}.last-good`);
  }

  #open(): ConfLike {
    this.#opened ??= this.#conf({
      projectName: 'pgb-wizard',
      cwd: this.#dir,
      configName: NAME,
      configFileMode: 0o600,
      accessPropertiesByDotNotation: false,
      clearInvalidConfig: false,
      schema: {
        version: { type: 'integer' },
        sum: { type: 'string' },
        runs: { type: 'object', additionalProperties: ENTRY_SCHEMA },
      },
    });
    return this.#opened;
  }

  #sweep(): void {
    for (const name of readdirSync(this.#dir)) {
      if (!name.startsWith(`${NAME}.json.tmp-`)) continue;
      const path = join(this.#dir, name);
      try {
        if (Date.now() - statSync(path).mtimeMs > SWEEP_AFTER_MS) unlinkSync(path);
      } catch {
        // Its writer finished in this moment.
      }
    }
  }

  async #locked<T>(work: () => Result<T>): Promise<Result<T>> {
    const lock = await waitForLock(join(this.#dir, `${NAME}.lock`));
    if (!lock.ok) return lock;
    try {
      return work();
    } catch (error) {
      const reason = sanitiseLine((error as NodeJS.ErrnoException).code ?? (error as Error).message, 200);
      return fail('journal-write', `the index of runs cannot be handled: ${reason}`, {
        details: { path: this.#path, reason },
      });
    } finally {
      lock.value.release();
    }
  }
}

async function waitForLock(path: string): Promise<Result<FileLock>> {
  const until = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    const lock = lockFile(path, 'the index of runs');
    if (lock.ok || lock.error.code !== 'locked' || performance.now() > until) return lock;
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
  }
}

/** Reads the file itself: conf takes a file that holds an array for an empty store. A missing file is an empty index. */
function readStored(path: string): Result<Runs> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') return ok({});
    return fail('journal-write', `the index of runs cannot be read: ${code}`, { details: { path, reason: code } });
  }
  const damaged = (why: string) =>
    fail('checkpoint-corrupt', `the index of runs ${why}`, {
      next: ['Run pgb-wizard again: it is rebuilt from the journals'],
      details: { path },
    });
  let value: Partial<Stored> | null;
  try {
    value = JSON.parse(text) as Partial<Stored> | null;
  } catch {
    return damaged('is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return damaged('holds no index');
  const { version, runs, sum } = value;
  const sumFits = typeof runs === 'object' && runs !== null && !Array.isArray(runs) && hashOf(runs) === sum;
  if (version !== VERSION) {
    // A newer format has another sum; when this one fits, only the version was changed, which is damage.
    if (!Number.isSafeInteger(version) || version! < VERSION || sumFits) return damaged('has no valid version');
    return fail('prerequisite-missing', `the index of runs was written by a newer pgb-wizard (format ${version})`, {
      exitCode: EXIT.foreignRun,
      next: ['Use the newer version, or another state folder with PGB_WIZARD_HOME; nothing was changed'],
      details: { path, version: Number(version) },
    });
  }
  return sumFits ? ok(runs as Runs) : damaged('does not match its checksum');
}
