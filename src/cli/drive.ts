/** Drives one run to its end, with the screen or without: what `run`, `rehearse` and `rollback` have in common. */
import { setFlagsFromString } from 'node:v8';
import { EXIT, err, ok, type Result } from '../engine/result.ts';
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';
import type { RunOptions } from '../engine/run/options.ts';
import { runDir } from '../engine/run/paths.ts';
import type { StartInfo } from '../screens/screen.ts';
import { type ControlServer, serveControl } from './control.ts';
import { exitCodeOf, exitOfSignal } from './exit-code.ts';
import { finishRun, followRun, summary } from './headless.ts';
import { type Io, write } from './io.ts';
import { setOpenRun } from './open-run.ts';
import type { Mode, RunValues } from './session.ts';

/** Ink draws its first frame at once; this lets it reach the terminal. */
const FIRST_FRAME_MS = 10;
/** How long a run that was left may take to park itself before the process ends without it. */
const PARK_MS = 2500;

export interface DriveRequest {
  readonly command: string;
  readonly mode: Mode;
  readonly values: Pick<
    RunValues,
    'output' | 'yes' | 'ascii' | 'accessible' | 'theme' | 'noColor' | 'keymap' | 'notifyCommand'
  >;
  readonly io: Io;
  readonly signal: AbortSignal;
  /** Finds out everything that a run needs; called when the screen is up. */
  readonly options: () => Promise<Result<RunOptions>>;
  /** The command line that resumes this run; absent for a dry run, of which nothing is left to resume. */
  readonly resume?: (runId: string) => string;
  /** What the first frame says before the run answers. */
  readonly start?: StartInfo;
  /** Ends the command instead of the run's own envelope or summary; answers the exit code. */
  readonly finish?: (last: RunSnapshot) => Promise<number>;
  /** `finish` prints the messages of the run: the progress leaves them out. */
  readonly messagesAtEnd?: boolean;
  /** What the envelope says besides the run. Called once, at the end. */
  readonly more?: (last: RunSnapshot) => Promise<Record<string, unknown>>;
}

/** Answers the exit code; an error only when no run came to be. */
export async function drive(request: DriveRequest): Promise<Result<number>> {
  const { command, mode, values, io, signal } = request;
  let control: ControlServer | undefined;
  const start = async (signal: AbortSignal): Promise<Result<RunHandle>> => {
    const begun = await begin(request, signal);
    if (!begun.ok) return begun;
    const { run, options } = begun.value;
    const { runId, journal } = run.snapshot();
    setOpenRun({ runId, journal: journal.path });
    if (values.yes) confirmPreviews(run);
    const served = await serveControl(runDir(options.stateDir, runId), run);
    if (served.ok) control = served.value;
    else if (mode === 'headless') await write(io.stderr, `note: ${served.error.message}\n`);
    return ok(run);
  };
  try {
    if (mode === 'screen') return await withScreen(request, start);
    const begun = await start(signal);
    if (!begun.ok) return begun;
    for (const notice of begun.value.notices ?? []) await write(io.stderr, `note: ${notice}\n`);
    const last = await followRun(begun.value, io, signal, { messages: !request.messagesAtEnd });
    if (request.finish && !signal.aborted) return ok(await request.finish(last));
    const more = request.more ? await request.more(last) : {};
    const exitCode = signal.aborted ? exitOfSignal(signal.reason) : undefined;
    return ok(
      await finishRun(
        { command, format: values.output, io, resume: request.resume?.(last.runId), more, exitCode },
        last,
      ),
    );
  } finally {
    setOpenRun(undefined);
    await control?.close();
  }
}

async function begin(
  request: DriveRequest,
  signal: AbortSignal,
): Promise<Result<{ run: RunHandle; options: RunOptions }>> {
  const options = await request.options();
  if (!options.ok) return options;
  const { startRun } = await import('../engine/run/start.ts');
  const run = await startRun(options.value, signal);
  return run.ok ? ok({ run: run.value, options: options.value }) : err(run.error);
}

async function withScreen(
  request: DriveRequest,
  start: (signal: AbortSignal) => Promise<Result<RunHandle>>,
): Promise<Result<number>> {
  const { values, io, signal } = request;
  keepHeapSmall();
  const { readScreenConfig, wordsOf } = await import('./screen-config.ts');
  const config = await readScreenConfig(values.keymap, io.env);
  if (!config.ok) return config;
  const { keymap, notify } = config.value;
  const { notifier } = await import('./notify.ts');
  const { showWizard } = await import('../screens/main.tsx');
  // The engine is loaded when the first frame is out: loading takes longer than drawing.
  const starting = new AbortController();
  signal.addEventListener('abort', () => starting.abort(signal.reason), { once: true });
  const handle = new Promise((resolve) => setTimeout(resolve, FIRST_FRAME_MS)).then(() => start(starting.signal));
  const shown = await showWizard({
    handle,
    start: request.start,
    keymap,
    notify: notifier(
      values.notifyCommand === undefined ? notify : { ...notify, command: wordsOf(values.notifyCommand) },
    ),
    theme: values.theme,
    accessible: values.accessible,
    color: values.noColor ? 'never' : 'auto',
    ascii: values.ascii || undefined,
    stdin: io.stdin,
    stdout: io.stdout,
    signal,
    env: io.env,
  });
  if (shown.error) throw shown.error;
  if (shown.snapshot === undefined && shown.leftBy !== 'error') {
    // Left before the run came to be: its start is stopped, or it is told to leave; the lock should not stay behind.
    starting.abort(new Error('left before it began'));
    await atMost(
      PARK_MS,
      handle.then((late) => (late.ok ? late.value.ended : undefined)),
    );
    return ok(shown.signal === 'SIGHUP' ? EXIT.hungUp : exitCodeOf({ outcome: 'parked' }));
  }
  const begun = await handle;
  if (!begun.ok) return begun;
  if (shown.signal === 'SIGHUP') await atMost(PARK_MS, begun.value.ended);
  const last = begun.value.snapshot();
  if (request.more) await request.more(last);
  if (!shown.summarised) await write(io.stdout, summary(last));
  if (request.resume && (last.outcome === 'parked' || last.status !== 'ended')) {
    await write(io.stderr, `The run is parked; go on with:\n  ${request.resume(last.runId)}\n`);
  }
  if (shown.signal === 'SIGHUP') return ok(EXIT.hungUp);
  return ok(last.outcome === undefined ? exitCodeOf({ outcome: 'parked' }) : exitCodeOf(last));
}

/** Waits for the work, but no longer; a bug in it is told by whoever waits for it properly. */
function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    work.then(done, done);
  });
}

/**
 * A screen makes much short-lived garbage, and by default V8 lets the heap double before it looks again: 230 MB at the
 * peak of a rehearsal. Growing by a quarter costs a little time in the collector and stays far below 200 MB.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=25');
}

/** `--yes`: previews are confirmed as they come; what wants a typed name is never answered here. */
function confirmPreviews(run: RunHandle): void {
  let answered = '';
  const look = () => {
    const ask = run.snapshot().ask;
    if (ask?.kind !== 'confirm' || ask.typed !== undefined || ask.preview.destructive || ask.id === answered) return;
    answered = ask.id;
    run.send({ kind: 'answer', askId: ask.id, answer: { kind: 'confirm', action: 'approve', reason: '--yes' } });
  };
  run.subscribe(look);
  look();
}
