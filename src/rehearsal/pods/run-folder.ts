/** The folder of one cluster: made private, removed at the end, and swept by the next cluster when its owner was killed. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'pgbr-';
const OWNER = 'owner.pid';

export interface RunFolder {
  path: string;
  /** For the pods; the unprivileged account can pass through, not list. */
  pods: string;
  remove(): void;
}

export function createRunFolder(dir?: string): RunFolder {
  sweep(tmpdir());
  const path = dir ?? mkdtempSync(join(tmpdir(), PREFIX));
  mkdirSync(path, { recursive: true });
  // Traversable, because the servers run under another account; each folder in it has its own mode.
  chmodSync(path, 0o711);
  writeFileSync(join(path, OWNER), `${process.pid}\n`, { mode: 0o600 });
  // Unix sockets need a short path, whatever folder was asked for.
  const pods = dir === undefined ? join(path, 'p') : mkdtempSync(join(tmpdir(), PREFIX));
  mkdirSync(pods, { recursive: true });
  chmodSync(pods, 0o711);
  if (dir !== undefined) writeFileSync(join(pods, OWNER), `${process.pid}\n`, { mode: 0o600 });
  return {
    path,
    pods,
    remove() {
      rmSync(pods, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      if (dir === undefined) rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      else rmSync(join(path, OWNER), { force: true });
    },
  };
}

/** Removes folders whose owner no longer lives (kill -9, power loss). */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(parent, name);
    const pid = ownerOf(folder);
    if (pid === undefined || alive(pid)) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}

function ownerOf(folder: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(folder, OWNER), 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // Someone else's folder, or one that is being made at this moment.
    return undefined;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
