/** The first minutes of a resume: the journal against the cluster, the operator's word on the difference, then the run. */
import type { FightWatch } from '../kube/fights.ts';
import type { Kube } from '../kube/types.ts';
import type { Fleet } from '../steps/fleet.ts';
import { ensureSecrets } from '../steps/p1-credentials.ts';
import { ensureOriginals } from '../steps/p1-prepare.ts';
import type { AskBroker } from './asks.ts';
import { JournalStopped } from './core.ts';
import type { LedgerKeeper } from './ledger.ts';
import type { RunOptions } from './options.ts';
import { reconcile } from './reconcile.ts';
import { stepsToRedo } from './redo.ts';
import { describeScope, type RunEnd, type RunnerPorts, runPlan, stoppedBy } from './runner.ts';

export interface ResumePorts {
  readonly runner: RunnerPorts;
  readonly options: RunOptions;
  readonly kube: Kube;
  readonly fleet: Fleet;
  readonly fights: Pick<FightWatch, 'add'>;
  readonly ledger: Pick<LedgerKeeper, 'resume'>;
}

/** Takes a run up again, to the end of its plan or of its way back. Never rejects because of a journal that can't be written. */
export async function resumeRun(ports: ResumePorts): Promise<RunEnd> {
  try {
    return await compareThenRun(ports);
  } catch (thrown) {
    if (thrown instanceof JournalStopped) return stoppedBy(thrown);
    throw thrown;
  }
}

async function compareThenRun({ runner, options, kube, fleet, fights, ledger }: ResumePorts): Promise<RunEnd> {
  const { core, controls, asks } = runner;
  const { live } = core;
  const signal = controls.signal;
  const ctx = runner.context('resume', signal);
  ctx.waitingFor('the cluster, to compare it with the journal');
  const taken = await ledger.resume(signal);
  if (!taken.ok) return { outcome: 'parked', cause: taken.error.message, error: taken.error };
  const { status, outcome, cause } = core.state;
  // It came to its end and was cut before the ledger, the index or the record said so: only those are due. With a screen
  // a human may take up services that were rolled back; a pipeline that repeats its command must not.
  if (status === 'ended' && outcome !== undefined && options.policy && !options.rollback) {
    core.message('warn', overAlready(core.state.runId, outcome));
    return { outcome, ...(cause === undefined ? {} : { cause }) };
  }
  if (core.state.facts.originals !== undefined) {
    const originals = await ensureOriginals(ctx);
    if (!originals.ok) return { outcome: 'parked', cause: originals.error.message, error: originals.error };
  }
  // The pools are on the screen from here on, and a way back can see who is connected; what needs them says what is missing.
  if (core.state.steps.some((step) => step.id === 'p1.credentials' && step.state === 'pass')) await ensureSecrets(ctx);
  const compared = await reconcile(kube, fleet, core.state, signal);
  if (!compared.ok) return { outcome: 'parked', cause: compared.error.message, error: compared.error };
  const { rows, corrections } = compared.value;
  const pending = core.state.pendingBack;
  const back = options.rollback ?? (pending?.done === false ? pending.scope : undefined);
  live.set({ status: 'asking', waitingFor: { text: 'your answer', since: core.timestamp() } });
  let answer: Awaited<ReturnType<AskBroker['put']>>;
  try {
    answer = await asks.put(
      { id: asks.nextId(), kind: 'reconcile', rows, ...(back ? { goingBack: true as const } : {}) },
      signal,
    );
  } catch (thrown) {
    if (thrown instanceof JournalStopped) throw thrown;
    return { outcome: 'parked', cause: controls.leaving ?? 'left before it was resumed' };
  }
  if (answer.kind !== 'reconcile' || answer.action === 'leave') {
    // Without a screen nobody has seen the rows, and the same command would stop here again.
    if (options.policy)
      for (const row of rows.filter(({ verdict }) => verdict === 'ask' || verdict === 'stop'))
        core.message(
          'error',
          `${row.what}: the journal says ${row.journal}, the cluster says ${row.cluster}; ${row.willDo}`,
        );
    return { outcome: 'parked', cause: 'the journal and the cluster differ, and nobody said to go on' };
  }
  core.record({
    type: 'run.resumed',
    operator: options.operator,
    host: options.host,
    pid: process.pid,
    toolVersion: options.toolVersion,
    rows,
  });
  for (const { service, state } of corrections) core.record({ type: 'service.state', service, state });
  for (const service of core.state.services) {
    const change = service.state === 'pooled' ? fleet.original(service.name) : undefined;
    if (change) fights.add(change);
  }
  const steps = runner.steps.map(({ info }) => info.id);
  const again: RunnerPorts = { ...runner, redo: stepsToRedo(core.state, steps) };
  if (answer.action === 'rollback-all') return runPlan(again, { kind: 'all' });
  // All of it is back already, and only the last line was not written: there is nothing left to decide.
  if (pending?.done && options.rollback === undefined && (options.policy || pending.scope.kind !== 'service')) {
    return { outcome: 'rolled-back', cause: describeScope(pending.scope) };
  }
  return runPlan(again, back);
}

/** A run that is over is not begun anew without a human; what the one who asked can do instead. */
const overAlready = (runId: string, outcome: string): string =>
  outcome === 'rolled-back'
    ? `run ${runId} was rolled back, and without a terminal its services are not moved again. Take them up with a screen (pgb-wizard run --run ${runId}), or start a new run (pgb-wizard run --fresh)`
    : `run ${runId} is over (${outcome}): nothing was done. Start a new run with pgb-wizard run --fresh`;
