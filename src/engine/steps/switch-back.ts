/** One service's way back: its original entries, restored with preconditions, and the proof that they are what runs. */
import { ref } from '../kube/refs.ts';
import { changedByOthers, classifyLive, sendFence } from '../kube/switch.ts';
import type { WorkloadChange } from '../kube/workload-types.ts';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { lookAtPostgres } from './looks.ts';
import { manifestsBack } from './manifest-files.ts';
import {
  directBeforeKey,
  follow,
  LOOK_EVERY_MS,
  originalOf,
  rolloutResult,
  sendFenced,
  targetOf,
  withOthersChanges,
} from './switch-service.ts';
import type { StepContext, StepResult } from './types.ts';
import { freeStuckPods } from './unstick.ts';

/** Restores the original entries. Safe to call again; says `done` when they are there already. */
export async function goBack(ctx: StepContext, service: string): Promise<Result<void>> {
  const change = originalOf(ctx, service);
  if (!change.ok) return change;
  ctx.waitingFor(`what is there now of ${service}`);
  const live = await classifyLive(ctx.kube, change.value);
  if (!live.ok) return live;
  // What we take back ourselves is no fight.
  ctx.fights.remove(change.value);
  if (live.value.state === 'before') {
    const fenced = await fenceAbandoned(ctx, change.value);
    if (!fenced.ok || !fenced.value) return fenced.ok ? ok(undefined) : fenced;
    const again = await classifyLive(ctx.kube, change.value);
    if (!again.ok) return again;
    // It had landed in the meantime: then it is taken back like any other.
    return again.value.state === 'before' ? ok(undefined) : sendFenced(ctx, change.value, 'back');
  }
  if (live.value.state === 'gone') {
    return fail('drift', `${service} was deleted or recreated since it was switched: ${live.value.detail}`, {
      next: ['There is nothing of this run left in it. Check its address by hand.'],
    });
  }
  return sendFenced(ctx, change.value, 'back');
}

/**
 * A forward patch without a known outcome may still be in the API server's hands, and would land after the rollback.
 * True when there was one and it is fenced off now.
 */
async function fenceAbandoned(ctx: StepContext, change: WorkloadChange): Promise<Result<boolean>> {
  const state = ctx.state();
  const open = state.calls.filter(
    ({ callId, intent }) =>
      state.openCalls.includes(callId) &&
      intent.direction === 'forward' &&
      intent.verb === 'patch' &&
      intent.target.name === change.ref.name,
  );
  if (open.length === 0) return ok(false);
  ctx.waitingFor(`the fence around a patch of ${change.ref.name} whose answer never came`);
  const sent = await ctx.call(
    { verb: 'patch', target: targetOf(change.ref, ctx, change.uid), direction: 'back', expect: change.before },
    async (auditId, again) => {
      const done = await sendFence(ctx.kube, change, `${ctx.runId}-${open.at(-1)?.callId}`, { auditId, again });
      return done.ok ? ok({ facts: { fenced: open.map((one) => one.callId) } }) : done;
    },
  );
  if (!sent.ok) return sent;
  ctx.message('warn', `${change.ref.name}: a patch whose answer never came was fenced off; it can't land any more`);
  return ok(true);
}

/** Proof of the way back: rollout, template, ReplicaSet, connections. */
export async function verifyBack(ctx: StepContext, service: string): Promise<Result<StepResult>> {
  const change = originalOf(ctx, service);
  if (!change.ok) return change;
  const freed = await freeStuckPods(ctx, service, change.value);
  if (!freed.ok) return freed;
  const verdict = await follow(ctx, service, change.value, 'back');
  if (verdict.outcome === 'aborted') return ok({ verdict: 'inconclusive' });
  const rolled = rolloutResult(ctx, service, verdict, 'back');
  if (rolled) return ok(await withOthersChanges(ctx, change.value, rolled, 'back'));

  const live = await classifyLive(ctx.kube, change.value);
  if (!live.ok) return live;
  const exact = live.value.exact;
  const others =
    exact || live.value.state !== 'before' ? [] : await changedByOthers(ctx.kube, change.value, 'back', ctx.signal);
  ctx.evidence({
    check: 'template equals the original',
    verdict: live.value.state === 'before' ? 'pass' : 'fail',
    observed: exact
      ? 'the whole template is the recorded one'
      : others.length > 0
        ? `the entries are the original ones; others changed ${sanitiseLine(others.join(', '), 200)} meanwhile, and that stays`
        : `the entries are the original ones; ${live.value.detail}`,
    expected: 'the original entries, byte for byte',
    data: { fingerprint: live.value.fingerprint ?? null, original: change.value.before, exact },
  });
  const original = originalReplicaSet(ctx, service);
  if (original && verdict.target) {
    // With other people's changes in the template, or no history kept, another ReplicaSet is right and said so.
    // The revision of a StatefulSet has a name that follows from its content, and no uid in the status.
    const same = original.uid === '' ? original.name === verdict.target.name : original.uid === verdict.target.uid;
    const pruned = !same && exact && (await isGone(ctx, original));
    ctx.evidence({
      check: original.uid === '' ? 'active revision' : 'active ReplicaSet',
      verdict: same || !exact || pruned ? 'pass' : 'inconclusive',
      observed: same
        ? `${verdict.target.name} (the same)`
        : pruned
          ? `${verdict.target.name} with the same template; the history does not keep ${original.name} of before`
          : others.length > 0
            ? `${verdict.target.name}, for the original entries and what others changed; ${original.name} is without their change`
            : `${verdict.target.name} instead of ${original.name}`,
      expected: exact ? original.name : `${original.name}, or one with what others changed`,
      data: { uid: verdict.target.uid ?? null, original: original.uid },
    });
  }
  await whereItConnects(ctx, service);
  if (live.value.state !== 'before') {
    return ok({
      verdict: 'fail',
      failure: {
        cause: `${service} does not carry its original entries: ${live.value.detail}`,
        hint: 'Somebody changed them since. Compare the live object with the record and decide by hand.',
        service,
      },
    });
  }
  ctx.serviceState(service, 'rolled-back');
  await manifestsBack(ctx, change.value);
  return ok({ verdict: 'pass' });
}

/** A service that is back may need a moment for its first connection; a way back does not wait longer for it. */
const BACK_LIMIT_MS = 5000;

/**
 * The proof of the way back is its entries, its rollout and its ReplicaSet. What its pods connect to is said when it can
 * be seen: a pooler that is down, or a service that connects when it is used, must not make a good way back look bad.
 */
async function whereItConnects(ctx: StepContext, service: string): Promise<void> {
  const began = ctx.clock.monotonic();
  const before = ctx.state().facts[directBeforeKey(service)];
  for (;;) {
    const activity = await lookAtPostgres(ctx);
    const direct = activity.ok ? (activity.value.direct.get(service) ?? 0) : 0;
    const patience = ctx.clock.monotonic() - began < BACK_LIMIT_MS && before !== 0;
    if (direct === 0 && patience && !ctx.signal.aborted) {
      ctx.waitingFor(`the first direct connection of ${service}`, BACK_LIMIT_MS);
      await ctx.clock.sleep(LOOK_EVERY_MS, ctx.signal);
      continue;
    }
    if (direct > 0)
      ctx.evidence({
        check: 'connected to PostgreSQL directly',
        verdict: 'pass',
        observed: `${direct} direct connections`,
        data: { direct },
      });
    else
      ctx.message(
        'info',
        `${service}: ${activity.ok ? 'no direct connection yet' : `who is connected could not be read (${activity.error.message})`}; its pods run with the original address`,
      );
    return;
  }
}

export function originalReplicaSet(ctx: StepContext, service: string): { name: string; uid: string } | undefined {
  const kept = ctx.state().facts.replicaSets as Record<string, { name: string; uid: string }> | undefined;
  return kept?.[service];
}

/** With a short history the original is removed; the same template makes one of the same name, with another uid. */
async function isGone(ctx: StepContext, original: { name: string; uid: string }): Promise<boolean> {
  const found = await ctx.kube.get(ref('ReplicaSet', ctx.fleet.namespace, original.name), { signal: ctx.signal });
  return found.ok ? found.value.metadata.uid !== original.uid : found.error.code === 'not-found';
}
