/**
 * A lock between processes of one machine: a file made with O_EXCL that names its holder (pid, start time, host). The
 * start time tells a living holder from a stranger who got the same pid later. The holder keeps the file open, so that
 * its inode can't be used again, and `held()` sees when the file was taken away.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { EXIT, fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';

export interface FileLock {
  /** Is the lock file still the one this process made? */
  held(): boolean;
  /** Safe to call twice. */
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly started?: string;
  readonly host: string;
  readonly nonce: string;
}

/**
 * Takes the lock or says who has it (`locked`). A lock of a process that is gone is taken over. One of another host (a
 * home on a network disk) can't be judged from here and stays.
 */
export function lockFile(path: string, what: string): Result<FileLock> {
  const me: Holder = {
    pid: process.pid,
    started: processStart(process.pid),
    host: hostname(),
    nonce: randomBytes(8).toString('hex'),
  };
  for (let attempt = 0; attempt < 5; attempt++) {
    const made = make(path, me);
    if (made.ok) return made;
    if (made.error.code !== 'already-exists') return made;
    const seen = readHolder(path);
    if (seen === undefined) continue;
    if (seen.holder && !isGone(seen.holder)) return busy(path, what, seen.holder);
    // An unreadable lock is one that its maker is just writing, or the rest of a crash: only age tells.
    if (!seen.holder && seen.ageMs < 2000) return busy(path, what, undefined);
    takeAway(path, seen.text);
  }
  return busy(path, what, undefined);
}

function make(path: string, me: Holder): Result<FileLock> {
  let fd: number;
  try {
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'EEXIST') return fail('already-exists', 'locked');
    return cannot(path, code);
  }
  try {
    writeSync(fd, JSON.stringify(me));
  } catch (error) {
    closeSync(fd);
    unlinkSync(path);
    return cannot(path, (error as NodeJS.ErrnoException).code ?? 'unknown error');
  }
  let open = true;
  const held = () => {
    if (!open) return false;
    try {
      const [mine, there] = [fstatSync(fd), statSync(path)];
      return mine.ino === there.ino && mine.dev === there.dev;
    } catch {
      // The file is gone: someone broke the lock.
      return false;
    }
  };
  return ok({
    held,
    release: () => {
      if (!open) return;
      const mine = held();
      open = false;
      closeSync(fd);
      if (mine) unlinkSync(path);
    },
  });
}

function cannot(path: string, code: string): Result<never> {
  return fail('journal-write', `the lock ${sanitiseLine(path)} cannot be made: ${code}`, {
    cause: code === 'EROFS' ? 'the disk is read-only' : code === 'ENOSPC' ? 'the disk is full' : undefined,
    details: { path, reason: code },
  });
}

function busy(path: string, what: string, holder: Holder | undefined): Result<never> {
  const who = holder ? `process ${holder.pid} on ${sanitiseLine(holder.host, 80)}` : 'another process';
  return fail('locked', `${what} is in use by ${who}`, {
    exitCode: EXIT.locked,
    retryable: true,
    next: ['Leave the other pgb-wizard first', `If that process is gone for sure, remove ${sanitiseLine(path)}`],
    details: { path, ...(holder ? { pid: holder.pid, host: holder.host } : {}) },
  });
}

/** Undefined when the file is gone by now. */
function readHolder(path: string): { text: string; ageMs: number; holder?: Holder } | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    const ageMs = Date.now() - statSync(path).mtimeMs;
    return { text, ageMs, holder: parseHolder(text) };
  } catch {
    return undefined;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    const fits =
      typeof value?.pid === 'number' &&
      Number.isSafeInteger(value.pid) &&
      value.pid > 0 &&
      typeof value.host === 'string';
    return fits ? (value as Holder) : undefined;
  } catch {
    return undefined;
  }
}

/** Takes a stale lock away by renaming it, which only one of several can do; gives it back when it was not the stale one. */
function takeAway(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, 'utf8') !== stale) linkSync(aside, path);
    unlinkSync(aside);
  } catch {
    // Someone else was faster; the next attempt sees who.
  }
}

function isGone(holder: Holder): boolean {
  if (holder.host !== hostname()) return false;
  return !isRunning(holder.pid, holder.started);
}

/**
 * Does the process with this pid, started at that time, still run? Without a start time the pid alone decides. A zombie
 * doesn't run: a killed wizard stays one for ever in a container whose first process reaps nobody.
 */
export function isRunning(pid: number, started?: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = look(pid);
  if (now?.zombie) return false;
  return started === undefined || now === undefined || now.started === started;
}

/** When a process was started, in an unspecified unit that doesn't change during its life. */
export function processStart(pid: number): string | undefined {
  return look(pid)?.started;
}

function look(pid: number): { started?: string; zombie: boolean } | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name (field 2) may hold spaces and brackets; what follows it starts with field 3, the state.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { started: fields[19], zombie: fields[0] === 'Z' || fields[0] === 'X' };
    }
    const env = { LC_ALL: 'C', PATH: process.env.PATH };
    const said = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8', env }).trim();
    const [, state = '', started] = /^(\S+)\s+(.+)$/.exec(said) ?? [];
    return { started, zombie: state.startsWith('Z') };
  } catch {
    // No such process, or no way to ask: the pid alone has to do.
    return undefined;
  }
}
