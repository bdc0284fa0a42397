/** Runs a command in a container between the channels of one connection. */
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json, PodRuntime } from '../../contract.ts';
import { isApiStatusError } from '../errors.ts';
import type { Channels } from './channels.ts';

export interface StreamOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

export interface Command {
  namespace: string;
  pod: string;
  container: string;
  command: string[];
  /** Follow the container's own output instead of starting something. */
  attach: boolean;
}

/** Resolves when the command ended and its Status was sent, or the client left. */
export async function runCommand(
  runtime: PodRuntime,
  { namespace, pod, container, command, attach }: Command,
  options: StreamOptions,
  channels: Channels,
): Promise<void> {
  const aborter = new AbortController();
  channels.onClose(() => aborter.abort());
  const stdin = new PassThrough();
  // Input may come before the command runs; the PassThrough keeps it.
  if (options.stdin)
    channels.onInput(
      (chunk) => stdin.write(chunk),
      () => stdin.end(),
    );
  else stdin.end();
  const stdout = (chunk: Buffer): void => {
    if (options.stdout) channels.stdout(chunk);
  };
  const stderr = (chunk: Buffer): void => {
    if (options.tty) stdout(chunk);
    else if (options.stderr) channels.stderr(chunk);
  };
  try {
    if (channels.settle > 0) await sleep(channels.settle);
    if (attach) {
      const lines = runtime.log(namespace, pod, container, { previous: false, follow: true, signal: aborter.signal });
      for await (const { line } of lines) stdout(Buffer.from(`${line}\n`));
      channels.finish({ metadata: {}, status: 'Success' });
      return;
    }
    const session = {
      ...(options.stdin ? { stdin } : {}),
      stdout,
      stderr,
      tty: options.tty,
      signal: aborter.signal,
    };
    channels.finish(exitStatus(await runtime.exec(namespace, pod, container, command, session)));
  } catch (error) {
    if (!aborter.signal.aborted) channels.finish(failedStatus(error));
  }
}

/** The Status of a command that ran (recording 14). */
export function exitStatus(code: number): Json {
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: command terminated with exit code ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

/** The Status of a command that could not be started. */
function failedStatus(error: unknown): Json {
  const message = error instanceof Error ? error.message : String(error);
  const inner = message.startsWith('Internal error occurred: ')
    ? message
    : `Internal error occurred: error executing command in container: ${message}`;
  if (isApiStatusError(error) && error.code !== 500) {
    const { kind: _kind, apiVersion: _version, ...status } = error.status;
    return status;
  }
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${inner}`,
    reason: 'InternalError',
    details: { causes: [{ message: inner }] },
    code: 500,
  };
}
