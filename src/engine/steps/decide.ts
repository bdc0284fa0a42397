/** The guide's decision points: a soak with live gates, then a human (or the gates, without a terminal) decides. */
import { parseDuration } from '../plan/duration.ts';
import { ok } from '../result.ts';
import { JUMP_MS } from '../run/clock.ts';
import { overall } from '../run/gates.ts';
import type { Answer, Ask, GateView, StepInfo } from '../run/model.ts';
import { GateWatch, gateEvidence, gateFailure, gatesFor } from './gate-watch.ts';
import { switchedOf } from './not-switched.ts';
import { ensureSecrets } from './p1-credentials.ts';
import type { Step, StepContext, StepResult } from './types.ts';

type DecideAsk = Extract<Ask, { kind: 'decide' }>;
type DecideAnswer = Extract<Answer, { kind: 'decide' }>;

const LONGEST_INTERVAL_MS = 5 * 60_000;

export function decideStep(info: StepInfo, soak: string, services: readonly string[]): Step {
  return {
    info,
    async verify(ctx) {
      const ready = await ensureSecrets(ctx);
      if (!ready.ok) return ready;
      ctx.pooler.watch();
      const pooled = switchedOf(ctx, services);
      if (pooled.length === 0) return ok({ verdict: 'skipped', note: 'no service of the phase is switched' });
      const taken = ctx.state().openDecision;
      if (taken?.stepId === info.id) {
        // The session was cut between the decision and the end of the step: nobody is asked twice.
        evidence(ctx, taken.gates);
        const note = `decided by ${taken.who} at ${taken.at}, before the session was cut`;
        ctx.evidence({ check: 'decision', verdict: 'pass', observed: `continue; ${note}` });
        return ok({ verdict: overall(taken.gates) === 'pass' ? 'pass' : 'waived', note });
      }
      const soakMs = parseDuration(soak) ?? 0;
      return ok(await decide(ctx, info, soakMs, pooled));
    },
  };
}

async function decide(
  ctx: StepContext,
  info: StepInfo,
  soakMs: number,
  services: readonly string[],
): Promise<StepResult> {
  // Time in which nobody looked (the machine slept, its clock was put forward) is no soak: its end moves on.
  const ahead = () => ctx.clock.now() - ctx.clock.monotonic();
  let known = ahead();
  // The end of the soak is a fact of the run: a resume, a look back or a hold does not start it anew.
  const key = `soakUntil.${info.phase}`;
  const kept = ctx.state().facts[key];
  let until = typeof kept === 'string' ? Date.parse(kept) : ctx.clock.now() + soakMs;
  const keepUntil = () => ctx.fact(key, new Date(until).toISOString());
  if (typeof kept !== 'string') keepUntil();

  ctx.waitingFor('a first look at the gates');
  const watch = new GateWatch(ctx, await gatesFor(ctx, services), services);
  let { views } = await watch.look();
  // After the soak the gates stay live until somebody decides; `lookUntil` moves on, the soak's end does not.
  let lookUntil = until;
  const id = ctx.asks.nextId();
  const current = (): DecideAsk => ({
    id,
    kind: 'decide',
    stepId: info.id,
    phase: info.phase,
    title: `Continue after phase ${info.phase.replace(/^p/, '')}?`,
    gates: views,
    soakMs,
    soakUntil: new Date(until).toISOString(),
    recommendation: recommend(views, until - ctx.clock.now()),
  });
  const notWatched = () => {
    const lost = ahead() - known;
    known += lost;
    if (lost <= JUMP_MS || ctx.clock.now() - lost >= until) return;
    until += lost;
    lookUntil = until;
    keepUntil();
    ctx.message(
      'warn',
      `the clock went ahead by ${Math.round(lost / 1000)} s in which nobody looked; the soak ends that much later`,
    );
  };
  const closed = new AbortController();
  const signal = AbortSignal.any([ctx.signal, closed.signal]);
  let answer: DecideAnswer | undefined;
  const answered = ctx.asks.put(current(), ctx.signal, true).then(
    (given) => {
      if (given.kind === 'decide') answer = given;
      closed.abort();
    },
    // Interrupted: the loop below sees the same signal, and it is the one who says so.
    () => closed.abort(),
  );
  try {
    for (;;) {
      await soakUntil(
        ctx,
        signal,
        watch,
        () => lookUntil,
        ctx.clock.now() < until,
        (seen) => {
          notWatched();
          views = seen;
          ctx.asks.update(current());
        },
      );
      ctx.signal.throwIfAborted();
      if (answer?.action === 'extend') {
        until = Math.max(until, ctx.clock.now()) + (answer.extendMs ?? 10 * 60_000);
        keepUntil();
        await record(ctx, info, answer, views, false);
        return await decide(ctx, info, soakMs, services);
      }
      if (answer) return conclude(ctx, info, answer, views, until, watch);
      if (ctx.policy) {
        const byGates = policyAnswer(ctx, views);
        if (byGates) {
          ctx.asks.answer(id, byGates, 'the gates');
          await answered;
          return conclude(ctx, info, byGates, views, until, watch);
        }
        return gatesToResult(ctx, views, watch);
      }
      ctx.waitingFor('your decision');
      lookUntil = ctx.clock.now() + 15_000;
    }
  } finally {
    closed.abort();
  }
}

/** Watches until the soak is over, a gate fails, or an answer comes. */
async function soakUntil(
  ctx: StepContext,
  signal: AbortSignal,
  watch: GateWatch,
  /** It may move on while it is waited for. */
  until: () => number,
  soaking: boolean,
  onLook: (views: readonly GateView[]) => void,
): Promise<void> {
  const wholeMs = until() - ctx.clock.now();
  let lastLooks = 3;
  if (soaking && wholeMs > 0) ctx.waitingFor('the soak to end', wholeMs);
  while (!signal.aborted) {
    const { views } = await watch.look();
    onLook(views);
    const left = until() - ctx.clock.now();
    if (ctx.policy && views.some((view) => view.verdict === 'fail')) return;
    const suspicious = GateWatch.suspicious(views);
    // The gates decide by the last look: what it could not measure is looked at again a few times.
    const open = left <= 0 && ctx.policy !== undefined && overall(views) === 'inconclusive' && lastLooks-- > 0;
    if (left <= 0 && !suspicious && !open) return;
    if (left > 0 && soaking) ctx.waitingFor('the soak to end', wholeMs);
    try {
      if (suspicious || left <= 0) await ctx.clock.sleep(1500, signal);
      else await ctx.clock.passTime(Math.min(left, interval(ctx)), signal);
    } catch (thrown) {
      if (ctx.signal.aborted) throw thrown;
      return;
    }
  }
}

/** Between two looks of a soak: the plan's interval, but at least half a second of real time however fast time passes. */
const interval = (ctx: StepContext): number =>
  Math.min(LONGEST_INTERVAL_MS, Math.max(parseDuration(ctx.plan.observe.every) ?? 30_000, 500 * ctx.clock.scale));

function recommend(views: readonly GateView[], leftMs: number): DecideAsk['recommendation'] {
  const verdict = overall(views);
  if (verdict === 'fail') return 'rollback';
  if (leftMs > 0) return 'wait';
  return verdict === 'pass' ? 'continue' : 'human';
}

/** Without a terminal the gates decide: all pass, or the policy accepts what could not be measured. */
function policyAnswer(ctx: StepContext, views: readonly GateView[]): DecideAnswer | undefined {
  const verdict = overall(views);
  if (verdict === 'pass') return { kind: 'decide', action: 'continue', reason: 'all gates pass' };
  if (verdict === 'inconclusive' && ctx.policy?.onInconclusive === 'accept') {
    return {
      kind: 'decide',
      action: 'continue',
      reason: 'no gate fails; what could not be measured is accepted by the policy',
    };
  }
  return undefined;
}

function gatesToResult(ctx: StepContext, views: readonly GateView[], watch: GateWatch): StepResult {
  evidence(ctx, views);
  return views.some((view) => view.verdict === 'fail')
    ? { verdict: 'fail', failure: gateFailure(views, watch.texts) }
    : { verdict: 'inconclusive' };
}

async function conclude(
  ctx: StepContext,
  info: StepInfo,
  answer: DecideAnswer,
  views: readonly GateView[],
  until: number,
  watch: GateWatch,
): Promise<StepResult> {
  const early = ctx.clock.now() < until - 1000;
  const override = answer.action === 'continue' && (early || overall(views) !== 'pass');
  await record(ctx, info, answer, views, override);
  evidence(ctx, views);
  if (answer.action === 'rollback') {
    return {
      verdict: 'fail',
      goBack: { kind: 'phase', phase: info.phase },
      note: answer.reason ?? 'the operator decided to go back',
    };
  }
  if (answer.action === 'hold')
    return {
      verdict: 'inconclusive',
      failure: {
        ...gateFailure(views, watch.texts),
        cause: `held at the decision: ${answer.reason ?? 'no reason given'}`,
        hint: 'Retry takes you back to the decision.',
      },
    };
  ctx.evidence({
    check: 'decision',
    verdict: 'pass',
    observed: `continue${override ? ` (override: ${early ? 'before the soak was over' : 'not all gates pass'})` : ''}${answer.reason ? `: ${answer.reason}` : ''}`,
  });
  // Going on beside a gate that failed, or that nobody could measure, is a waiver with a name to it and no pass.
  const waived = overall(views) !== 'pass';
  const by = ctx.policy ? 'the policy of this run' : ctx.who;
  const note = `${waived ? `waived by ${by}` : 'override'}: ${answer.reason ?? 'no reason given'}`;
  return { verdict: waived ? 'waived' : 'pass', ...(override ? { note } : {}) };
}

function evidence(ctx: StepContext, views: readonly GateView[]): void {
  for (const view of views) {
    ctx.evidence({
      ...gateEvidence(view),
      data: { looks: view.history.length, failed: view.history.filter((one) => one.verdict === 'fail').length },
    });
  }
}

function record(
  ctx: StepContext,
  info: StepInfo,
  answer: DecideAnswer,
  gates: readonly GateView[],
  override: boolean,
): Promise<void> {
  return ctx.decided({
    stepId: info.id,
    phase: info.phase,
    who: ctx.policy ? `the gates (run by ${ctx.who})` : ctx.who,
    action: answer.action,
    ...(answer.reason ? { reason: answer.reason } : {}),
    gates,
    override,
  });
}
