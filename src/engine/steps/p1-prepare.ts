/**
 * Guide 1.5: where each service takes its address from, the smallest change of it, proved by a server-side dry run; and
 * the originals, kept in the cluster before the first service is touched.
 */

import { listOf, ref } from '../kube/refs.ts';
import { loadOriginals } from '../kube/run-state.ts';
import { planSwitch } from '../kube/switch.ts';
import type { WorkloadChange } from '../kube/workload-types.ts';
import type { ManifestPlan } from '../manifests/types.ts';
import { type ErrorCode, fail, ok, type Result } from '../result.ts';
import type { DiffLine, JsonValue } from '../run/model.ts';
import { blockersOf, forgottenStatements } from './eligibility.ts';
import { manifestEvidence, manifestPreview, manifestsFor, writePlanned } from './manifest-files.ts';
import { isNotSwitched, leftOut, whyNotSwitched } from './not-switched.ts';
import { originalsName, writeOriginals } from './originals.ts';
import { workloadIdOf } from './plan-facts.ts';
import { type EnforcedLevel, enforcedLevel, podsRefused } from './pod-security.ts';
import type { Step, StepContext } from './types.ts';

/** Originals of this run, from memory or from the cluster. True when all services of the plan are among them. */
async function haveOriginals(ctx: StepContext): Promise<Result<boolean>> {
  const all = () =>
    ctx.fleet
      .services()
      .every((service) => ctx.fleet.original(service.name) !== undefined || isNotSwitched(ctx, service.name));
  if (ctx.state().facts.originals === undefined) return ok(false);
  if (all()) return ok(true);
  const stored = await loadOriginals(ctx.kube, ctx.fleet.namespace, ctx.runId);
  if (!stored.ok) return stored;
  if (!stored.value) return ok(false);
  const restored = ctx.fleet.restoreOriginals(stored.value.changes);
  return restored.ok ? ok(all()) : restored;
}

/** For steps after a resume: the originals must be there before anything is switched or taken back. */
export async function ensureOriginals(ctx: StepContext): Promise<Result<void>> {
  const have = await haveOriginals(ctx);
  if (!have.ok) return have;
  return have.value
    ? ok(undefined)
    : fail('secret-missing', 'the originals of this run are not in the cluster', {
        cause: `Secret pgb-wizard-run-${ctx.runId} is missing or incomplete`,
        next: waysBack(ctx),
      });
}

/** Without the originals the history of each Deployment still has its template of before. */
function waysBack(ctx: StepContext): string[] {
  const sets = (ctx.state().facts.replicaSets ?? {}) as Record<string, { name: string; uid: string }>;
  const away = ctx.state().services.filter(({ state }) => state === 'pooled' || state === 'switching');
  const lines = away.flatMap(({ name, workload }) => {
    const set = sets[name];
    if (!set || set.uid === '') return [];
    return [
      `The history still has the template of ${name}: kubectl rollout undo ${workload} -n ${ctx.fleet.namespace} --to-revision=$(kubectl get replicaset ${set.name} -n ${ctx.fleet.namespace} -o jsonpath='{.metadata.annotations.deployment\\.kubernetes\\.io/revision}')`,
    ];
  });
  return [
    'This run can take nothing back without them. Put the Secret back from a backup of the cluster, if there is one.',
    ...lines,
    'Then start a new run.',
  ];
}

/** What a cluster or a source says about one workload; anything else is about the cluster, and stops the step. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'not-eligible',
  'invalid-object',
  'drift',
  'conflict',
  'not-authorised',
]);

interface Prepared {
  readonly changes: WorkloadChange[];
  readonly notSwitched: Record<string, string>;
  /** They are in the cluster already: the session that wrote them was cut before its journal said so. */
  readonly kept: boolean;
  /** The files that the workloads are made from, when the operator named their folder. */
  readonly manifests: ManifestPlan | undefined;
}

const planned = new WeakMap<StepContext, Prepared>();

export const prepare: Step = {
  info: {
    id: 'p1.prepare',
    guide: '1.5',
    title: 'Prepare the services',
    phase: 'p1',
    kind: 'change',
    why: 'Finds every place the address comes from, plans the smallest change of each, proves it by a dry run, and keeps the originals in the cluster. The guide rewrites manifests with sed and misses Secrets, JDBC, split variables and longer host names.',
  },
  async plan(ctx) {
    const have = await haveOriginals(ctx);
    if (!have.ok) return have;
    const diff: DiffLine[] = [];
    const commands: string[] = [];
    const departures = new Set<string>();
    if (have.value) {
      for (const service of ctx.fleet.services()) {
        diff.push({ kind: 'title', text: service.name }, ...(ctx.fleet.original(service.name)?.preview.diff ?? []));
      }
      return ok({ summary: 'the originals are kept in the cluster already', diff, commands, alreadyDone: true });
    }
    const found = await ctx.fleet.discover(ctx.signal);
    if (!found.ok) return found;
    const changes: WorkloadChange[] = [];
    const notSwitched: Record<string, string> = {};
    const refused: Record<string, string> = {};
    let level: EnforcedLevel | undefined;
    // Originals never change: those that a cut session of this run has written are the ones.
    const left = await loadOriginals(ctx.kube, ctx.fleet.namespace, ctx.runId);
    if (!left.ok) return left;
    if (left.value) {
      const restored = ctx.fleet.restoreOriginals(left.value.changes);
      if (!restored.ok) return restored;
    }
    for (const service of ctx.fleet.services()) {
      const kept = left.value && ctx.fleet.original(service.name);
      if (kept) {
        changes.push(kept);
        diff.push({ kind: 'title', text: service.name }, ...kept.preview.diff);
        continue;
      }
      const out = leftOut(ctx, service.name);
      const workload = found.value.workloads.find((one) => one.id === workloadIdOf(service));
      if (out !== undefined || !workload) {
        const known = found.value.notConsumers.find((one) => one.workload.id === workloadIdOf(service));
        notSwitched[service.name] = out ?? known?.reason ?? 'not found in the namespace';
        diff.push({ kind: 'title', text: `${service.name}: not switched, ${notSwitched[service.name]}` });
        continue;
      }
      if (left.value) {
        refused[service.name] = 'it is not among the originals that were kept before the session was cut';
        continue;
      }
      // Minutes may lie between the preflight and this: a rollout may have begun, or somebody has paused it.
      const reasons = [...blockersOf(ctx.plan, workload), ...forgottenStatements(ctx, workload)];
      if (reasons.length > 0) {
        refused[service.name] = reasons.join(' ');
        continue;
      }
      ctx.waitingFor(`a dry run of the change of ${service.name}`);
      const change = await planSwitch(ctx.kube, workload, {
        to: { host: ctx.plan.pooler.name, port: ctx.plan.pooler.port },
        runId: ctx.runId,
        signal: ctx.signal,
      });
      if (!change.ok) {
        if (!REFUSALS.has(change.error.code)) return change;
        const { message, cause } = change.error;
        refused[service.name] = cause && !message.includes(cause) ? `${message} (${cause})` : message;
        continue;
      }
      level ??= await enforcedLevel(ctx);
      const unwelcome = podsRefused(change.value, level);
      if (unwelcome !== undefined) {
        refused[service.name] = unwelcome;
        continue;
      }
      changes.push(change.value);
      diff.push({ kind: 'title', text: service.name }, ...change.value.preview.diff);
      commands.push(...change.value.preview.commands);
      for (const one of change.value.preview.departures ?? []) departures.add(one);
    }
    const told = Object.entries(refused).map(([service, why]) => `${service}: ${why}`);
    if (told.length > 0 && (ctx.policy?.onBlocked !== 'skip' || changes.length === 0)) {
      return fail('not-eligible', `${told.length} of the services can't be switched: ${told.join('; ')}`, {
        next: [
          'Mend them and retry. To go on without them: `skip` in the plan, or --on-blocked skip without a terminal.',
        ],
      });
    }
    for (const [service, why] of Object.entries(refused)) {
      notSwitched[service] = why;
      diff.push({ kind: 'title', text: `${service}: not switched, ${why}` });
    }
    const manifests = await manifestsFor(ctx, changes);
    if (!manifests.ok) return manifests;
    const files = manifestPreview(manifests.value, ctx.manifests?.write === true);
    planned.set(ctx, { changes, notSwitched, kept: left.value !== undefined, manifests: manifests.value });
    return ok({
      summary: `keep the originals of ${changes.length} services in Secret pgb-wizard-run-${ctx.runId}; no service is touched yet`,
      diff: [...diff, ...files.diff],
      commands,
      departures: [...departures, ...files.departures],
      warnings: [
        ...Object.entries(notSwitched).map(([service, why]) => `${service} is not switched: ${why}`),
        ...files.warnings,
      ],
    });
  },
  async apply(ctx) {
    const prepared = planned.get(ctx);
    if (!prepared) return fail('internal', 'p1.prepare was applied without a plan');
    const { changes, notSwitched, kept, manifests } = prepared;
    // Before the originals are kept: after that this step counts as made, and is not planned again.
    const written = writePlanned(ctx, manifests);
    if (!written.ok) return written;
    const saved = kept ? ok(undefined) : await writeOriginals(ctx, changes);
    if (!saved.ok) return saved;
    for (const change of changes) ctx.fleet.keepOriginal(change.ref.name, change);
    ctx.fact(
      'originals',
      Object.fromEntries(
        changes.map((change) => [change.ref.name, { before: change.before, after: change.after, uid: change.uid }]),
      ),
    );
    ctx.fact('notSwitched', notSwitched);
    const sets = await activeReplicaSets(ctx, changes);
    if (sets.ok) ctx.fact('replicaSets', sets.value);
    return ok(undefined);
  },
  async verify(ctx) {
    const have = await ensureOriginals(ctx);
    if (!have.ok) return have;
    const direct = (ctx.state().facts.staysDirect ?? {}) as Record<string, string>;
    for (const service of ctx.fleet.services()) {
      const change = ctx.fleet.original(service.name);
      if (!change) {
        ctx.message('warn', `${service.name} is not switched: ${whyNotSwitched(ctx, service.name)}`);
        continue;
      }
      ctx.evidence({
        check: `change of ${service.name}`,
        verdict: 'pass',
        observed: `${change.sources.map((one) => `${one.container}: ${one.name} (${one.source})`).join(', ')}; the server's dry run accepts it${direct[service.name] ? `; ${direct[service.name]}` : ''}`,
        data: { before: change.before, after: change.after },
      });
    }
    manifestEvidence(ctx);
    const where = ref('Secret', ctx.fleet.namespace, originalsName(ctx));
    const kept = await ctx.kube.get(where, { signal: ctx.signal });
    const verdict = kept.ok && kept.value.immutable === true ? 'pass' : 'fail';
    ctx.evidence({
      check: 'originals in the cluster',
      verdict,
      observed: kept.ok
        ? `Secret ${where.name}, ${kept.value.immutable === true ? 'immutable' : 'not immutable'}`
        : kept.error.message,
      expected: 'an immutable Secret',
    });
    return ok({ verdict });
  },
};

/** ReplicaSet of each Deployment's current revision: the one that must be active again after a rollback. */
async function activeReplicaSets(
  ctx: StepContext,
  changes: readonly WorkloadChange[],
): Promise<Result<Record<string, JsonValue>>> {
  const REVISION = 'deployment.kubernetes.io/revision';
  const sets = await ctx.kube.list(listOf('ReplicaSet', ctx.fleet.namespace), { signal: ctx.signal });
  if (!sets.ok) return sets;
  const newest: Record<string, { name: string; uid: string; revision: number }> = {};
  const uids = new Map(changes.map((change) => [change.uid, change.ref.name]));
  for (const set of sets.value.items) {
    const owner = (set.metadata.ownerReferences ?? []).find((one: { controller?: boolean }) => one.controller);
    const service = owner ? uids.get(owner.uid) : undefined;
    const revision = Number(set.metadata.annotations?.[REVISION] ?? 0);
    if (service && revision > (newest[service]?.revision ?? -1)) {
      newest[service] = { name: set.metadata.name, uid: set.metadata.uid, revision };
    }
  }
  return ok(newest);
}
