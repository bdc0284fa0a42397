/** Follows a run without a screen: progress on standard error, one envelope on standard output at the end. */
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';
import { runEnvelope } from './envelope.ts';
import { exitCodeOf } from './exit-code.ts';
import { type Io, write } from './io.ts';
import { type Format, isMachine, print } from './output.ts';
import { progressLines } from './progress.ts';
import { renderError } from './render-error.ts';

/** Prints progress until the run has ended or is parked. An abort leaves the run, resumable. */
export async function followRun(
  handle: RunHandle,
  io: Io,
  signal: AbortSignal,
  shown: { readonly messages?: boolean } = {},
): Promise<RunSnapshot> {
  let before: RunSnapshot | undefined;
  const show = (snapshot: RunSnapshot) => {
    const lines = progressLines(before, snapshot, shown);
    before = snapshot;
    if (lines.length > 0) io.stderr.write(`${lines.join('\n')}\n`);
  };
  const leave = () => handle.send({ kind: 'leave' });
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  show(handle.snapshot());
  const stop = handle.subscribe(() => show(handle.snapshot()));
  try {
    const last = await handle.ended;
    show(last);
    return last;
  } finally {
    stop();
    signal.removeEventListener('abort', leave);
  }
}

/** How a command that drove a run ends. */
export interface Finish {
  readonly command: string;
  readonly format: Format;
  readonly io: Io;
  /** The command line that resumes the run; undefined when there is nothing to resume. */
  readonly resume: string | undefined;
  /** What the envelope says besides the run. */
  readonly more?: Record<string, unknown>;
  /** Instead of the run's own: it was stopped by a signal. */
  readonly exitCode?: number;
}

/** Envelope or summary, the way back to a parked run, and the exit code. */
export async function finishRun(finish: Finish, snapshot: RunSnapshot): Promise<number> {
  const { command, format, io, resume, more = {} } = finish;
  const exitCode = finish.exitCode ?? exitCodeOf(snapshot);
  const parked = resume !== undefined && resumable(snapshot);
  const rollback = parked ? rollbackCommand(snapshot, resume) : undefined;
  if (isMachine(format)) {
    const ways = parked ? { resume, ...(rollback ? { rollback } : {}) } : {};
    const envelope = runEnvelope(command, snapshot, { ...ways, ...more });
    await print(io, format, { ...envelope, exitCode });
  } else {
    await write(io.stdout, summary(snapshot));
  }
  if (snapshot.error) await write(io.stderr, renderError(snapshot.error));
  if (parked) await write(io.stderr, `The run is parked; go on with:\n  ${resume}\n`);
  if (rollback) await write(io.stderr, `Or take back what failed:\n  ${rollback}\n`);
  return exitCode;
}

/** Everything but a run that is done, or back where it was, can be gone on with. */
const resumable = (snapshot: RunSnapshot): boolean =>
  snapshot.outcome === 'parked' || snapshot.outcome === 'gate-failed' || snapshot.outcome === 'failed';

/** The command that takes the service back which the run stopped at; none for a rehearsal, whose own command asks. */
function rollbackCommand(snapshot: RunSnapshot, resume: string): string | undefined {
  const failed = snapshot.steps.find((step) => step.state === 'fail');
  const moved = snapshot.services.filter(({ state }) => state === 'switching' || state === 'pooled');
  const service =
    moved.find(({ name }) => name === failed?.service)?.name ?? moved.find(({ state }) => state === 'switching')?.name;
  if (!failed || !service || !resume.startsWith('pgb-wizard run ')) return undefined;
  return resume.replace('pgb-wizard run ', `pgb-wizard rollback --service ${service} `);
}

/** A few lines for the scrollback. */
export function summary(snapshot: RunSnapshot): string {
  const count = (state: string) => snapshot.services.filter((service) => service.state === state).length;
  const states = ['pooled', 'direct', 'switching', 'rolled-back'].flatMap((state) =>
    count(state) > 0 ? [`${count(state)} ${state}`] : [],
  );
  const steps = snapshot.steps.filter((step) => ['pass', 'waived', 'skipped'].includes(step.state)).length;
  const open = snapshot.steps.filter((step) => step.state === 'fail' || step.state === 'inconclusive');
  return [
    `run ${snapshot.runId}: ${snapshot.outcome ?? snapshot.status}`,
    `services: ${states.join(', ') || 'none'}`,
    `steps: ${steps} of ${snapshot.steps.length} complete`,
    ...open.map((step) => `  ${step.state}: ${step.id}${step.cause ? `: ${step.cause}` : ''}`),
    `journal: ${snapshot.journal.path} (${snapshot.journal.events} events, head ${snapshot.journal.headHash.slice(0, 12)})`,
    ...(snapshot.exportedTo ? [`record: ${snapshot.exportedTo}`] : []),
    '',
  ].join('\n');
}
