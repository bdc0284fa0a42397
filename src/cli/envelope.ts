/** The envelope of a run, pure: the same snapshot always gives the same object (docs/commands.md, "JSON"). */
import type { RunSnapshot, StepView } from '../engine/run/model.ts';
import { exitCodeOf } from './exit-code.ts';
import { type Envelope, envelope } from './output.ts';
import { errorJson } from './render-error.ts';

/** `more` holds what only the command knows: `load` of a rehearsal, `resume`, where the record was exported to. */
export function runEnvelope(command: string, snapshot: RunSnapshot, more: Record<string, unknown> = {}): Envelope {
  const exitCode = exitCodeOf(snapshot);
  return envelope(command, snapshot.outcome ?? snapshot.status, snapshot.outcome ? exitCode : 0, {
    runId: snapshot.runId,
    plan: snapshot.planName,
    context: snapshot.context,
    namespace: snapshot.namespace,
    operator: snapshot.operator,
    rehearsal: snapshot.rehearsal,
    timeScale: snapshot.timeScale,
    startedAt: snapshot.startedAt,
    now: snapshot.now,
    ...(snapshot.endedFor === undefined ? {} : { reason: snapshot.endedFor }),
    ...(snapshot.error ? { error: errorJson(snapshot.error) } : {}),
    ...(snapshot.heldFor === undefined ? {} : { heldFor: snapshot.heldFor }),
    ...(snapshot.waitingFor ? { waitingFor: snapshot.waitingFor } : {}),
    ...(snapshot.ask ? { ask: { id: snapshot.ask.id, kind: snapshot.ask.kind } } : {}),
    services: snapshot.services.map(({ name, phase, state, workload }) => ({ name, phase, state, workload })),
    steps: snapshot.steps.map(stepJson),
    checklist: snapshot.checklist,
    journal: snapshot.journal,
    ...(snapshot.exportedTo === undefined ? {} : { exportedTo: snapshot.exportedTo }),
    ...more,
  });
}

function stepJson(step: StepView): Record<string, unknown> {
  const { id, guide, title, phase, service, state, startedAt, finishedAt, attempts, evidence, cause, hint, note } =
    step;
  return { id, guide, title, phase, service, state, startedAt, finishedAt, attempts, evidence, cause, hint, note };
}

/** The command line that goes on with a parked run. */
export function resumeCommand(snapshot: Pick<RunSnapshot, 'runId'>, more: readonly string[] = []): string {
  return ['pgb-wizard', 'run', '--run', snapshot.runId, ...more].join(' ');
}
