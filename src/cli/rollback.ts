/** `rollback`: tells the live run, or resumes a parked one with the rollback as its first act. */
import { type ErrorCode, fail, ok, type Result } from '../engine/result.ts';
import type { RollbackScope } from '../engine/run/model.ts';
import { operator } from '../engine/run/operator.ts';
import { runDir, stateDir } from '../engine/run/paths.ts';
import type { Invocation, Values } from './command.ts';
import type { rollbackFlags } from './commands/rollback.ts';
import { askControl } from './control.ts';
import { drive } from './drive.ts';
import { resumeCommand } from './envelope.ts';
import type { changeFlags, planFlag, policyFlags } from './flags.ts';
import { write } from './io.ts';
import { tell } from './remote.ts';
import { kubeFlags } from './run-migration.ts';
import { type FoundRun, findRun } from './runs.ts';
import { kubeOptions, modeOf, planOf, prepareRun, remoteRun } from './session.ts';
import { suggestion } from './values.ts';

export async function rollback(invocation: Invocation<typeof rollbackFlags>): Promise<Result<number>> {
  const { values, io, signal, command } = invocation;
  const run = await findRunAnywhere(invocation);
  if (!run.ok) return run;
  const scope = scopeOf(values, run.value);
  if (!scope.ok) return scope;
  const live = await askControl(run.value.dir, { query: 'snapshot' });
  if (live?.ok) {
    const said = `run ${run.value.runId} was told to roll back ${scopeText(scope.value)}`;
    return tell(command, io, run.value, { kind: 'rollback', scope: scope.value }, values.output, () => said);
  }
  const mode = modeOf(values, io);
  if (!mode.ok) return mode;
  const { state } = run.value;
  const options = await prepareRun({
    values: { ...NOTHING_ELSE, ...values, run: run.value.runId },
    mode: mode.value,
    io,
    rehearsal: state.rehearsal,
    timeScale: state.timeScale,
    signal,
    kube: kubeOptions(
      { ...values, context: values.context ?? (state.cluster.context || undefined) },
      state.cluster.namespace,
    ),
  });
  if (!options.ok) return options;
  return drive({
    command,
    mode: mode.value,
    values: { ...values, yes: false },
    io,
    signal,
    options: async () => ok({ ...options.value, rollback: scope.value }),
    resume: (runId) => resumeCommand({ runId }, kubeFlags(values)),
  });
}

/** The run on this machine, else the cluster's copy of it when it was named. */
async function findRunAnywhere({ values, io, signal }: Invocation<typeof rollbackFlags>): Promise<Result<FoundRun>> {
  const folder = stateDir(io.env);
  const local = findRun(folder, values.run);
  // A damaged journal here is no reason to stay where it fails: the cluster has what the way back needs.
  if (local.ok || values.run === undefined || !ELSEWHERE.has(local.error.code)) return local;
  const plan = await planOf(undefined);
  const kube = { ...kubeOptions(values, plan.ok ? plan.value.plan.namespace : undefined), signal };
  const remote = await remoteRun(values.run, kube);
  if (!remote.ok || !remote.value.fromCluster) return remote.ok || local.error.code !== 'not-found' ? local : remote;
  if (local.error.code !== 'not-found')
    await write(io.stderr, `note: ${local.error.message}; going on from the cluster's copy\n`);
  const { stateOfLedger } = await import('../engine/run/rebuild.ts');
  const state = stateOfLedger(remote.value.fromCluster, { who: operator(io.env).identity });
  if (!state.ok) return state;
  const journal = { lines: [], head: state.value.head, bytes: 0 };
  return ok({ runId: values.run, dir: runDir(folder, values.run), journal, state: state.value, notices: [] });
}

const ELSEWHERE: ReadonlySet<ErrorCode> = new Set(['not-found', 'journal-corrupt']);

/** Flags of `run` that a rollback does not have. */
const NOTHING_ELSE: Omit<Values<typeof policyFlags & typeof changeFlags & typeof planFlag>, 'noInput'> = {
  plan: undefined,
  yes: false,
  approve: undefined,
  onFailure: undefined,
  onBlocked: undefined,
  onInconclusive: undefined,
  change: undefined,
  changeTitle: undefined,
  dryRun: undefined,
  stopAfter: undefined,
};

/** Exactly one scope, and of this run. */
export function scopeOf(
  values: { readonly service?: string; readonly phase?: string; readonly all: boolean },
  run: Pick<FoundRun, 'runId' | 'state'>,
): Result<RollbackScope> {
  const given = [values.service !== undefined, values.phase !== undefined, values.all].filter(Boolean).length;
  if (given !== 1) {
    return fail('answer-needed', 'Say what to roll back: one of --service NAME, --phase ID and --all.');
  }
  if (values.service !== undefined) {
    const names = run.state.services.map((service) => service.name);
    if (names.includes(values.service)) return ok({ kind: 'service', service: values.service });
    return fail('usage', `Run ${run.runId} has no service ${values.service}.${suggestion(values.service, names)}`);
  }
  if (values.phase !== undefined) {
    const phases = [...new Set(run.state.services.map((service) => service.phase))];
    if (phases.includes(values.phase)) return ok({ kind: 'phase', phase: values.phase });
    return fail('usage', `Run ${run.runId} has no services in a phase ${values.phase}; it has ${phases.join(', ')}.`);
  }
  return ok({ kind: 'all' });
}

const scopeText = (scope: RollbackScope) =>
  scope.kind === 'service' ? scope.service : scope.kind === 'phase' ? `phase ${scope.phase}` : 'everything';
