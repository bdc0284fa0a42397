/** Finds runs: by id, the newest, those that wait to be resumed. The journal is read; no cluster is asked. */
import { statSync } from 'node:fs';
import { fail, ok, type Result } from '../engine/result.ts';
import type { CheckpointEntry } from '../engine/run/checkpoint-types.ts';
import { identityOf } from '../engine/run/core.ts';
import { foldAll, phaseViews, type RunState } from '../engine/run/fold.ts';
import { isRunning } from '../engine/run/journal-lock.ts';
import { readJournal } from '../engine/run/journal-read.ts';
import type { JournalContent } from '../engine/run/journal-types.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import { isRunId, journalPath, runDir, runIds } from '../engine/run/paths.ts';
import { suggestion } from './values.ts';

export interface FoundRun {
  readonly runId: string;
  readonly dir: string;
  readonly journal: JournalContent;
  readonly state: RunState;
  /** Some journals could not be read while looking for the newest: which, and why. */
  readonly notices: readonly string[];
}

/** A run by its id, or the one that was written to last. */
export function findRun(stateDir: string, runId: string | undefined): Result<FoundRun> {
  const ids = runIds(stateDir);
  if (!ids.ok) return ids;
  if (runId !== undefined) {
    if (!isRunId(runId) || !ids.value.includes(runId)) {
      return fail('not-found', `There is no run ${runId} on this machine.${suggestion(runId, ids.value)}`, {
        exitCode: 2,
        next: ['See the runs with `pgb-wizard status`.'],
      });
    }
    return openRun(stateDir, runId);
  }
  const notices: string[] = [];
  let newest: { readonly run: FoundRun; readonly writtenAt: number } | undefined;
  for (const id of ids.value) {
    const run = openRun(stateDir, id);
    if (!run.ok) {
      notices.push(`run ${id}: ${run.error.message}`);
      continue;
    }
    const writtenAt = writtenAtOf(run.value);
    if (!newest || writtenAt > newest.writtenAt) newest = { run: run.value, writtenAt };
  }
  if (newest) return ok({ ...newest.run, notices });
  return fail('not-found', 'There is no run on this machine yet.', {
    exitCode: 2,
    cause: notices[0],
    next: [
      'One of another machine is in its cluster: `pgb-wizard status -n NAMESPACE` names it, --run takes it.',
      'Start one with `pgb-wizard`, or practise with `pgb-wizard rehearse`.',
    ],
  });
}

/**
 * When its journal was written to, ms. The file says it in real time; the lines say it in the run's own, which is days
 * ahead where a rehearsal has let time pass.
 */
function writtenAtOf({ dir, state }: FoundRun): number {
  try {
    return statSync(journalPath(dir)).mtimeMs;
  } catch {
    return Date.parse(state.startedAt);
  }
}

function openRun(stateDir: string, runId: string): Result<FoundRun> {
  const dir = runDir(stateDir, runId);
  const journal = readJournal(journalPath(dir), runId);
  if (!journal.ok) return journal;
  const state = foldAll(journal.value.lines);
  if (!state) return fail('journal-corrupt', `The journal of run ${runId} does not begin with the start of a run.`);
  return ok({ runId, dir, journal: journal.value, state, notices: [] });
}

/** Does a run wait to be resumed? Parked, or its process is gone from this machine. */
export function isResumable(entry: CheckpointEntry, hosts: readonly string[]): boolean {
  if (entry.status === 'parked') return true;
  return entry.status === 'running' && hosts.includes(entry.host) && !isRunning(entry.pid);
}

/** What the journal knows, in the shape of a live snapshot: for status and envelopes of a run that nobody drives. */
export function snapshotOfState(run: Pick<FoundRun, 'state' | 'dir'>): RunSnapshot {
  const { state } = run;
  return {
    ...identityOf(state),
    now: state.updatedAt,
    status: state.status === 'ended' || state.status === 'parked' ? 'ended' : state.status,
    outcome: state.status === 'parked' ? 'parked' : state.outcome,
    phases: phaseViews(state),
    steps: state.steps,
    services: state.services.map(({ name, phase, state: at, workload }) => ({ name, phase, state: at, workload })),
    currentStep: state.currentStep,
    heldFor: state.heldFor,
    pools: { poolers: [], rows: state.poolHistory.at(-1)?.rows ?? [], history: state.poolHistory, everyMs: 0 },
    gates: state.gates,
    checklist: state.checklist,
    messages: state.messages,
    logLines: [],
    cluster: { state: 'stale', ageMs: 0, version: state.cluster.version },
    journal: { path: journalPath(run.dir), events: state.events, headHash: state.head },
  };
}
