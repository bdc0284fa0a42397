/**
 * From flags to `RunOptions`: which cluster, which plan, new or resumed, with which answers. Questions are asked here, in
 * plain prompts before the screen, and nowhere later; without a terminal a missing answer names its flag.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Ledger } from '../engine/kube/option-types.ts';
import type { LoadedPlan } from '../engine/plan/load-types.ts';
import { rolesOf } from '../engine/plan/logins.ts';
import { err, fail, ok, type Result } from '../engine/result.ts';
import { operator } from '../engine/run/operator.ts';
import type { HeadlessPolicy, KubeOptions, RunOptions, SecretInputs } from '../engine/run/options.ts';
import { runIds, stateDir } from '../engine/run/paths.ts';
import type { Values } from './command.ts';
import type {
  changeFlags,
  clusterFlags,
  displayFlags,
  outputFlag,
  passwordFlags,
  planFlag,
  policyFlags,
  runIdFlag,
} from './flags.ts';
import { hasTerminal, type Io, write } from './io.ts';
import { isMachine } from './output.ts';
import { readPasswords } from './passwords.ts';
import { version } from './version.ts';

export type RunValues = Values<
  typeof clusterFlags &
    typeof planFlag &
    typeof runIdFlag &
    typeof policyFlags &
    typeof changeFlags &
    typeof passwordFlags &
    typeof displayFlags &
    typeof outputFlag
> & {
  readonly fresh?: boolean;
  readonly runId?: string;
  readonly manifestsDir?: string;
  readonly writeManifests?: boolean;
};

/** The plan that is taken when none is named and this file is in the working folder. */
export const PLAN_FILE = 'pgb-wizard.yaml';

export type Mode = 'screen' | 'headless';

/** Screen or no screen; an error when there is nobody to ask and nobody said so. */
export function modeOf(values: Pick<RunValues, 'noInput' | 'output'>, io: Io): Result<Mode> {
  if (values.noInput) return ok('headless');
  if (isMachine(values.output)) {
    return fail('answer-needed', `-o ${values.output} prints one document, so no question can be asked.`, {
      next: ['Add --no-input: the changes of the plan are made, and --on-failure says what follows a failure.'],
    });
  }
  if (hasTerminal(io)) return ok('screen');
  return fail('answer-needed', 'There is no terminal to ask on.', {
    cause: 'Standard input and output must be a terminal for the screen.',
    next: ['Add --no-input: the changes of the plan are made, and --on-failure says what follows a failure.'],
  });
}

export function policyOf(values: RunValues, mode: Mode): Result<HeadlessPolicy | undefined> {
  if (mode === 'screen') {
    const flag = (['approve', 'onFailure', 'onBlocked', 'onInconclusive'] as const).find(
      (key) => values[key] !== undefined,
    );
    if (flag === undefined) return ok(undefined);
    const name = {
      approve: '--approve',
      onFailure: '--on-failure',
      onBlocked: '--on-blocked',
      onInconclusive: '--on-inconclusive',
    }[flag];
    return fail('usage', `${name} answers for a human, and with a screen the human answers.`, {
      next: ['Add --no-input.'],
    });
  }
  return ok({
    approve: values.approve ?? 'all',
    onFailure: values.onFailure ?? 'stop',
    onBlocked: values.onBlocked ?? 'stop',
    onInconclusive: values.onInconclusive ?? 'stop',
  });
}

export const kubeOptions = (values: Values<typeof clusterFlags>, namespace?: string): KubeOptions => ({
  kubeconfig: values.kubeconfig,
  context: values.context,
  namespace: values.namespace ?? namespace,
  as: values.as,
  requestTimeoutMs: values.requestTimeout,
});

/** The plan of a new run: the named file, else pgb-wizard.yaml in the working folder, else the guide's. */
export async function planOf(path: string | undefined): Promise<Result<LoadedPlan>> {
  const { loadPlan } = await import('../engine/plan/load.ts');
  return loadPlan(path ?? (existsSync(PLAN_FILE) ? PLAN_FILE : undefined));
}

export interface SessionRequest {
  readonly values: RunValues;
  readonly mode: Mode;
  readonly io: Io;
  readonly rehearsal: boolean;
  readonly timeScale: number;
  /** The cluster, when the flags don't name it. */
  readonly kube?: KubeOptions;
  /** Stops what is asked of the cluster. */
  readonly signal?: AbortSignal;
}

/** What was asked before the screen. */
export interface Chosen {
  readonly context: string | undefined;
  readonly resume: Resumable | undefined;
  readonly passwords: SecretInputs;
}

/** The questions, and whatever of the flags can be wrong by itself. Light: nothing heavy is loaded without a question. */
export async function chooseFirst(request: SessionRequest): Promise<Result<Chosen>> {
  const { values, mode } = request;
  if (values.run !== undefined && values.fresh) {
    return fail('usage', '--run resumes a run and --fresh starts one; they cannot be given together.');
  }
  if (values.run !== undefined && values.runId !== undefined) {
    return fail('usage', '--run resumes a run and --run-id names a new one; they cannot be given together.');
  }
  if (values.run !== undefined && isDry(values)) {
    return fail('usage', '--dry-run looks at a whole plan from its start; it cannot be given with --run.');
  }
  if (values.writeManifests && values.manifestsDir === undefined) {
    return fail('usage', '--write-manifests needs the folder of the manifests.', {
      next: ['Add --manifests-dir DIR.'],
    });
  }
  if (values.manifestsDir !== undefined && !isFolder(values.manifestsDir)) {
    return fail('usage', `--manifests-dir: ${values.manifestsDir} is no folder that can be read.`);
  }
  if ((values.changeTitle?.length ?? 0) > 160) {
    return fail('usage', '--change-title: a title has at most 160 characters.');
  }
  const policy = policyOf(values, mode);
  if (!policy.ok) return policy;
  const context = await chooseContext(request);
  if (!context.ok) return context;
  const resume = await chooseRun(request, context.value);
  if (!resume.ok) return resume;
  const passwords = await readPasswords(values, request.io);
  if (!passwords.ok) return passwords;
  // Now, because nothing but the frames may be written once the screen is up.
  for (const notice of passwords.value.notices) await write(request.io.stderr, `note: ${notice}\n`);
  return ok({ context: context.value, resume: resume.value, passwords: passwords.value.inputs });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Everything a run is started with, without a further question. */
export async function completeOptions(request: SessionRequest, chosen: Chosen): Promise<Result<RunOptions>> {
  const { values, mode, io } = request;
  const policy = policyOf(values, mode);
  if (!policy.ok) return policy;
  const plan = await planFor(values, chosen.resume);
  if (!plan.ok) return plan;
  const kube = {
    ...(request.kube ?? kubeOptions(values, plan.value.plan.namespace)),
    context: chosen.context,
    signal: request.signal,
  };
  // After the first frame, because it asks the cluster.
  if (!chosen.resume && !values.fresh && !isDry(values)) {
    const { refuseSecondRun } = await import('./cluster-runs.ts');
    const free = await refuseSecondRun(kube);
    if (!free.ok) return free;
  }
  let secrets = chosen.passwords;
  if (values.passwordSecret !== undefined) {
    const { passwordsFromSecret } = await import('./password-secret.ts');
    const found = await passwordsFromSecret(values.passwordSecret, kube, rolesOf(plan.value.plan).slice(1));
    if (!found.ok) return found;
    secrets = { ...found.value, ...secrets };
  }
  if (mode === 'screen' && !request.kube && chosen.resume === undefined && secrets.rolePassword === undefined) {
    const { requireRolePassword } = await import('./missing-answers.ts');
    const found = await requireRolePassword(kube, plan.value);
    if (!found.ok) return found;
  }
  const me = operator(io.env);
  const folder = stateDir(io.env);
  const change = {
    number: values.change ?? plan.value.plan.change?.number,
    title: values.changeTitle ?? plan.value.plan.change?.title,
  };
  return ok({
    kube,
    loadedPlan: plan.value,
    // A dry run leaves a journal to read, and must never be taken for a run that waits.
    stateDir: isDry(values) ? dryRunDir(folder, values.runId) : folder,
    operator: me.identity,
    host: me.host,
    toolVersion: version,
    resume: chosen.resume?.runId,
    newRunId: values.runId,
    fromCluster: chosen.resume?.fromCluster,
    secrets,
    policy: policy.value,
    timeScale: request.timeScale,
    rehearsal: request.rehearsal,
    change: change.number || change.title ? change : undefined,
    dryRun: values.dryRun ?? 'none',
    stopAfter: values.stopAfter,
    ...(values.manifestsDir === undefined
      ? {}
      : { manifests: { dir: values.manifestsDir, write: values.writeManifests === true } }),
  });
}

/** Both at once, for commands that need no early screen. */
export async function prepareRun(request: SessionRequest): Promise<Result<RunOptions>> {
  const chosen = await chooseFirst(request);
  return chosen.ok ? completeOptions(request, chosen.value) : chosen;
}

/** A chosen id may be looked at many times before its run: each look has a folder of its own. */
const dryRunDir = (folder: string, runId: string | undefined): string =>
  join(folder, 'dry-runs', ...(runId === undefined ? [] : [`${runId}-${Date.now().toString(36)}`]));

export const isDry = (values: Pick<RunValues, 'dryRun'>) => values.dryRun !== undefined && values.dryRun !== 'none';

async function planFor(values: RunValues, resume: Resumable | undefined): Promise<Result<LoadedPlan>> {
  if (!resume || values.plan !== undefined) return planOf(values.plan);
  const { planFromJournal } = await import('../engine/plan/load.ts');
  return planFromJournal(resume.plan, resume.planHash);
}

/** The context: the flag's, the current one, or the operator's choice when the kubeconfig has no current one. */
async function chooseContext(request: SessionRequest): Promise<Result<string | undefined>> {
  if (request.kube) return ok(request.kube.context);
  const { values, mode } = request;
  if (values.context !== undefined || mode === 'headless') return ok(values.context);
  const { hasCurrentContext } = await import('./kubeconfig-glance.ts');
  // Reading a kubeconfig properly needs the Kubernetes client; the screen can appear before that when a glance is enough.
  if (hasCurrentContext(values.kubeconfig, request.io.env)) return ok(undefined);
  const { listContexts } = await import('../engine/kube/kubeconfig.ts');
  const contexts = await listContexts(values.kubeconfig);
  if (!contexts.ok) return contexts;
  if (contexts.value.some((one) => one.current) || contexts.value.length === 0) return ok(undefined);
  const { askContext } = await import('./prompts.ts');
  return askContext(contexts.value);
}

export interface Resumable {
  readonly runId: string;
  readonly plan: unknown;
  readonly planHash: string;
  /** The cluster's copy, when this machine has no journal of the run. */
  readonly fromCluster?: Ledger;
}

/** The namespace of the plan that would be taken; undefined when that plan can't be read. */
async function planNamespace(values: Pick<RunValues, 'plan'>): Promise<string | undefined> {
  const plan = await planOf(values.plan);
  return plan.ok ? plan.value.plan.namespace : undefined;
}

/** A run by the cluster's copy of it. */
export async function remoteRun(runId: string, kube: KubeOptions): Promise<Result<Resumable>> {
  const { clusterRun } = await import('./cluster-runs.ts');
  const ledger = await clusterRun(runId, kube);
  if (!ledger.ok) return ledger;
  return ok({ runId, plan: ledger.value.data.plan, planHash: ledger.value.planHash, fromCluster: ledger.value });
}

/** The run that an earlier `--run-id` has started here; nothing to resume when there is none. */
async function ownRun(folder: string, runId: string): Promise<Result<Resumable | undefined>> {
  const ids = runIds(folder);
  if (!ids.ok) return ids;
  if (!ids.value.includes(runId)) return ok(undefined);
  const { findRun } = await import('./runs.ts');
  const run = findRun(folder, runId);
  return run.ok ? ok({ runId, plan: run.value.state.plan, planHash: run.value.state.planHash }) : run;
}

/** The run to resume: the named one, or one that waits on this cluster and namespace; undefined for a new run. */
async function chooseRun(request: SessionRequest, context: string | undefined): Promise<Result<Resumable | undefined>> {
  const { values, mode, io } = request;
  const folder = stateDir(io.env);
  if (values.fresh || isDry(values)) return ok(undefined);
  // The same command again goes on with the run that it started.
  const own = values.runId === undefined ? undefined : await ownRun(folder, values.runId);
  if (own !== undefined) return own;
  if (values.run !== undefined) {
    const { findRun } = await import('./runs.ts');
    const run = findRun(folder, values.run);
    if (run.ok) return ok({ runId: run.value.runId, plan: run.value.state.plan, planHash: run.value.state.planHash });
    if (run.error.code !== 'not-found' && run.error.code !== 'journal-corrupt') return run;
    const namespace = await planNamespace(values);
    const remote = await remoteRun(values.run, {
      ...(request.kube ?? { ...kubeOptions(values, namespace), context }),
      signal: request.signal,
    });
    if (remote.ok && run.error.code === 'journal-corrupt')
      await write(io.stderr, `note: ${run.error.message}; going on from the cluster's copy\n`);
    // A damaged journal here and no copy there: the damage is the news.
    return remote.ok || run.error.code === 'not-found' ? remote : run;
  }
  const ids = runIds(folder);
  // The usual first start: nothing to look at, and the screen appears sooner.
  if (!ids.ok) return ids;
  if (ids.value.length === 0) return ok(undefined);
  const { waitingRuns } = await import('./waiting-runs.ts');
  const waiting = await waitingRuns(folder, request.kube ?? { ...kubeOptions(values), context }, io);
  if (!waiting.ok) return err(waiting.error);
  const runs = waiting.value;
  if (runs.length === 0) return ok(undefined);
  if (mode === 'headless') {
    if (runs.length === 1) return ok(runs[0]);
    return fail(
      'answer-needed',
      `${runs.length} runs wait on this cluster: ${runs.map((run) => run.runId).join(', ')}.`,
      {
        next: [`Resume one with --run ${runs[0]!.runId}`, 'Start a new one with --fresh'],
      },
    );
  }
  const { askRun } = await import('./prompts.ts');
  return askRun(runs);
}
