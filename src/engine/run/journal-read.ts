/**
 * Reading a journal, which must never be trusted: the process may have been killed in the middle of a line, the disk may
 * have flipped a bit, the file may be another run's. A torn end is normal and tolerated (its event was never
 * acknowledged); damage before the end stops everything, and says up to where the journal is whole.
 */
import { readFileSync } from 'node:fs';
import { canonicalJson } from '../plan/canonical.ts';
import { EXIT, fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { shellWord } from '../shell-word.ts';
import type { JournalLine } from './events.ts';
import { NO_HASH, readLine } from './journal-line.ts';
import type { JournalContent } from './journal-types.ts';

/** Reads and verifies a journal. `runId`: whose it must be. Errors: `not-found`, `journal-corrupt`, `prerequisite-missing`. */
export function readJournal(path: string, runId?: string): Result<JournalContent> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT')
      return fail('not-found', `there is no journal at ${sanitiseLine(path)}`, { details: { path } });
    return fail('journal-corrupt', `the journal ${sanitiseLine(path)} cannot be read: ${code}`, {
      details: { path, reason: code },
    });
  }
  return parseJournal(bytes, path, runId);
}

interface Piece {
  readonly start: number;
  readonly end: number;
  /** It ends with a line feed. */
  readonly closed: boolean;
}

/** As `readJournal`, from bytes. `path` is for messages only. */
export function parseJournal(bytes: Buffer, path: string, runId?: string): Result<JournalContent> {
  const lines: JournalLine[] = [];
  let head = NO_HASH;
  let whole = 0;
  for (const piece of pieces(bytes)) {
    const read = readPiece(bytes, piece);
    if (read.kind === 'newer') return newer(path, read.version, lines.length);
    const why = read.kind === 'bad' ? read.why : misplaced(read.line, lines.length + 1, head, runId);
    if (why !== undefined || read.kind !== 'ok') {
      if (isTorn(bytes, piece.start)) {
        return ok({ lines, head, bytes: whole, torn: { bytes: bytes.length - whole, atByte: whole } });
      }
      return corrupt(path, why ?? 'is damaged', lines.length, whole, bytes.length);
    }
    lines.push(read.line);
    head = read.line.hash;
    whole = piece.end;
  }
  return ok({ lines, head, bytes: whole });
}

function* pieces(bytes: Buffer): Generator<Piece> {
  let start = 0;
  while (start < bytes.length) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed + 1;
    yield { start, end, closed: feed >= 0 };
    start = end;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readPiece(bytes: Buffer, piece: Piece): ReturnType<typeof readLine> {
  try {
    return readLine(decoder.decode(bytes.subarray(piece.start, piece.closed ? piece.end - 1 : piece.end)));
  } catch {
    // Only the decoder throws: bytes that are no UTF-8.
    return { kind: 'bad', why: 'is not UTF-8' };
  }
}

/** Why a line that is right in itself doesn't belong here. */
function misplaced(line: JournalLine, seq: number, head: string, runId: string | undefined): string | undefined {
  if (line.seq !== seq) return `is number ${line.seq} in the place of number ${seq}`;
  if (line.prev !== head) return 'does not follow the line before';
  const { event } = line;
  if ((event.type === 'run.started') !== (seq === 1)) {
    return seq === 1 ? 'does not start a run' : 'starts a second run in the same journal';
  }
  if (event.type === 'run.started' && runId !== undefined && event.runId !== runId) {
    return `belongs to run ${sanitiseLine(event.runId, 60)}, not to run ${runId}`;
  }
  return undefined;
}

/**
 * Is everything from here on the remains of writes that were never acknowledged? After a kill that is a line without
 * its end; after a power cut it can be a stretch of zero bytes. A whole line further on says no: it was acknowledged
 * after the damaged one, so this is damage.
 */
function isTorn(bytes: Buffer, start: number): boolean {
  const tail = bytes.subarray(start);
  const feed = tail.indexOf(0x0a);
  if (feed < 0) {
    // A line of another run, or out of order, is no torn write even without its line feed.
    return readPiece(bytes, { start, end: bytes.length, closed: false }).kind === 'bad';
  }
  if (!tail.includes(0)) return false;
  for (const piece of pieces(tail)) if (readPiece(tail, piece).kind !== 'bad') return false;
  return true;
}

function newer(path: string, version: number, kept: number): Result<never> {
  return fail(
    'prerequisite-missing',
    `the journal was written by a newer pgb-wizard (format ${version}, this one reads 1)`,
    {
      next: ['Resume with the version that wrote it; nothing was changed'],
      exitCode: EXIT.foreignRun,
      details: { path, version, kept },
    },
  );
}

function corrupt(path: string, why: string, kept: number, bytes: number, of: number): Result<never> {
  return fail('journal-corrupt', `line ${kept + 1} of the journal ${sanitiseLine(path)} ${why}`, {
    cause: 'the file was changed or damaged outside of pgb-wizard',
    next: [
      `The ${kept} lines before it are whole; the file itself was left as it is`,
      ...(kept > 0 ? waysOn(path, kept) : []),
    ],
    details: { path, kept, keptBytes: bytes, bytes: of },
  });
}

/** What a human can do about a damaged journal; `run` and `rollback` take the cluster's copy by themselves. */
function waysOn(path: string, kept: number): string[] {
  const [file, runId] = [shellWord(sanitiseLine(path)), /([^/]+)\/[^/]+$/.exec(path)?.[1] ?? 'ID'];
  return [
    `Go on from the cluster's copy of the run: pgb-wizard run --run ${sanitiseLine(runId, 60)}`,
    `Without one, go on from the whole part: mv ${file} ${file}.damaged; (umask 077; head -n ${kept} ${file}.damaged > ${file})`,
  ];
}

/** Verifies lines that are already parsed (an export): numbers, hashes, order. */
export function verifyChain(lines: readonly JournalLine[], runId?: string): Result<{ readonly head: string }> {
  let head = NO_HASH;
  for (const [index, line] of lines.entries()) {
    const read = readLine(canonicalJson(line));
    const why =
      read.kind === 'ok'
        ? misplaced(line, index + 1, head, runId)
        : read.kind === 'bad'
          ? read.why
          : 'is of a newer version';
    if (why !== undefined) return fail('journal-corrupt', `event ${index + 1} ${why}`, { details: { kept: index } });
    head = line.hash;
  }
  return ok({ head });
}
