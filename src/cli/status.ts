/** `status`: one look at a run, or all that happens to it. */
import { watch } from 'node:fs';
import { fail, ok, type Result } from '../engine/result.ts';
import type { RunSnapshot, StepView } from '../engine/run/model.ts';
import { operator } from '../engine/run/operator.ts';
import { journalPath, stateDir } from '../engine/run/paths.ts';
import type { Invocation } from './command.ts';
import type { statusFlags } from './commands/status.ts';
import { askControl } from './control.ts';
import { runEnvelope } from './envelope.ts';
import { exitCodeOf } from './exit-code.ts';
import { type Io, write } from './io.ts';
import { type Format, isMachine, print, table } from './output.ts';
import { progressLines } from './progress.ts';
import { findRun, snapshotOfState } from './runs.ts';
import { kubeOptions, planOf } from './session.ts';

interface Seen {
  readonly snapshot: RunSnapshot;
  /** A process drives the run now. */
  readonly live: boolean;
  /** Where the copy that was read comes from, when it is the cluster's, and who drives the run as far as that can be told. */
  readonly copy?: { readonly updatedAt: string; readonly drivenBy?: string };
}

/** The run as its own process sees it, else as its journal tells. */
export async function lookAt(folder: string, runId: string | undefined): Promise<Result<Seen>> {
  const run = findRun(folder, runId);
  if (!run.ok) return run;
  const asked = await askControl(run.value.dir, { query: 'snapshot' });
  if (asked?.ok) return ok({ snapshot: asked.value, live: true });
  return ok({ snapshot: snapshotOfState(run.value), live: false });
}

/** Exit code 0: the status was shown. With `--watch` it is the run's own, when it ended meanwhile. */
export async function showStatus(invocation: Invocation<typeof statusFlags>): Promise<Result<number>> {
  const { values, io, signal } = invocation;
  if (ofCluster(values)) return showCopy(invocation);
  const folder = stateDir(io.env);
  const first = await lookAt(folder, values.run);
  if (!first.ok) return first;
  await show(first.value, values.output, io);
  if (!values.watch) return ok(0);
  let before = first.value.snapshot;
  let live = first.value.live;
  const path = journalPath(findRunDir(before));
  while (live && before.status !== 'ended' && !signal.aborted) {
    await change(path, signal);
    const next = await lookAt(folder, before.runId);
    if (!next.ok) return next;
    const { snapshot } = next.value;
    live = next.value.live;
    if (isMachine(values.output)) {
      if (snapshot.journal.events !== before.journal.events) await show(next.value, values.output, io);
    } else {
      const lines = progressLines(before, snapshot);
      if (lines.length > 0) await write(io.stdout, `${lines.join('\n')}\n`);
    }
    before = snapshot;
  }
  if (!live && before.status !== 'ended') await write(io.stderr, 'Nobody drives this run now.\n');
  return ok(before.status === 'ended' ? exitCodeOf(before) : 0);
}

const ofCluster = (values: Invocation<typeof statusFlags>['values']) =>
  [values.namespace, values.context, values.kubeconfig, values.as].some((flag) => flag !== undefined);

/** From the cluster's copy: what another machine, or a new one, can tell of a run. */
async function showCopy({ values, io }: Invocation<typeof statusFlags>): Promise<Result<number>> {
  if (values.watch) {
    return fail('usage', '--watch follows a run of this machine; the cluster keeps a copy that is only read.', {
      next: ['Leave --watch out, or the flags of the cluster.'],
    });
  }
  const { clusterCopy } = await import('./cluster-runs.ts');
  const { stateOfLedger } = await import('../engine/run/rebuild.ts');
  const plan = await planOf(undefined);
  const copy = await clusterCopy(values.run, kubeOptions(values, plan.ok ? plan.value.plan.namespace : undefined));
  if (!copy.ok) return copy;
  const { ledger, drivenBy } = copy.value;
  const state = stateOfLedger(ledger, { who: operator(io.env).identity });
  if (!state.ok) return state;
  const { status } = ledger;
  const seen: Seen = {
    snapshot: {
      ...snapshotOfState({ state: state.value, dir: '' }),
      status: status === 'running' ? 'running' : 'ended',
      ...(status === 'parked' ? { outcome: 'parked' as const } : {}),
      startedAt: ledger.startedAt,
      now: ledger.updatedAt,
      journal: { path: '', events: ledger.seq, headHash: ledger.headHash },
    },
    live: drivenBy !== undefined,
    copy: { updatedAt: ledger.updatedAt, ...(drivenBy ? { drivenBy } : {}) },
  };
  await show(seen, values.output, io);
  return ok(0);
}

const findRunDir = (snapshot: RunSnapshot) => snapshot.journal.path.replace(/[/\\][^/\\]*$/, '');

/** Settles when the journal was written to, at the latest after two seconds (soaks write little). */
function change(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      watcher.close();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const watcher = watch(path, done);
    watcher.on('error', done);
    const timer = setTimeout(done, 2000);
    signal.addEventListener('abort', done, { once: true });
  });
}

async function show(seen: Seen, format: Format, io: Io): Promise<void> {
  if (isMachine(format)) {
    await print(io, format, {
      ...runEnvelope('status', seen.snapshot),
      exitCode: 0,
      live: seen.live,
      ...(seen.copy ? { copy: seen.copy } : {}),
    });
    return;
  }
  await write(io.stdout, statusText(seen, format === 'wide'));
}

/** The status for people. `wide` lists every step, otherwise only those that were begun. */
export function statusText({ snapshot, live, copy }: Seen, wide: boolean): string {
  const driven = copy?.drivenBy
    ? `driven by ${copy.drivenBy}`
    : live
      ? 'driven by a process of this machine'
      : 'driven by nobody now';
  const head = table([
    ['run', `${snapshot.runId}  ${snapshot.outcome ?? snapshot.status}, ${driven}`],
    [
      'where',
      `${snapshot.context}/${snapshot.namespace}, plan ${snapshot.planName}${snapshot.rehearsal ? ', rehearsal' : ''}`,
    ],
    ['who', `${snapshot.operator}, since ${snapshot.startedAt}`],
    ...(snapshot.waitingFor ? [['waiting', snapshot.waitingFor.text]] : []),
    ...(snapshot.ask
      ? [['asks', `${snapshot.ask.kind}${'title' in snapshot.ask ? `: ${snapshot.ask.title}` : ''}`]]
      : []),
    ...(snapshot.heldFor === undefined ? [] : [['held', snapshot.heldFor]]),
    [
      'journal',
      `${copy ? `the cluster's copy of ${copy.updatedAt}` : snapshot.journal.path}, ${snapshot.journal.events} events, head ${snapshot.journal.headHash.slice(0, 12)}`,
    ],
  ]);
  const phases = table([
    ['PHASE', 'TITLE', 'STATE', 'DONE'],
    ...snapshot.phases.map((phase) => [phase.id, phase.title, phase.state, `${phase.done}/${phase.total}`]),
  ]);
  const services = table([
    ['SERVICE', 'PHASE', 'STATE'],
    ...snapshot.services.map((service) => [service.name, service.phase, service.state]),
  ]);
  const steps = snapshot.steps.filter((step) => wide || step.state !== 'todo');
  const list = table([
    ['STEP', 'GUIDE', 'STATE', 'EVIDENCE'],
    ...steps.map((step) => [step.id, step.guide, step.state, why(step)]),
  ]);
  return [head, phases, services, ...(steps.length > 0 ? [list] : [])].join('\n');
}

const why = (step: StepView) => step.cause ?? step.note ?? step.evidence.at(-1)?.observed ?? '';
