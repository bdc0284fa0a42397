/**
 * One service's way there: the change that was planned and kept at p1.prepare, sent with its preconditions,
 * followed until the old pods and their direct connections are gone.
 */

import { createObjects } from '../kube/new-objects.ts';
import { listOf } from '../kube/refs.ts';
import { followRollout } from '../kube/rollout.ts';
import { changedByOthers, changeMatch, classifyLive, sendChange } from '../kube/switch.ts';
import type { KubeObject } from '../kube/types.ts';
import type { RolloutVerdict, WorkloadChange } from '../kube/workload-types.ts';
import { parseDuration } from '../plan/duration.ts';
import { goneText } from '../postgres/activity.ts';
import type { Activity } from '../postgres/types.ts';
import { fail, ok, type Result, wizardError } from '../result.ts';
import type { RunState } from '../run/fold.ts';
import type { ChangePreview } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Fleet } from './fleet.ts';
import { lookAtPostgres } from './looks.ts';
import { rememberComplaints } from './service-logs.ts';
import type { PlannedCall, StepContext, StepResult } from './types.ts';

/** A direct session may outlive its pod by a FIN in flight; after this it is a finding, not a race. */
const LEFT_DIRECT_LIMIT_MS = 45_000;
export const LOOK_EVERY_MS = 400;

/** The change that was planned and kept at p1.prepare. */
export function originalOf(ctx: StepContext, service: string): Result<WorkloadChange> {
  const change = ctx.fleet.original(service);
  if (change) return ok(change);
  return fail('secret-missing', `the original address of ${service} was never kept in the cluster`, {
    cause: 'p1.prepare did not plan this service',
    next: ['Take the service into the plan and run p1.prepare again.'],
  });
}

/** What the switch will send, or that it is done already. */
export async function previewForward(ctx: StepContext, service: string): Promise<Result<ChangePreview>> {
  const change = originalOf(ctx, service);
  if (!change.ok) return change;
  const live = await classifyLive(ctx.kube, change.value);
  if (!live.ok) return live;
  if (live.value.contested) {
    return fail(
      'contested',
      `${service} was switched before and somebody took it back (${live.value.manager ?? 'manager unknown'})`,
      {
        next: ['Pause that manager, or make the change where it takes its manifests from; then retry.'],
      },
    );
  }
  switch (live.value.state) {
    case 'before':
      return ok(change.value.preview);
    case 'after':
      return ok({ ...change.value.preview, alreadyDone: true });
    case 'gone':
      return fail('drift', `${service} was deleted or recreated since it was planned: ${live.value.detail}`, {
        next: ['Leave the run and start a new one: the originals belong to an object that is gone.'],
      });
    default:
      return fail('drift', `${service} is neither as planned nor switched: ${live.value.detail}`, {
        next: ['Look at what changed the address; put it back, or skip the service.'],
      });
  }
}

/** Creates what the change needs and sends the patch. Safe to call again. */
export async function goForward(ctx: StepContext, service: string): Promise<Result<void>> {
  const change = originalOf(ctx, service);
  if (!change.ok) return change;
  // One look at the pods for both; without it nothing is remembered, and less is proved afterwards.
  const pods = await podsNow(ctx);
  if (pods) await Promise.all([rememberComplaints(ctx, service, pods), rememberDirect(ctx, service, pods)]);
  ctx.serviceState(service, 'switching');
  const sent = await sendFenced(ctx, change.value, 'forward', creation(ctx, change.value));
  if (!sent.ok) return sent;
  ctx.fights.add(change.value);
  return ok(undefined);
}

/** Making the new objects of a change, as a call; nothing when it needs none. */
function creation(ctx: StepContext, change: WorkloadChange): PlannedCall[] {
  const [first] = change.objects;
  if (!first) return [];
  const send: PlannedCall['send'] = async (auditId) => {
    const done = await createObjects(ctx.kube, change, { auditId });
    return done.ok ? ok({ facts: { objects: change.objects.map((one) => `${one.ref.kind}/${one.ref.name}`) } }) : done;
  };
  return [{ what: { verb: 'create', target: targetOf(first.ref, ctx), direction: 'forward' }, send }];
}

/** As the run's watch has them; listed where none is alive, and undefined where that fails too. */
async function podsNow(ctx: StepContext): Promise<readonly KubeObject[] | undefined> {
  const seen = await ctx.seenPods?.();
  if (seen) return seen;
  const listed = await ctx.kube.list(listOf('Pod', ctx.fleet.namespace), { signal: ctx.signal });
  return listed.ok ? listed.value.items : undefined;
}

export function targetOf(ref: { kind: string; namespace?: string; name: string }, ctx: StepContext, uid?: string) {
  return { kind: ref.kind, namespace: ref.namespace ?? ctx.fleet.namespace, name: ref.name, ...(uid ? { uid } : {}) };
}

/**
 * Sends a patch, and before it what it needs; when the patch's outcome stays unknown, the cluster is asked before anything
 * is said.
 */
export async function sendFenced(
  ctx: StepContext,
  change: WorkloadChange,
  direction: 'forward' | 'back',
  needs: readonly PlannedCall[] = [],
): Promise<Result<void>> {
  const [before, expect] = direction === 'forward' ? [change.before, change.after] : [change.after, change.before];
  let reached = false;
  const patch: PlannedCall = {
    what: { verb: 'patch', target: targetOf(change.ref, ctx, change.uid), direction, before, expect },
    async send(auditId, again) {
      reached = true;
      const answer = await sendChange(ctx.kube, change, direction, { auditId, again });
      if (!answer.ok) return answer;
      const { generation, fingerprint, patched, keptChanges } = answer.value;
      return ok({ after: fingerprint, facts: { generation, patched, keptChanges: [...keptChanges] } });
    },
  };
  const sent = await ctx.calls([...needs, patch]);
  if (sent.ok) return ok(undefined);
  if (sent.error.code !== 'outcome-unknown' || !reached) return sent;
  const live = await classifyLive(ctx.kube, change);
  if (!live.ok) return sent;
  const wanted = direction === 'forward' ? 'after' : 'before';
  if (live.value.state === wanted) {
    ctx.message('warn', `${change.ref.name}: the answer to the patch was lost; the cluster shows that it was made`);
    return ok(undefined);
  }
  return sent;
}

/** Follows the rollout of the switch and waits until the service holds no direct connection any more. */
export async function verifyForward(ctx: StepContext, service: string): Promise<Result<StepResult>> {
  const change = originalOf(ctx, service);
  if (!change.ok) return change;
  // A resumed run may find the patch made: it is watched from here on too.
  ctx.fights.add(change.value);
  const verdict = await follow(ctx, service, change.value, 'forward');
  if (verdict.outcome === 'aborted') return ok({ verdict: 'inconclusive' });
  const rolled = rolloutResult(ctx, service, verdict, 'forward');
  if (rolled) return ok(await withOthersChanges(ctx, change.value, rolled, 'forward'));
  // All its pods use the pooler now. Whatever else is found, the looks that follow and a rollback have to take it along.
  ctx.serviceState(service, 'pooled');
  return ok(await leftDirect(ctx, service));
}

export const directBeforeKey = (service: string): string => `directBefore.${service}`;

/** Sessions that were seen to be the service's before it moved: seeing none afterwards proves something only then. */
async function rememberDirect(ctx: StepContext, service: string, pods: readonly KubeObject[]): Promise<void> {
  if (ctx.state().facts[directBeforeKey(service)] !== undefined) return;
  const owners = await ctx.fleet.podOwners(ctx.signal, pods);
  if (!owners.ok) return;
  const own = [...owners.value].filter(([, owner]) => owner.service === service && !owner.gone);
  ctx.fact(`${ADDRESSES}${service}`, Object.fromEntries(own.map(([address, { pod }]) => [address, pod])));
  const activity = await ctx.pooler.activity(owners.value);
  if (activity.ok) ctx.fact(directBeforeKey(service), activity.value.direct.get(service) ?? 0);
}

const ADDRESSES = 'addresses.';

/** After a resume: the addresses that pods had before their service moved, for sessions that outlive them. */
export function recallAddresses(fleet: Fleet, facts: RunState['facts']): void {
  for (const [key, pods] of Object.entries(facts))
    if (key.startsWith(ADDRESSES))
      fleet.rememberAddresses(key.slice(ADDRESSES.length), pods as Readonly<Record<string, string>>);
}

/**
 * Why zero direct sessions of a service prove nothing: its pods have no address of their own (host network), or a proxy or
 * SNAT hides it, and sessions are there whose owner can't be told. Undefined when they do prove it.
 */
export function whyUnproved(
  activity: Pick<Activity, 'direct' | 'hidden' | 'unexplained'>,
  service: string,
  directBefore: number | undefined,
): string | undefined {
  if ((directBefore ?? 0) > 0) return undefined;
  const strangers = activity.unexplained.reduce((sum, one) => sum + one.count, 0);
  if (strangers > 0) return `${strangers} sessions of the role come from addresses of no pod`;
  return activity.hidden > 0 && !activity.direct.has(service)
    ? `${activity.hidden} sessions of other roles can't be seen`
    : undefined;
}

/** Follows the rollout of a change until the old pods are gone. */
export async function follow(
  ctx: StepContext,
  service: string,
  change: WorkloadChange,
  direction: 'forward' | 'back',
): Promise<RolloutVerdict> {
  const limitMs = parseDuration(ctx.fleet.service(service)?.rolloutTimeout ?? '5m') ?? 300_000;
  return followRollout(ctx.kube, change.ref, {
    uid: change.uid,
    match: changeMatch(change, direction),
    limitMs,
    until: 'drained',
    clock: ctx.clock,
    signal: ctx.signal,
    onProgress: (update) => {
      ctx.rollout(service, update.progress);
      ctx.waitingFor(update.waitingFor, limitMs, update.progress.elapsedMs);
    },
  });
}

/**
 * Evidence of the rollout; a result only when there is nothing more to look at. A CronJob rolls nothing out: its template
 * is what there is. A workload without replicas is switched, and no pod has proved it; the way back needs no such proof.
 */
export function rolloutResult(
  ctx: StepContext,
  service: string,
  verdict: RolloutVerdict,
  direction: 'forward' | 'back',
): StepResult | undefined {
  ctx.rollout(service, verdict.progress);
  const unverified = verdict.outcome === 'switched-unverified';
  const cron = unverified && ctx.fleet.original(service)?.ref.kind === 'CronJob';
  const good = verdict.outcome === 'drained' || verdict.outcome === 'available' || unverified;
  const unseen = verdict.cause === 'unseen';
  const seconds = (verdict.elapsedMs / 1000).toFixed(1);
  const proved = cron || direction === 'back' || !unverified;
  ctx.evidence({
    check: `rollout of ${service}`,
    verdict: unseen ? 'inconclusive' : !good ? 'fail' : proved ? 'pass' : 'inconclusive',
    observed: !good
      ? verdict.message
      : unverified
        ? direction === 'forward'
          ? verdict.message
          : `nothing to roll out: ${cron ? 'a CronJob' : 'no replicas'}; the template is what counts`
        : verdict.outcome === 'drained'
          ? `${verdict.message}, ${seconds} s`
          : `${verdict.message}, ${verdict.progress.available}/${verdict.progress.desired} available, old pods left: ${verdict.progress.old}, ${seconds} s`,
    expected: cron ? 'the template of its next Jobs' : 'all pods of the new revision available, all old pods gone',
    data: {
      outcome: verdict.outcome,
      cause: verdict.cause ?? null,
      elapsedMs: Math.round(verdict.elapsedMs),
      replicaSet: verdict.target?.name ?? null,
      replicaSetUid: verdict.target?.uid ?? null,
      events: [...verdict.events].slice(-10),
    },
  });
  if (good && (direction === 'back' || !unverified)) return undefined;
  if (unverified) {
    // Its template uses the pooler, so a rollback has to take it along.
    ctx.serviceState(service, 'pooled');
    if (cron) return { verdict: 'pass', note: 'a CronJob: the Jobs that it starts from now on use the pooler' };
    return {
      verdict: 'inconclusive',
      failure: {
        cause: `${service} has no replicas: its template is switched, but no pod ever ran it`,
        hint: 'Scale it up and retry to see it work, or waive it with a reason.',
        service,
      },
    };
  }
  return {
    verdict: unseen ? 'inconclusive' : 'fail',
    failure: {
      cause: verdict.manager ? `${verdict.message} (by ${verdict.manager})` : verdict.message,
      hint: verdict.hint ?? 'Roll the service back; its original is kept. Then look at the log of the failed pod.',
      service,
      // Silence is nothing that a policy may let pass or take a service back for.
      ...(unseen ? { error: wizardError('cluster-unreachable', verdict.message, { retryable: true }) } : {}),
      logTail: verdict.logTail,
      symptoms: [verdict.message, ...verdict.events, ...verdict.logTail],
    },
  };
}

/** A rollout that fails with somebody else's change in its template may fail for that: it is named first. */
export async function withOthersChanges(
  ctx: StepContext,
  change: WorkloadChange,
  result: StepResult,
  direction: 'forward' | 'back',
): Promise<StepResult> {
  if (result.verdict !== 'fail' || result.failure === undefined) return result;
  const others = await changedByOthers(ctx.kube, change, direction, ctx.signal);
  if (others.length === 0) return result;
  const what = others.map((path) => sanitiseLine(path, 120)).join(', ');
  return {
    ...result,
    failure: {
      ...result.failure,
      cause: `somebody else changed ${what} of ${change.ref.name} since it was planned; ${result.failure.cause}`,
      hint: `${direction === 'back' ? 'The original address is back. ' : ''}That change is not this run's and stays: look whether its pods start without it. ${result.failure.hint}`,
    },
  };
}

/** Nothing of the service is connected any more, or long enough was waited for it. */
const isSettled = (activity: Activity, service: string, waitedMs: number): boolean =>
  waitedMs >= LEFT_DIRECT_LIMIT_MS ||
  ((activity.direct.get(service) ?? 0) === 0 && !activity.gone.some((one) => one.service === service));

/** Waits until no pod of the service is connected to PostgreSQL past the pooler. */
async function leftDirect(ctx: StepContext, service: string): Promise<StepResult> {
  const check = `${service} left direct PostgreSQL`;
  const began = ctx.clock.monotonic();
  for (let listed = false; ; ) {
    const seen = listed ? undefined : await ctx.seenPods?.();
    const activity = await lookAtPostgres(ctx, seen);
    if (ctx.signal.aborted) return { verdict: 'inconclusive' };
    const waited = ctx.clock.monotonic() - began;
    // The waiting goes by the watch; what is said in the end goes by the pods as the API server has them then.
    const over = activity.ok && isSettled(activity.value, service, waited);
    if (over && seen !== undefined) {
      listed = true;
      continue;
    }
    listed = false;
    if (!activity.ok) {
      if (waited < LEFT_DIRECT_LIMIT_MS && activity.error.retryable) {
        await ctx.clock.sleep(LOOK_EVERY_MS, ctx.signal);
        continue;
      }
      const { message, next } = activity.error;
      ctx.evidence({ check, verdict: 'inconclusive', observed: `could not measure: ${message}` });
      const cause = `${check}: could not measure: ${message}`;
      const hint = next?.join(' ') ?? 'Retry, or waive it with a reason when you know it from elsewhere.';
      return { verdict: 'inconclusive', failure: { cause, hint, service, error: activity.error } };
    }
    const remain = activity.value.direct.get(service) ?? 0;
    const left = activity.value.gone.filter((one) => one.service === service);
    // A FIN in flight ends most of them in a moment; nothing of what is left then is known to be harmless.
    if (remain === 0 && left.length > 0 && waited < LEFT_DIRECT_LIMIT_MS) {
      ctx.waitingFor(`sessions of ${left.length} ended pods of ${service} to close`, LEFT_DIRECT_LIMIT_MS, waited);
      await ctx.clock.sleep(LOOK_EVERY_MS, ctx.signal);
      continue;
    }
    if (remain === 0 && left.length > 0) {
      ctx.evidence({
        check,
        verdict: 'inconclusive',
        observed: `0 direct connections of running pods; ${goneText(left)}`,
        expected: '0 direct connections',
        data: { direct: 0, gone: left.reduce((sum, one) => sum + one.count, 0) },
      });
      return { verdict: 'inconclusive' };
    }
    if (remain === 0) {
      const before = ctx.state().facts[directBeforeKey(service)];
      const doubt = whyUnproved(activity.value, service, typeof before === 'number' ? before : undefined);
      const verdict = doubt === undefined ? 'pass' : 'inconclusive';
      ctx.evidence({
        check,
        verdict,
        observed: `0 direct connections; ${activity.value.pooled} pooled, ${activity.value.directTotal} direct of others${doubt ? `; ${doubt}, and could be its own` : ''}`,
        expected: '0 direct connections',
        data: { direct: 0, pooled: activity.value.pooled, directTotal: activity.value.directTotal },
      });
      return { verdict };
    }
    if (waited >= LEFT_DIRECT_LIMIT_MS) {
      ctx.evidence({ check, verdict: 'fail', observed: `${remain} direct connections remain`, expected: '0' });
      return {
        verdict: 'fail',
        failure: {
          cause: `pods of ${service} still hold ${remain} direct connections to PostgreSQL`,
          hint: 'Another container, a migration or a second address of the service goes past the pooler. Look at its other sources in the plan.',
          service,
        },
      };
    }
    ctx.waitingFor(`${remain} direct connections of ${service} to close`, LEFT_DIRECT_LIMIT_MS, waited);
    await ctx.clock.sleep(LOOK_EVERY_MS, ctx.signal);
  }
}
