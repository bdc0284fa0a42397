/**
 * A run on a machine that has no journal of it: the cluster's copy (its ledger) is enough to go on. A new
 * journal begins with the start of the run as the ledger knows it, says that it was rebuilt and from what, and holds the
 * hash the lost journal had, so that both can be laid side by side when the other machine comes back.
 */
import { existsSync, renameSync } from 'node:fs';
import type { Ledger } from '../kube/option-types.ts';
import { planFromJournal } from '../plan/load.ts';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { stepsOf } from '../steps/index.ts';
import { workloadIdOf } from '../steps/plan-facts.ts';
import type { Clock } from './clock.ts';
import type { RunEvent } from './events.ts';
import { emptyState, fold, type RunState } from './fold.ts';
import { openJournal } from './journal.ts';
import { NO_HASH } from './journal-line.ts';
import type { JsonValue, RollbackScope, ServiceState, StepState } from './model.ts';
import { journalPath, runDir } from './paths.ts';

type Intent = Extract<RunEvent, { type: 'call.intent' }>;
type Decided = Extract<RunEvent, { type: 'decided' }>;

/** What `data` of the ledger holds (ledger.ts writes it). */
interface LedgerData {
  readonly plan: JsonValue;
  readonly rehearsal: boolean;
  readonly timeScale: number;
  readonly cluster?: Extract<RunEvent, { type: 'run.started' }>['cluster'];
  readonly change?: Extract<RunEvent, { type: 'run.started' }>['change'];
  readonly steps: Readonly<Record<string, StepState>>;
  readonly services: Readonly<Record<string, ServiceState>>;
  readonly facts: Readonly<Record<string, JsonValue>>;
  /** Of each object that was changed the last call, and every call without a known outcome. */
  readonly calls?: readonly { readonly intent: Intent; readonly result?: 'done' | 'refused' | 'unknown' }[];
  readonly decisions?: readonly Decided[];
  readonly pendingBack?: { readonly scope: RollbackScope; readonly done: boolean };
}

const KEPT: ReadonlySet<StepState> = new Set(['pass', 'waived', 'skipped', 'fail', 'inconclusive']);

/** The events that a journal would begin with if it had been kept here. Errors: `plan-mismatch`. */
export function eventsOfLedger(ledger: Ledger, here: { readonly who: string }): Result<RunEvent[]> {
  const data = ledger.data as unknown as LedgerData;
  const loaded = planFromJournal(data.plan, ledger.planHash);
  if (!loaded.ok) return loaded;
  const { plan } = loaded.value;
  const planned = stepsOf(plan).map((step) => step.info);
  const events: RunEvent[] = [
    {
      type: 'run.started',
      runId: ledger.runId,
      operator: ledger.operator,
      // Nobody's: a process of the lost machine can't be asked about from here.
      host: '(another machine)',
      pid: 0,
      toolVersion: '(rebuilt)',
      planName: ledger.planName,
      planHash: ledger.planHash,
      plan: data.plan,
      cluster: data.cluster ?? { context: '', namespace: plan.namespace, uid: '', version: '' },
      rehearsal: data.rehearsal === true,
      timeScale: data.timeScale ?? 1,
      steps: planned,
      services: plan.phases.flatMap((phase) =>
        phase.services.map((service) => ({ name: service.name, phase: phase.id, workload: workloadIdOf(service) })),
      ),
      ...(data.change ? { change: data.change } : {}),
    },
    {
      type: 'fact',
      key: 'rebuiltFrom',
      value: {
        head: ledger.headHash,
        events: ledger.seq,
        startedAt: ledger.startedAt,
        updatedAt: ledger.updatedAt,
        operator: ledger.operator,
        by: here.who,
      },
    },
    {
      type: 'message',
      level: 'warn',
      text: `this journal was rebuilt from the cluster's copy of ${ledger.updatedAt}; what the machine of ${ledger.operator} wrote down besides (evidence, samples) is there, in the journal with head ${ledger.headHash.slice(0, 12)}`,
    },
  ];
  for (const [key, value] of Object.entries(data.facts ?? {})) {
    // The dead holder of the lock is no process of this machine.
    if (key !== 'lockHolder' && key !== 'rebuiltFrom') events.push({ type: 'fact', key, value });
  }
  for (const { intent, result } of data.calls ?? []) {
    events.push({ ...intent, type: 'call.intent' });
    if (result) events.push({ type: 'call.outcome', callId: intent.callId, result });
  }
  for (const [service, state] of Object.entries(data.services ?? {})) {
    if (state !== 'direct') events.push({ type: 'service.state', service, state });
  }
  for (const decision of data.decisions ?? []) events.push({ ...decision, type: 'decided' });
  for (const [id, state] of Object.entries(data.steps ?? {})) {
    if (KEPT.has(state)) events.push({ type: 'step.finished', id, state, note: "as the cluster's copy says" });
  }
  if (data.pendingBack) {
    const { scope, done } = data.pendingBack;
    events.push({ type: 'rollback.started', scope, services: [], who: ledger.operator });
    if (done) events.push({ type: 'rollback.finished', scope, ok: true });
  }
  return ok(events);
}

/** The state these events fold to: for questions about a run before it is taken over. */
export function stateOfLedger(ledger: Ledger, here: { readonly who: string }): Result<RunState> {
  const events = eventsOfLedger(ledger, here);
  if (!events.ok) return events;
  const [first, ...rest] = events.value;
  if (first?.type !== 'run.started') return fail('internal', 'a rebuilt journal does not begin with its start');
  const line = { v: 1 as const, at: ledger.updatedAt, prev: NO_HASH, hash: NO_HASH };
  return ok(rest.reduce((state, event, i) => fold(state, { ...line, seq: i + 2, event }), emptyState(first, line)));
}

/**
 * Writes the journal of a run anew from the cluster's copy. One that is there already and was overtaken by another
 * machine is kept beside it. Call it with the lock held.
 */
export async function rebuildJournal(options: {
  readonly stateDir: string;
  readonly ledger: Ledger;
  readonly clock: Pick<Clock, 'now'>;
  readonly who: string;
}): Promise<Result<{ readonly notices: readonly string[] }>> {
  const { stateDir, ledger, clock, who } = options;
  const notices: string[] = [];
  const events = eventsOfLedger(ledger, { who });
  if (!events.ok) return events;
  const dir = runDir(stateDir, ledger.runId);
  const path = journalPath(dir);
  // Behind the cluster's copy, or damaged: it is kept, under another name.
  const aside = `${path}.overtaken-${ledger.seq}-${ledger.headHash.slice(0, 8)}`;
  if (existsSync(path)) {
    try {
      renameSync(path, aside);
      notices.push(
        sanitiseLine(
          `the journal that was here lacks what the cluster's copy knows, or is damaged: it was put aside as ${aside}`,
          600,
        ),
      );
    } catch (error) {
      return fail('journal-write', `the overtaken journal of run ${ledger.runId} cannot be put aside`, {
        cause: (error as NodeJS.ErrnoException).code,
      });
    }
  }
  const journal = await openJournal({ dir, runId: ledger.runId, clock, create: true });
  if (!journal.ok) return journal;
  for (const event of events.value) {
    const written = journal.value.append(event, { durable: false });
    if (!written.ok) {
      journal.value.close();
      return written;
    }
  }
  const closed = journal.value.close();
  return closed.ok ? ok({ notices }) : closed;
}
