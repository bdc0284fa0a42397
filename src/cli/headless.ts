/** Follows a run without a screen: progress on standard error, one envelope on standard output at the end. */
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';
import { runEnvelope } from './envelope.ts';
import { exitCodeOf } from './exit-code.ts';
import { type Io, write } from './io.ts';
import { type Format, isMachine, print } from './output.ts';
import { progressLines } from './progress.ts';
import { renderError } from './render-error.ts';

/** Prints progress until the run has ended or is parked. An abort leaves the run, resumable. */
export async function followRun(handle: RunHandle, io: Io, signal: AbortSignal): Promise<RunSnapshot> {
  let before: RunSnapshot | undefined;
  const show = (snapshot: RunSnapshot) => {
    const lines = progressLines(before, snapshot);
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

/** The end of a command that drove a run: envelope or summary, and the exit code. */
export async function finishRun(
  command: string,
  snapshot: RunSnapshot,
  format: Format,
  io: Io,
  resume: string,
  more: Record<string, unknown> = {},
): Promise<number> {
  const parked = snapshot.outcome === 'parked';
  if (isMachine(format)) {
    await print(io, format, runEnvelope(command, snapshot, parked ? { resume, ...more } : more));
  } else {
    await write(io.stdout, summary(snapshot));
  }
  if (snapshot.error) await write(io.stderr, renderError(snapshot.error));
  if (parked) await write(io.stderr, `The run is parked; go on with:\n  ${resume}\n`);
  return exitCodeOf(snapshot);
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
