/**
 * Where the wizard keeps its files: `$PGB_WIZARD_HOME`, else `$XDG_STATE_HOME/pgb-wizard`, else `~/.local/state/pgb-wizard`.
 * Folders are 0700, because `conf` leaves its folder at 0755 and a journal names workloads, people and times.
 *
 *   checkpoint.json          the index of runs
 *   runs/<runId>/events.jsonl  the journal
 *   runs/<runId>/record/       the last export
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';

const RUN_ID = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** The state folder by the environment; creates nothing. Relative XDG paths are ignored, as the XDG specification says. */
export function stateDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.PGB_WIZARD_HOME) return resolve(env.PGB_WIZARD_HOME);
  const xdg = env.XDG_STATE_HOME;
  return join(xdg?.startsWith('/') ? xdg : join(env.HOME || homedir(), '.local', 'state'), 'pgb-wizard');
}

/** A new run id: 8 hex digits, fit for names of Kubernetes objects. */
export function newRunId(): string {
  return randomBytes(4).toString('hex');
}

/** Run ids come from the command line too; anything that could leave the folder is none. */
export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

function runsDir(stateDir: string): string {
  return join(stateDir, 'runs');
}

/** Folder of one run. Throws for what `isRunId` refuses, which is a bug of the caller. */
export function runDir(stateDir: string, runId: string): string {
  if (!isRunId(runId)) throw new Error(`not a run id: ${sanitiseLine(runId, 60)}`);
  return join(runsDir(stateDir), runId);
}

export function journalPath(runDir: string): string {
  return join(runDir, 'events.jsonl');
}

export function recordDir(runDir: string): string {
  return join(runDir, 'record');
}

/** Ids of the runs that have a folder, in no order. An unreadable or missing state folder has none. */
export function runIds(stateDir: string): Result<readonly string[]> {
  try {
    return ok(
      readdirSync(runsDir(stateDir), { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && isRunId(entry.name))
        .map((entry) => entry.name),
    );
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') return ok([]);
    return fail('journal-write', `the folder of the runs cannot be read: ${code}`, {
      details: { path: runsDir(stateDir) },
    });
  }
}

/** One level at a time: `mkdirSync` with `recursive` never returns below /proc, where a parent exists and takes no child. */
function makeDir(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDir(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Makes a folder that only its owner can enter. A folder of another account is refused: it could swap the files under
 * the run. (A symbolic link to a folder of one's own is fine: homes on other disks are made that way.)
 */
export function ensurePrivateDir(path: string): Result<string> {
  try {
    makeDir(path);
    const stat = statSync(path);
    const me = process.getuid?.();
    if (me !== undefined && stat.uid !== me) {
      return fail('journal-write', `folder ${sanitiseLine(path)} belongs to another account (uid ${stat.uid})`, {
        next: ['Set PGB_WIZARD_HOME to a folder of your own'],
        details: { path },
      });
    }
    if ((stat.mode & 0o077) !== 0) chmodSync(path, 0o700);
    return ok(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return fail('journal-write', `folder ${sanitiseLine(path)} cannot be made: ${code}`, {
      cause: code === 'EROFS' ? 'the disk is read-only' : code === 'ENOSPC' ? 'the disk is full' : undefined,
      next: ['Set PGB_WIZARD_HOME to a folder that you can write'],
      details: { path, reason: code },
    });
  }
}
