/** One entry of the index of runs: its shape on the disk, and how it follows from a journal. */
import type { CheckpointEntry } from './checkpoint-types.ts';
import { phaseViews, type RunState } from './fold.ts';

const text = (maxLength: number) => ({ type: 'string', maxLength });
const whole = { type: 'integer', minimum: 0 };

/** JSON schema of an entry, for `conf`. Unknown keys are refused: they would be another version's. */
export const ENTRY_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: [
    ...['runId', 'context', 'server', 'namespace', 'clusterUid', 'planName', 'planHash', 'startedAt', 'updatedAt'],
    ...['status', 'phase', 'done', 'total', 'pid', 'host', 'rehearsal'],
  ],
  properties: {
    runId: { type: 'string', pattern: '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$' },
    context: text(1000),
    server: text(2000),
    namespace: text(253),
    clusterUid: text(100),
    planName: text(253),
    planHash: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    startedAt: text(40),
    updatedAt: text(40),
    status: { enum: ['running', 'parked', 'ended'] },
    outcome: { enum: ['done', 'failed', 'parked', 'rolled-back', 'gate-failed', 'refused'] },
    phase: text(100),
    done: whole,
    total: whole,
    pid: whole,
    host: text(255),
    rehearsal: { type: 'boolean' },
    events: whole,
  },
} as const;

const COMPLETE = new Set(['pass', 'waived', 'skipped']);

/** The entry of a run. `server` is the address of the API server, which the journal does not hold. */
export function checkpointEntry(state: RunState, server: string): CheckpointEntry {
  const current = state.steps.find((step) => step.id === state.currentStep);
  const next = phaseViews(state).find((phase) => phase.state !== 'done' && phase.state !== 'rolled-back');
  return {
    runId: state.runId,
    context: state.cluster.context,
    server,
    namespace: state.cluster.namespace,
    clusterUid: state.cluster.uid,
    planName: state.planName,
    planHash: state.planHash,
    startedAt: state.startedAt,
    updatedAt: state.updatedAt,
    status: state.status === 'parked' || state.status === 'ended' ? state.status : 'running',
    ...(state.outcome ? { outcome: state.outcome } : {}),
    phase: current?.phase ?? next?.id ?? state.steps.at(-1)?.phase ?? '',
    done: state.steps.filter((step) => COMPLETE.has(step.state)).length,
    total: state.steps.length,
    pid: state.pid,
    host: state.host,
    rehearsal: state.rehearsal,
    events: state.events,
  };
}

/**
 * A journal that was cut exactly between two lines looks whole. The index remembers how long it was: a sentence for the
 * operator when lines are missing (a restored backup, a copied folder), undefined when all are there.
 */
export function journalShortfall(entry: CheckpointEntry | undefined, lines: number): string | undefined {
  const missing = (entry?.events ?? 0) - lines;
  if (missing <= 0) return undefined;
  return `the journal has ${lines} events but had ${entry?.events}: its last ${missing} are missing (an older copy?); the cluster is asked what became of them, and what was decided in them is asked again`;
}
