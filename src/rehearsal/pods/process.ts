/** A container that is one real process. */
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { ContainerContext, ContainerExit, RunningContainer } from './container.ts';

/** Variables of this machine that real programs may need; nothing else of the host's environment reaches a pod. */
export function processEnvironment(
  env: Map<string, string>,
  more: Record<string, string> = {},
): Record<string, string> {
  const base: Record<string, string> = {
    PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
  };
  for (const name of ['LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'TMPDIR'])
    if (process.env[name]) base[name] = process.env[name];
  return { ...base, ...Object.fromEntries(env), ...more };
}

export interface ProcessOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** What SIGTERM to the container becomes for this program. */
  stopSignal?: NodeJS.Signals;
  deathSignal?: 'KILL' | 'TERM' | 'QUIT';
}

/** Starts a program; its output is the container's log. Rejects when it can't be spawned. */
export async function startProcess(
  context: ContainerContext,
  program: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<RunningContainer> {
  const child = context.machine.launcher.spawn(program, args, {
    cwd: options.cwd ?? context.data,
    env: processEnvironment(context.env, options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    deathSignal: options.deathSignal,
  });
  child.stdout?.on('data', (chunk: Buffer) => context.log.write(chunk));
  child.stderr?.on('data', (chunk: Buffer) => context.log.write(chunk));
  await spawned(child);
  return {
    exited: exitOf(child),
    terminate: () => void child.kill(options.stopSignal ?? 'SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  };
}

export function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve());
    child.once('error', reject);
  });
}

/** Exit code as a container runtime reports it: 128 + the signal's number for a process killed by a signal. */
export function exitOf(child: ChildProcess): Promise<ContainerExit> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      const number = signal ? constants.signals[signal] : undefined;
      resolve(number === undefined ? { exitCode: code ?? 0 } : { exitCode: 128 + number, signal: number });
    });
  });
}
