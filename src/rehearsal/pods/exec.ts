/** Commands in a pod: real programs of this machine with the pod's environment, files and addresses. */
import type { ExecSession } from '../contract.ts';
import { which } from '../servers/find.ts';
import { notFoundMessage } from './command-container.ts';
import { exitOf, processEnvironment, spawned } from './process.ts';
import { findProgram, type PodPlace, placeArgument, placeArguments, programEnvironment } from './programs.ts';

const SHELLS = new Set(['sh', 'bash', 'ash', 'dash']);

/** Resolves with the exit code; throws containerd's message when the program is not there. */
export async function runInPod(place: PodPlace, command: readonly string[], session: ExecSession): Promise<number> {
  const [name = '', ...args] = command;
  const program = findProgram(name, place.machine);
  if (!program)
    throw new Error(
      `failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: ${notFoundMessage(name)}`,
    );
  const base = name.split('/').at(-1) ?? '';
  const placed = SHELLS.has(base) ? args.map((arg) => placeArgument(arg, place, 5432)) : placeArguments(args, place);
  const [file, words] = session.tty ? onTerminal(program, placed) : [program, placed];
  const child = place.machine.launcher.spawn(file, words, {
    cwd: place.data,
    env: processEnvironment(
      new Map(Object.entries(programEnvironment(place, base))),
      session.tty ? { TERM: 'xterm', PAGER: 'cat' } : {},
    ),
    stdio: ['pipe', 'pipe', 'pipe'],
    // PAGER: images of servers have none, and a pager would wait for a key.
    // A session of its own: a password prompt must not find the operator's terminal.
    detached: true,
  });
  await spawned(child);
  const end = () => {
    try {
      if (child.pid) process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  session.signal.addEventListener('abort', end, { once: true });
  if (session.signal.aborted) end();
  child.stdout?.on('data', session.stdout);
  child.stderr?.on('data', session.tty ? session.stdout : session.stderr);
  if (session.stdin) {
    child.stdin?.on('error', () => undefined);
    session.stdin.pipe(child.stdin as NodeJS.WritableStream);
  } else child.stdin?.end();
  const { exitCode } = await exitOf(child);
  session.signal.removeEventListener('abort', end);
  if (session.stdin && child.stdin) session.stdin.unpipe(child.stdin);
  return exitCode;
}

/** `kubectl exec -t`: util-linux' script(1) gives the program a terminal of its own; without it the program gets pipes. */
function onTerminal(program: string, args: readonly string[]): [string, readonly string[]] {
  const script = process.platform === 'linux' ? which('script', process.env, ['/usr/bin']) : undefined;
  if (!script) return [program, args];
  const quoted = [program, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return [script, ['--quiet', '--return', '--flush', '--command', quoted, '/dev/null']];
}
