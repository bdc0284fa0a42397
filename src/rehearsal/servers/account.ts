/**
 * Under which account the real programs run. PostgreSQL and PgBouncer refuse to run as root, so a rehearsal started by
 * root (a container, a CI job) hands them to an existing unprivileged account; one started by a user runs them directly.
 * On Linux each child also dies with the rehearsal, however that ends (prctl PR_SET_PDEATHSIG through setpriv).
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { chownSync, lchownSync, readFileSync } from 'node:fs';
import { which } from './find.ts';

interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** What starts and owns the programs' files. */
export interface Launcher {
  /** Undefined when the programs run as the caller. */
  account: Account | undefined;
  /** Wraps a command so that it runs under the account and gets `signal` when this process dies. */
  wrap(
    program: string,
    args: readonly string[],
    signal?: 'KILL' | 'TERM' | 'QUIT',
  ): { program: string; args: string[] };
  spawn(
    program: string,
    args: readonly string[],
    options: SpawnOptions & { deathSignal?: 'KILL' | 'TERM' | 'QUIT' },
  ): ChildProcess;
  /** Gives a file or folder to the account. */
  own(path: string): void;
  /** Kills every child that still runs, at once: for the process's `exit` handler, where nothing can be awaited. */
  killAll(): void;
}

/** Candidates in order: the accounts that Debian's packages make, then the one that always exists. */
const CANDIDATES = ['postgres', 'pgbouncer', '_postgres', 'nobody'];

/** Reads /etc/passwd for the first candidate. Returns undefined when the caller is not root. */
export function findAccount(getuid: number | undefined = process.getuid?.(), passwd?: string): Account | undefined {
  if (getuid !== 0) return undefined;
  const lines = (passwd ?? readFileSync('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of CANDIDATES) {
    const entry = lines.find((fields) => fields[0] === name);
    if (entry) return { name, uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  return undefined;
}

/** Throws when root has no account to hand the servers to, because neither would start. */
export function createLauncher(): Launcher {
  const root = process.getuid?.() === 0;
  const account = findAccount();
  const setpriv = process.platform === 'linux' ? which('setpriv', process.env, ['/usr/bin', '/bin']) : undefined;
  if (root && !account)
    throw new Error(`no unprivileged account (${CANDIDATES.join(', ')}) to run PostgreSQL and PgBouncer under`);
  const children = new Set<ChildProcess>();
  const wrap: Launcher['wrap'] = (program, args, signal = 'KILL') => {
    if (!setpriv) return { program, args: [...args] };
    const identity = account ? [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'] : [];
    return { program: setpriv, args: [...identity, `--pdeathsig=${signal}`, '--', program, ...args] };
  };
  return {
    account,
    wrap,
    spawn(program, args, { deathSignal, ...options }) {
      const wrapped = wrap(program, args, deathSignal);
      // Without setpriv (macOS) Node itself changes the account.
      const identity = !setpriv && account ? { uid: account.uid, gid: account.gid } : {};
      const child = spawn(wrapped.program, wrapped.args, { ...identity, ...options });
      children.add(child);
      child.once('close', () => children.delete(child));
      child.once('error', () => children.delete(child));
      return child;
    },
    killAll() {
      for (const child of children) child.kill('SIGKILL');
    },
    own(path) {
      if (!account) return;
      try {
        chownSync(path, account.uid, account.gid);
      } catch (error) {
        // A dangling symbolic link: the link itself can still be given.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        lchownSync(path, account.uid, account.gid);
      }
    },
  };
}
