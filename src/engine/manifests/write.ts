/** Writes edited files whole: beside the old one, flushed, then renamed over it, and only over the bytes that were looked at. */
import { createHash } from 'node:crypto';
import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { wordsOf } from './tree.ts';
import type { FileChange, ManifestPlan } from './types.ts';

export const digestOf = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

/** One file that was written. */
export interface WrittenFile {
  readonly path: string;
  readonly before: string;
  readonly after: string;
  readonly workloads: readonly string[];
}

/**
 * Writes all files of a plan. Everything that can be checked is checked before the first of them is touched. Errors: `drift`
 * when a file is not as it was looked at, `prerequisite-missing` when one can't be written; what was written until then is told in
 * `details.written`. Repeating is safe: a file that is as wanted already counts as written.
 */
export function writeManifests(plan: ManifestPlan): Result<readonly WrittenFile[]> {
  const pending: FileChange[] = [];
  for (const file of plan.files) {
    const now = digestIn(plan.root, file);
    if (!now.ok) return now;
    if (now.value === file.digests.after) continue;
    if (now.value !== file.digests.before) {
      return fail('drift', `${sanitiseLine(file.path, 300)} has changed since it was looked at; nothing was written`, {
        next: ['Look again.'],
      });
    }
    pending.push(file);
  }
  for (const file of pending) {
    const path = join(plan.root, file.path);
    try {
      accessSync(path, constants.W_OK);
      accessSync(dirname(path), constants.W_OK);
    } catch (error) {
      return fail('prerequisite-missing', `${sanitiseLine(file.path, 300)} can't be written: ${wordsOf(error)}`, {
        next: ['Make the file and its folder writable, then write again. Nothing was written.'],
      });
    }
  }
  let written = 0;
  for (const file of pending) {
    try {
      replace(join(plan.root, file.path), file.after);
    } catch (error) {
      return fail('prerequisite-missing', `${sanitiseLine(file.path, 300)} can't be written: ${wordsOf(error)}`, {
        next: [`${written} of ${pending.length} files are written. Write again: what is done stays done.`],
        details: { written },
      });
    }
    written += 1;
  }
  return ok(
    plan.files.map((file) => ({
      path: file.path,
      before: file.digests.before,
      after: file.digests.after,
      workloads: file.workloads,
    })),
  );
}

/** Digest of a file as it is now, still inside the folder and still a file. */
function digestIn(root: string, file: FileChange): Result<string> {
  const path = join(root, file.path);
  try {
    const inside = relative(root, realpathSync(dirname(path)));
    if (inside === '..' || inside.startsWith(`..${sep}`) || !lstatSync(path).isFile())
      throw new Error('it was replaced');
    return ok(digestOf(readFileSync(path)));
  } catch (error) {
    return fail(
      'drift',
      `${sanitiseLine(file.path, 300)} can't be read any more: ${wordsOf(error)}; nothing was written`,
    );
  }
}

function replace(path: string, text: string): void {
  const old = lstatSync(path);
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}.pgb-wizard`);
  let made = false;
  try {
    // Not readable by others before it has the mode of the old one: it may hold what the old one holds.
    const file = openSync(beside, 'wx', 0o600);
    made = true;
    try {
      writeFileSync(file, text);
      fchmodSync(file, old.mode & 0o7777);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (process.getuid?.() === 0) chownSync(beside, old.uid, old.gid);
    renameSync(beside, path);
    made = false;
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } finally {
    if (made) unlinkSync(beside);
  }
}
