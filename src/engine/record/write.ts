/** Writes a record into a folder: every view, then `SHA256SUMS` last, so that a cut export shows as one. */
import { execFile } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sha256 } from '../plan/canonical.ts';
import { fail, ok, type Result } from '../result.ts';
import type { JournalLine } from '../run/events.ts';
import { foldAll, type RunState } from '../run/fold.ts';
import { readJournal } from '../run/journal.ts';
import { nodeFiles, writeContent } from '../run/journal-files.ts';
import { ensurePrivateDir } from '../run/paths.ts';
import { sanitiseLine } from '../sanitise.ts';
import { buildRecord } from './build.ts';
import type { ChangeRecord } from './types.ts';
import { RECORD_FILES, renderViews, SIGNATURE_NAMESPACE, SUMS } from './views.ts';

export interface WriteRecordOptions {
  /** Folder of the record; made 0700, files 0600. */
  readonly dir: string;
  readonly state: RunState;
  /** The journal that `state` was folded from. */
  readonly lines: readonly JournalLine[];
  /** An SSH key (private, or public with an agent) to sign `SHA256SUMS` with. */
  readonly sign?: { readonly key: string };
}

export interface WrittenRecord {
  readonly dir: string;
  /** Names, `SHA256SUMS` and its signature included. */
  readonly files: readonly string[];
  /** sha256 of `SHA256SUMS`: one number that stands for the whole record. */
  readonly digest: string;
  readonly record: ChangeRecord;
}

/** Errors: `journal-write` (the folder can't be written), `prerequisite-missing` (no ssh-keygen, or the key doesn't sign). */
export async function writeRecord(options: WriteRecordOptions): Promise<Result<WrittenRecord>> {
  const { dir, state, lines } = options;
  const made = ensurePrivateDir(dir);
  if (!made.ok) return made;
  const record = buildRecord(state, lines);
  const views = renderViews(record, lines);
  const sums = RECORD_FILES.map((name) => `${sha256(views[name])}  ${name}\n`).join('');
  try {
    for (const name of [SUMS, `${SUMS}.sig`]) rmSync(join(dir, name), { force: true });
    for (const name of RECORD_FILES) replace(dir, name, views[name]);
    replace(dir, SUMS, sums);
    nodeFiles.syncDir(dir);
  } catch (error) {
    const reason = sanitiseLine((error as NodeJS.ErrnoException).code ?? String(error), 200);
    return fail('journal-write', `the record cannot be written to ${sanitiseLine(dir)}: ${reason}`, {
      next: ['Export again to another folder with --output; the journal itself is whole'],
      retryable: true,
      details: { dir, reason },
    });
  }
  const files: string[] = [...RECORD_FILES, SUMS];
  if (options.sign) {
    const signed = await sign(dir, options.sign.key);
    if (!signed.ok) return signed;
    files.push(`${SUMS}.sig`);
  }
  return ok({ dir, files, digest: sha256(sums), record });
}

/** Exports a run from its journal alone: after a crash, or from another process while it runs. */
export async function exportJournal(
  journal: string,
  dir: string,
  more: Pick<WriteRecordOptions, 'sign'> & { readonly runId?: string } = {},
): Promise<Result<WrittenRecord>> {
  const content = readJournal(journal, more.runId);
  if (!content.ok) return content;
  const state = foldAll(content.value.lines);
  if (!state) return fail('journal-corrupt', 'the journal holds no run yet', { details: { path: journal } });
  return writeRecord({ dir, state, lines: content.value.lines, sign: more.sign });
}

function replace(dir: string, name: string, text: string): void {
  const temporary = join(dir, `.${name}.tmp-${process.pid}`);
  if (existsSync(temporary)) rmSync(temporary);
  writeContent(nodeFiles, temporary, Buffer.from(text, 'utf8'));
  renameSync(temporary, join(dir, name));
}

/** The key stays with ssh-keygen (or its agent); a passphrase is asked for by ssh-keygen itself, never by us. */
async function sign(dir: string, key: string): Promise<Result<void>> {
  try {
    await promisify(execFile)(
      'ssh-keygen',
      ['-q', '-Y', 'sign', '-n', SIGNATURE_NAMESPACE, '-f', key, join(dir, SUMS)],
      { timeout: 60_000 },
    );
    return ok(undefined);
  } catch (error) {
    const said = error as NodeJS.ErrnoException & { stderr?: string };
    const missing = said.code === 'ENOENT';
    return fail(
      'prerequisite-missing',
      missing
        ? 'ssh-keygen is not installed'
        : `ssh-keygen does not sign: ${sanitiseLine(said.stderr ?? said.message, 200)}`,
      {
        next: [
          missing ? 'Install OpenSSH, or export without --sign' : 'Give a key with --sign that ssh-keygen can use',
        ],
      },
    );
  }
}
