/**
 * Is a record what its journal says? The sums find changed files; making everything again from `events.jsonl` finds
 * files that were changed together with their sums; the signature, when there is one, finds the rest.
 */
import { execFile } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../plan/canonical.ts';
import { fail, ok, type Result } from '../result.ts';
import { foldAll } from '../run/fold.ts';
import { parseJournal } from '../run/journal-read.ts';
import { sanitiseLine } from '../sanitise.ts';
import { buildRecord } from './build.ts';
import { RECORD_FORMAT } from './types.ts';
import { RECORD_FILES, renderViews, SIGNATURE_NAMESPACE, SUMS } from './views.ts';

export interface VerifiedRecord {
  readonly runId: string;
  readonly events: number;
  readonly head: string;
  readonly files: number;
  /** False for a record of another format: its sums and its journal were checked, its views could not be made again. */
  readonly madeAgain: boolean;
  readonly signature: 'none' | 'not checked' | 'good';
  /** Set when the signature is good. */
  readonly signedBy?: string;
}

export interface VerifyOptions {
  /** OpenSSH's allowed-signers file, and who must have signed. Without it a signature is reported as not checked. */
  readonly allowedSigners?: { readonly file: string; readonly identity: string };
  /** The record must belong to this run and, when given, hold at least this many events. */
  readonly runId?: string;
}

/** Error: `record-invalid` (exit 10), whose message names the first thing that is wrong; all are in `details.problems`. */
export async function verifyRecord(dir: string, options: VerifyOptions = {}): Promise<Result<VerifiedRecord>> {
  const problems: string[] = [];
  const texts = new Map<string, string>();
  const sums = readSums(dir, problems);
  for (const name of RECORD_FILES) {
    const bytes = read(dir, name);
    if (!bytes) {
      problems.push(`${name} is missing`);
      continue;
    }
    if (sums && sums.get(name) === undefined) problems.push(`${name} is not in ${SUMS}`);
    else if (sums && sums.get(name) !== sha256(bytes)) problems.push(`${name} does not match its sum`);
    texts.set(name, bytes.toString('utf8'));
  }
  const journal = read(dir, 'events.jsonl');
  const content = journal ? parseJournal(journal, 'events.jsonl', options.runId) : undefined;
  if (content && !content.ok) problems.push(content.error.message);
  const state = content?.ok ? foldAll(content.value.lines) : undefined;
  if (content?.ok && content.value.torn) problems.push('events.jsonl is cut off at its end');
  if (content?.ok && !state) problems.push('events.jsonl holds no run');
  const format = formatOf(texts.get('record.json'));
  const madeAgain = format === undefined || format === RECORD_FORMAT;
  if (content?.ok && state && madeAgain) {
    const again = renderViews(buildRecord(state, content.value.lines), content.value.lines);
    for (const name of RECORD_FILES) {
      const text = texts.get(name);
      if (text !== undefined && text !== again[name]) problems.push(`${name} is not what the journal gives`);
    }
  }
  const signature = await checkSignature(dir, options.allowedSigners, problems);
  if (problems.length > 0 || !state) {
    return fail('record-invalid', `the record is not valid: ${problems[0] ?? 'it is empty'}`, {
      cause: 'a file was changed, lost or cut off after the export',
      next: ['Export again from the journal: pgb-wizard export'],
      details: { dir, problems: problems.join('\n'), count: problems.length },
    });
  }
  return ok({
    runId: state.runId,
    events: state.events,
    head: state.head,
    files: RECORD_FILES.length,
    madeAgain,
    ...signature,
  });
}

/** Undefined when there is none: then the record is compared, and differs. */
function formatOf(recordJson: string | undefined): number | undefined {
  try {
    const format = (JSON.parse(recordJson ?? 'null') as { format?: unknown } | null)?.format;
    return typeof format === 'number' ? format : undefined;
  } catch {
    return undefined;
  }
}

function read(dir: string, name: string): Buffer | undefined {
  try {
    return readFileSync(join(dir, name));
  } catch {
    // Missing or not readable: reported as missing.
    return undefined;
  }
}

function readSums(dir: string, problems: string[]): Map<string, string> | undefined {
  const bytes = read(dir, SUMS);
  if (!bytes) {
    problems.push(`${SUMS} is missing: the export was cut off, or the file was removed`);
    return undefined;
  }
  const sums = new Map<string, string>();
  for (const line of bytes.toString('utf8').split('\n').filter(Boolean)) {
    const [, sum, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    // Names are compared, never opened: a line can't lead out of the folder.
    if (sum === undefined || name === undefined || !(RECORD_FILES as readonly string[]).includes(name)) {
      problems.push(`${SUMS} has a line that is not of this record: ${sanitiseLine(line, 80)}`);
    } else {
      sums.set(name, sum);
    }
  }
  return sums;
}

async function checkSignature(
  dir: string,
  allowed: VerifyOptions['allowedSigners'],
  problems: string[],
): Promise<Pick<VerifiedRecord, 'signature' | 'signedBy'>> {
  const there = read(dir, `${SUMS}.sig`) !== undefined;
  if (!there) {
    if (allowed) problems.push(`${SUMS}.sig is missing: the record is not signed`);
    return { signature: 'none' };
  }
  if (!allowed) return { signature: 'not checked' };
  const said = await sshVerify(join(dir, SUMS), allowed);
  if (said === undefined) return { signature: 'good', signedBy: allowed.identity };
  problems.push(`the signature is not good: ${said}`);
  return { signature: 'not checked' };
}

/** Undefined when the signature is good, else what ssh-keygen said. */
function sshVerify(file: string, allowed: NonNullable<VerifyOptions['allowedSigners']>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const args = [
      '-Y',
      'verify',
      '-f',
      allowed.file,
      '-I',
      allowed.identity,
      '-n',
      SIGNATURE_NAMESPACE,
      '-s',
      `${file}.sig`,
    ];
    const child = execFile('ssh-keygen', args, { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve(error ? sanitiseLine(stderr || stdout || error.message, 200) : undefined);
    });
    if (!child.stdin) return;
    // ssh-keygen may leave before it has read everything; its exit code says why.
    child.stdin.on('error', () => undefined);
    createReadStream(file).pipe(child.stdin);
  });
}
