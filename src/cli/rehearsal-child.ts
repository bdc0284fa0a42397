/**
 * The rehearsal cluster as a child process: in a process group of its own, so that Ctrl+C at the wizard doesn't reach it,
 * and held by a pipe, so that it ends when the wizard dies, however that happens. With `linger` it waits a while for a
 * wizard that comes back.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { err, fail, ok, type Result, type WizardError } from '../engine/result.ts';
import { sanitiseLine } from '../engine/sanitise.ts';

export interface RehearsalChoice {
  readonly faults: readonly string[];
  readonly services?: number;
  readonly seed?: number;
  readonly port?: number;
  /** Ms that the cluster stays when nobody holds it any more. */
  readonly lingerMs: number;
}

export interface RehearsalCluster {
  readonly kubeconfig: string;
  /** Of the process that is the cluster. */
  readonly pid: number;
  /** Ends it and waits until everything is cleaned up. */
  stop(): Promise<void>;
  /** Lets go: it stays for so many ms, then ends by itself. A wizard that dies can't say this: then `lingerMs` counts. */
  release(keepMs: number): void;
}

/** The limits are generous: on a loaded machine PostgreSQL alone may take many seconds. */
const START_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 15_000;
/** How the cluster's progress lines begin. */
const PROGRESS = 'rehearsal: ';

export function childArguments(choice: RehearsalChoice): string[] {
  const optional = (flag: string, value: number | undefined) => (value === undefined ? [] : [flag, String(value)]);
  return [
    ...['rehearse', '--serve', '--no-input', '--held', '-o', 'json', '--linger', `${choice.lingerMs}ms`],
    ...choice.faults.flatMap((fault) => ['--fault', fault]),
    ...optional('--services', choice.services),
    ...optional('--seed', choice.seed),
    ...optional('--port', choice.port),
  ];
}

/** Starts a cluster and waits until it can be used. `onProgress` gets its messages, a line each. */
export async function startRehearsal(
  choice: RehearsalChoice,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Promise<Result<RehearsalCluster>> {
  const door = fileURLToPath(new URL('../bin/pgb-wizard.js', import.meta.url));
  const child = spawn(process.execPath, [door, ...childArguments(choice)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    const clean = sanitiseLine(line);
    if (clean.startsWith(PROGRESS)) onProgress(clean.slice(PROGRESS.length));
    // What else it says matters only when it dies without an envelope.
    else if (clean !== '') said.push(clean);
    if (said.length > 20) said.shift();
  });
  // EPIPE when the child is gone: its exit says the same, and better.
  child.stdin.on('error', () => {});
  const first = await firstWords(child, signal);
  if (!first.ok) {
    await stopChild(child);
    return err(withWhatItSaid(first.error, said));
  }
  // From here on nobody reads its output; the pipes must not fill up, and must not keep this process alive.
  child.stdout.resume();
  child.unref();
  return ok({
    kubeconfig: first.value,
    pid: child.pid!,
    stop: () => stopChild(child),
    release: (keepMs) => {
      child.stdin.end(`keep ${keepMs}\n`);
    },
  });
}

/** The path after `KUBECONFIG=`, or why there is none. */
function firstWords(child: ChildProcess, signal: AbortSignal): Promise<Result<string>> {
  return new Promise((resolve) => {
    let output = '';
    const finish = (result: Result<string>) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(result);
    };
    const onAbort = () => finish(fail('aborted', 'The rehearsal was stopped before its cluster was up.'));
    const timer = setTimeout(
      () => finish(fail('timeout', `The rehearsal cluster was not up after ${START_LIMIT_MS / 1000} s.`)),
      START_LIMIT_MS,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    child.on('error', (error) => finish(fail('internal', `The rehearsal cannot be started: ${error.message}.`)));
    child.stdout!.setEncoding('utf8');
    child.stdout!.on('data', (chunk: string) => {
      output += chunk;
      const path = /^KUBECONFIG=(.+)\n/.exec(output)?.[1];
      if (path !== undefined) finish(ok(path));
    });
    child.on('close', (code) => finish(err(errorIn(output, code))));
  });
}

/** The child prints its error as an envelope. */
function errorIn(output: string, code: number | null): WizardError {
  try {
    const { error, exitCode } = JSON.parse(output) as { error: WizardError; exitCode: WizardError['exitCode'] };
    return { ...error, exitCode };
  } catch {
    // No envelope: it died in another way; what it said on standard error is added by the caller.
    return { code: 'internal', message: `The rehearsal cluster ended (${code}).`, retryable: false, exitCode: 1 };
  }
}

function withWhatItSaid(error: WizardError, said: readonly string[]): WizardError {
  if (error.code !== 'internal' || said.length === 0) return error;
  return { ...error, cause: said[0] };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.ref();
  child.stdin?.end('stop\n');
  const late = setTimeout(() => {
    // Its own group: the servers it started go with it.
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // Gone in the meantime.
    }
  }, STOP_LIMIT_MS);
  await gone;
  clearTimeout(late);
}
