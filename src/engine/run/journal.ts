/**
 * The journal of a run: `events.jsonl`, append-only, hash-chained, one writer. An event is part of the run when `append`
 * has returned, because then it is on the disk; what the runner does next can count on it (write-ahead).
 */
import { dirname } from 'node:path';
import { killPoint } from '../kill-point.ts';
import { canonicalJson, sha256 } from '../plan/canonical.ts';
import { EXIT, fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { JournalLine, RunEvent } from './events.ts';
import { type JournalFiles, nodeFiles, writeNewFile } from './journal-files.ts';
import { makeLine, NO_HASH } from './journal-line.ts';
import { type FileLock, lockFile } from './journal-lock.ts';
import { parseJournal } from './journal-read.ts';
import type { Journal, JournalContent, OpenJournalOptions } from './journal-types.ts';
import { ensurePrivateDir, journalPath } from './paths.ts';

export { readJournal, verifyChain } from './journal-read.ts';
export type { Journal } from './journal-types.ts';

/**
 * Opens a run's journal for writing. A torn end is moved into `events.jsonl.torn-…` and told in `opened.torn`.
 * Errors: `already-exists`, `not-found`, `locked`, `journal-corrupt` (a copy of the whole part is left beside it),
 * `journal-write`, `prerequisite-missing` (a newer version wrote it).
 */
export async function openJournal(
  options: OpenJournalOptions,
  files: JournalFiles = nodeFiles,
): Promise<Result<Journal>> {
  const path = journalPath(options.dir);
  const dir = ensurePrivateDir(options.dir);
  if (!dir.ok) return dir;
  const lock = lockFile(`${path}.lock`, `run ${options.runId}`);
  if (!lock.ok) return lock;
  let opened: Result<OpenFile>;
  try {
    opened = options.create ? createFile(files, path) : openFile(files, path, options.runId);
  } catch (error) {
    opened = writeError(error, path);
  }
  if (!opened.ok) {
    lock.value.release();
    return opened;
  }
  return ok(new FileJournal(files, path, options, lock.value, opened.value));
}

interface OpenFile {
  readonly fd: number;
  readonly content: JournalContent;
  readonly size: number;
}

function createFile(files: JournalFiles, path: string): Result<OpenFile> {
  let fd: number;
  try {
    fd = files.open(path, 'wx+', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return fail('already-exists', `there is a journal at ${sanitiseLine(path)} already`, { details: { path } });
  }
  files.sync(fd);
  files.syncDir(dirname(path));
  files.syncDir(dirname(dirname(path)));
  return ok({ fd, content: { lines: [], head: NO_HASH, bytes: 0 }, size: 0 });
}

function openFile(files: JournalFiles, path: string, runId: string): Result<OpenFile> {
  let fd: number;
  try {
    fd = files.open(path, 'r+', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return fail('not-found', `run ${runId} has no journal here`, { details: { path } });
  }
  try {
    const bytes = files.read(path);
    const parsed = parseJournal(bytes, path, runId);
    if (!parsed.ok) {
      files.close(fd);
      return parsed.error.code === 'journal-corrupt' ? salvaged(files, path, bytes, parsed) : parsed;
    }
    if (parsed.value.lines.length === 0) {
      files.close(fd);
      return nothingLeft(path, bytes.length);
    }
    const { torn } = parsed.value;
    let content = parsed.value;
    if (torn) {
      const tail = bytes.subarray(torn.atByte);
      const keptIn = `${path}.torn-${torn.atByte}-${sha256(tail).slice(0, 8)}`;
      keep(files, keptIn, tail);
      files.truncate(fd, torn.atByte);
      content = { ...content, torn: { ...torn, keptIn } };
    }
    let size = torn ? torn.atByte : bytes.length;
    if (size > 0 && bytes[size - 1] !== 0x0a) size += files.write(fd, Buffer.from('\n'), 0, size);
    files.sync(fd);
    return ok({ fd, content, size });
  } catch (error) {
    files.close(fd);
    throw error;
  }
}

/** A journal without a whole first line tells nothing: not even which run it was. It stays as it is. */
function nothingLeft(path: string, bytes: number): Result<never> {
  return fail(
    'journal-corrupt',
    `the journal ${sanitiseLine(path)} holds no event${bytes > 0 ? ' that is whole' : ''}`,
    {
      cause:
        bytes > 0
          ? 'the file was damaged from its first line on'
          : 'the run was cut before its first event, or the file was emptied',
      next: ['The file was left as it is; if the run had begun, resume it from its copy in the cluster'],
      details: { path, kept: 0, keptBytes: 0, bytes },
    },
  );
}

/** Leaves the whole part of a damaged journal in a file of its own and says so; the journal itself is not touched. */
function salvaged(files: JournalFiles, path: string, bytes: Buffer, parsed: Result<never>): Result<never> {
  if (parsed.ok) return parsed;
  const kept = Number(parsed.error.details?.kept ?? 0);
  const keptBytes = Number(parsed.error.details?.keptBytes ?? 0);
  if (kept === 0) return parsed;
  const copy = `${path}.salvaged-${kept}-${sha256(bytes).slice(0, 8)}`;
  keep(files, copy, bytes.subarray(0, keptBytes));
  return {
    ok: false,
    error: {
      ...parsed.error,
      next: [
        `The ${kept} lines before it are whole and were copied to ${sanitiseLine(copy)}; the file itself was left as it is`,
        ...(parsed.error.next ?? []).slice(1),
      ],
      details: { ...parsed.error.details, keptIn: copy },
    },
  };
}

/** The name holds a hash of the content: when it exists, it holds just that. */
function keep(files: JournalFiles, path: string, data: Uint8Array): void {
  try {
    writeNewFile(files, path, data);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function writeError(error: unknown, path: string): Result<never> {
  const code = (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : 'unknown error');
  const causes: Record<string, string> = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota of this account is used up',
    EROFS: 'the disk is read-only',
    EACCES: 'this account may not write there',
    EIO: 'the disk reports an error',
  };
  return fail('journal-write', `the journal cannot be written: ${sanitiseLine(code, 200)}`, {
    cause: causes[code],
    next: [
      'Free or remount the disk, then resume: everything up to now is in the journal',
      'Or set PGB_WIZARD_HOME to another disk',
    ],
    retryable: true,
    details: { path, reason: sanitiseLine(code, 200) },
  });
}

/** Bytes that may wait for an fsync: a soak of hours writes nothing but samples, and they are kept until then. */
const MOST_PENDING = 64 * 1024;

class FileJournal implements Journal {
  readonly runId: string;
  readonly path: string;
  readonly opened: JournalContent;
  readonly #files: JournalFiles;
  readonly #fd: number;
  readonly #lock: FileLock;
  readonly #now: () => number;
  #events: number;
  #head: string;
  /** Where the next line goes. */
  #size: number;
  /** Bytes that are on the disk for sure. */
  #durable: number;
  /** Texts between `durable` and `size`: accepted, perhaps only in the page cache. Not as Buffers, which keep whole slabs alive. */
  #pending: string[] = [];
  /** After a failed write or fsync the file may hold anything behind `durable`, and is written again from there. */
  #suspect = false;
  #closed = false;

  constructor(files: JournalFiles, path: string, options: OpenJournalOptions, lock: FileLock, file: OpenFile) {
    this.runId = options.runId;
    this.path = path;
    this.opened = file.content;
    this.#files = files;
    this.#fd = file.fd;
    this.#lock = lock;
    this.#now = () => options.clock.now();
    this.#events = file.content.lines.length;
    this.#head = file.content.head;
    this.#size = file.size;
    this.#durable = file.size;
  }

  get events(): number {
    return this.#events;
  }

  get head(): string {
    return this.#head;
  }

  append(event: RunEvent, options: { readonly durable?: boolean } = {}): Result<JournalLine> {
    const ready = this.#ready();
    if (!ready.ok) return ready;
    const { line, text } = makeLine(event, this.#events + 1, new Date(this.#now()).toISOString(), this.#head);
    const data = Buffer.from(`${text}\n`, 'utf8');
    const durable = options.durable !== false || this.#size + data.length - this.#durable > MOST_PENDING;
    try {
      this.#repair();
      killPoint(() => `append ${labelOf(event)}`);
      this.#write(data, this.#size);
      killPoint(() => `written ${labelOf(event)}`);
      if (durable) {
        this.#files.sync(this.#fd);
        killPoint(() => `synced ${labelOf(event)}`);
      }
    } catch (error) {
      // The line is not part of the journal. What was accepted before it is written again by `repair`, because after a
      // failed fsync the page cache can't be believed any more.
      this.#suspect = true;
      this.#cutBack();
      return writeError(error, this.path);
    }
    this.#size += data.length;
    this.#events++;
    this.#head = line.hash;
    if (durable) this.#settled();
    else this.#pending.push(`${text}\n`);
    return ok(line);
  }

  sync(): Result<void> {
    if (this.#closed) return ok(undefined);
    const ready = this.#ready();
    if (!ready.ok) return ready;
    try {
      this.#repair();
      if (this.#durable < this.#size) this.#files.sync(this.#fd);
      this.#settled();
      return ok(undefined);
    } catch (error) {
      this.#suspect = true;
      return writeError(error, this.path);
    }
  }

  close(): Result<void> {
    if (this.#closed) return ok(undefined);
    const synced = this.sync();
    this.#closed = true;
    this.#files.close(this.#fd);
    this.#lock.release();
    return synced;
  }

  #ready(): Result<void> {
    if (this.#closed) return fail('journal-write', 'the journal is closed');
    if (this.#lock.held()) return ok(undefined);
    return fail('lock-lost', `another process took over run ${this.runId}`, {
      exitCode: EXIT.locked,
      next: ['Nothing more is written here; go on in the other pgb-wizard'],
      details: { path: this.path },
    });
  }

  /** Takes the half-written line off again, if the disk lets us: a kill right now should not leave it there. */
  #cutBack(): void {
    try {
      this.#files.truncate(this.#fd, this.#size);
    } catch {
      // `repair` does it before the next line; until then a reader sees a torn end.
    }
  }

  #repair(): void {
    if (!this.#suspect) return;
    this.#files.truncate(this.#fd, this.#durable);
    if (this.#pending.length > 0) {
      this.#write(Buffer.from(this.#pending.join(''), 'utf8'), this.#durable);
      this.#files.sync(this.#fd);
    }
    this.#settled();
    this.#suspect = false;
  }

  #write(data: Uint8Array, position: number): void {
    let done = 0;
    while (done < data.length) {
      const count = this.#files.write(this.#fd, data, done, position + done);
      if (count === 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' });
      done += count;
    }
  }

  #settled(): void {
    this.#durable = this.#size;
    this.#pending = [];
  }
}

/** An event as the crash matrix names it: `call.intent PATCH…`, `step.started p1.deploy`. */
function labelOf(event: RunEvent): string {
  switch (event.type) {
    case 'call.intent':
      return `${event.type} ${event.direction} ${event.verb} ${event.target.kind}/${event.target.name}`;
    case 'call.outcome':
      return `${event.type} ${event.result}`;
    case 'service.state':
      return `${event.type} ${event.service} ${event.state}`;
    case 'fact':
      return `${event.type} ${event.key}`;
    default:
      return 'id' in event ? `${event.type} ${event.id}` : event.type;
  }
}

/** The bytes of a journal that holds these lines: for exports and for tests of damage. */
export function journalText(lines: readonly JournalLine[]): string {
  return lines.map((line) => `${canonicalJson(line)}\n`).join('');
}
