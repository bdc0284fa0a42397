/** Level 4: arguments in, exit code out. Everything heavy is imported by the command that needs it. */
import { readFileSync } from 'node:fs';
import { type ErrorCode, EXIT, type Result, type WizardError, wizardError } from '../engine/result.ts';
import { scrub } from '../engine/secret.ts';
import { commands } from './commands/index.ts';
import { exitOfSignal } from './exit-code.ts';
import { hasColour, type Io, processIo, write } from './io.ts';
import { openRun } from './open-run.ts';
import { isMachine, print } from './output.ts';
import { parseArguments } from './parse.ts';
import { errorEnvelope, fromBug, renderError } from './render-error.ts';
import { version } from './version.ts';

/** What a first signal gives a command to end in good order; a silent cluster must not keep anybody. */
const LEAVE_MS = 3000;
/** A rehearsal takes its cluster down, with a PostgreSQL and its clients. */
const LEAVE_REHEARSAL_MS = 15_000;
/** A signal that follows another one so soon was sent by no human. */
const ECHO_MS = 250;

/** How calls end that a signal stopped. */
const STOPPED: ReadonlySet<ErrorCode> = new Set(['aborted', 'outcome-unknown']);

/** Runs the program and ends the process with its exit code. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<void> {
  let unwritten: NodeJS.ErrnoException | undefined;
  io.stderr.on('error', () => {});
  io.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!READER_GONE.has(error.code ?? '')) unwritten ??= error;
  });
  process.on('uncaughtException', (error) => {
    void reportBug(error, io).then(() => process.exit(EXIT.failed));
  });
  process.on('unhandledRejection', (error) => {
    void reportBug(error, io).then(() => process.exit(EXIT.failed));
  });
  const code = await execute(argv, io);
  // Readline and sockets may keep listeners alive: the exit is always explicit, after the output is out.
  await Promise.all([write(io.stdout, ''), write(io.stderr, '')]);
  // An error is told on the turn after the write that met it.
  await new Promise((resolve) => setImmediate(resolve));
  if (unwritten) await report('', outputLost(unwritten), undefined, io);
  process.exit(unwritten && code === EXIT.done ? EXIT.failed : code);
}

/** A reader that closes early (`| head`) or a terminal that is gone is no error; a full disk under `> file` is one. */
const READER_GONE: ReadonlySet<string> = new Set(['EPIPE', 'EIO', 'ECONNRESET', 'ERR_STREAM_DESTROYED']);

const outputLost = ({ code = 'unknown error' }: NodeJS.ErrnoException): WizardError =>
  wizardError('internal', `standard output cannot be written: ${code}`, {
    ...(code === 'ENOSPC' ? { cause: 'the disk is full' } : {}),
    next: ['What is there is cut off: write it to another place.'],
  });

/** Parses and runs one command; answers the exit code. */
export async function execute(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parseArguments(argv, commands);
  if (!parsed.ok) return report('', parsed.error, wantedFormat(argv), io);
  if (parsed.value.kind === 'help') {
    await write(io.stdout, parsed.value.text);
    return EXIT.done;
  }
  if (parsed.value.kind === 'version') {
    await write(io.stdout, `${version}\n`);
    return EXIT.done;
  }
  const { command, values, args } = parsed.value;
  // chalk, inside Ink, knows FORCE_COLOR only.
  if (values.noColor || io.env.NO_COLOR) io.env.FORCE_COLOR = '0';
  const stop = new AbortController();
  let signalled: NodeJS.Signals | undefined;
  let signalledAt = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    if (signalled !== undefined) {
      // The second one means it; but `conf` sends every signal once more after its own clean-up (when-exit).
      if (performance.now() - signalledAt > ECHO_MS) process.exit(exitOfSignal(signal));
      return;
    }
    signalled = signal;
    signalledAt = performance.now();
    stop.abort(signal);
    const limitMs = command.name === 'rehearse' ? LEAVE_REHEARSAL_MS : LEAVE_MS;
    setTimeout(() => process.exit(exitOfSignal(signal)), limitMs).unref();
  };
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', ...(ignoresHangUp() ? [] : ['SIGHUP' as const])];
  for (const signal of signals) process.on(signal, onSignal);
  let result: Result<number>;
  try {
    result = await command.handler({ command: command.name, values, args, io, signal: stop.signal });
  } catch (bug) {
    if (signalled !== undefined) return exitOfSignal(signalled);
    await reportBug(bug, io);
    return EXIT.failed;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
  if (result.ok) return signalled === undefined ? result.value : exitOfSignal(signalled);
  if (signalled !== undefined && STOPPED.has(result.error.code)) return exitOfSignal(signalled);
  return report(command.name, result.error, wantedFormat(argv), io);
}

/**
 * The end of an SSH session should leave a run like any other signal, but under nohup it is ignored and stays so. Node
 * does not say what a signal's action was at the start; Linux does. Where nobody says, the action stays what it was.
 */
function ignoresHangUp(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return ignored === undefined || (BigInt(`0x${ignored}`) & 1n) === 1n;
  } catch {
    return true;
  }
}

async function report(
  command: string,
  error: WizardError,
  format: 'json' | 'yaml' | undefined,
  io: Io,
): Promise<number> {
  if (format !== undefined) await print(io, format, errorEnvelope(command, error));
  await write(io.stderr, renderError(error, hasColour(io.stderr, io.env)));
  return error.exitCode;
}

/** The format asked for, also when the arguments could not be parsed. */
function wantedFormat(argv: readonly string[]): 'json' | 'yaml' | undefined {
  const joined = argv.map((word, i) =>
    word === '-o' || word === '--output' ? argv[i + 1] : /^(?:-o|--output=)(.+)$/.exec(word)?.[1],
  );
  const format = joined.find((word) => word === 'json' || word === 'yaml') as 'json' | 'yaml' | undefined;
  return isMachine(format) ? format : undefined;
}

async function reportBug(thrown: unknown, io: Io): Promise<void> {
  await write(io.stderr, renderError(fromBug(thrown, openRun()), hasColour(io.stderr, io.env)));
  if (io.env.PGB_WIZARD_DEBUG && thrown instanceof Error) await write(io.stderr, `${scrub(thrown.stack ?? '')}\n`);
}
