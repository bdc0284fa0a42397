/**
 * Which locks of the cluster this machine's processes went for. The note is on the disk before the lock is asked for, so
 * that a process that was killed right after it got the lock, before its journal says so, leaves nobody waiting: the next
 * one sees the note, sees that its writer is dead, and may replace that very holder (same machine, dead
 * process, and the resourceVersion still guards the write).
 */
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, processStart } from './journal-lock.ts';
import { ensurePrivateDir } from './paths.ts';

interface Claim {
  readonly holder: string;
  readonly host: string;
  readonly pid: number;
  readonly started?: string;
}

const folderOf = (stateDir: string) => join(stateDir, 'claims');

/**
 * Notes that this process goes for the lock as `holder`. Returns the function that takes the note away. A disk that
 * refuses costs only the shortcut: the lock is then waited for.
 */
export function leaveClaim(stateDir: string, host: string, holder: string, nonce: string): () => void {
  const folder = ensurePrivateDir(folderOf(stateDir));
  const path = join(folderOf(stateDir), `${nonce}.json`);
  if (!folder.ok) return () => {};
  const claim: Claim = { holder, host, pid: process.pid, started: processStart(process.pid) };
  try {
    const fd = openSync(path, 'wx', 0o600);
    try {
      writeSync(fd, JSON.stringify(claim));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    return () => {};
  }
  return () => rmSync(path, { force: true });
}

/** Holders whose process on this machine is dead, and the function that forgets them. */
export function deadClaims(stateDir: string, host: string): { holders: readonly string[]; forget: () => void } {
  const dead: { holder: string; path: string }[] = [];
  let names: string[];
  try {
    names = readdirSync(folderOf(stateDir)).filter((name) => name.endsWith('.json'));
  } catch {
    // No folder: nobody ever went for a lock from here.
    names = [];
  }
  for (const name of names) {
    const path = join(folderOf(stateDir), name);
    const claim = readClaim(path);
    if (claim && claim.host === host && !isRunning(claim.pid, claim.started)) dead.push({ holder: claim.holder, path });
  }
  return {
    holders: dead.map((one) => one.holder),
    forget: () => {
      for (const { path } of dead) rmSync(path, { force: true });
    },
  };
}

function readClaim(path: string): Claim | undefined {
  try {
    const claim = JSON.parse(readFileSync(path, 'utf8')) as Partial<Claim>;
    const whole = typeof claim.holder === 'string' && typeof claim.host === 'string' && Number.isSafeInteger(claim.pid);
    return whole ? (claim as Claim) : undefined;
  } catch {
    // Half a note of a process that was killed while it wrote it: it never got as far as the lock.
    return undefined;
  }
}
