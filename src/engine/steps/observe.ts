/** Guide 2.2, 2.3, 4.2: watch the pools after a switch, then ask each new pod itself. */
import type { KubeObject } from '../kube/types.ts';
import { parseDuration } from '../plan/duration.ts';
import type { PlanService } from '../plan/schema.ts';
import { ok, type Result } from '../result.ts';
import type { GateView, PoolsView, StepInfo } from '../run/model.ts';
import { type Arrivals, arrivalKey, arrivalOf } from './arrival.ts';
import { GateWatch, gateEvidence, gateFailure, gatesFor } from './gate-watch.ts';
import { lookAtLoadBalancer } from './load-balancer.ts';
import { endpointText, type Look, lookAtHealth, lookAtPods, lookAtServices, withPods } from './looks.ts';
import { switchedOf } from './not-switched.ts';
import { ensureSecrets } from './p1-credentials.ts';
import { lookAtLogs } from './service-logs.ts';
import type { Step, StepContext, StepFailure, StepResult } from './types.ts';

export function observeStep(info: StepInfo, services: readonly string[]): Step {
  return {
    info,
    async verify(ctx) {
      const switched = switchedOf(ctx, services);
      if (switched.length === 0) return ok({ verdict: 'skipped', note: 'not switched' });
      const { running: watched, idle } = await withPods(ctx, switched);
      // Its template is switched and it has no pod: that was said (and let pass by somebody) when it was switched.
      for (const service of switched)
        if (ctx.fleet.refOf(service).kind !== 'CronJob' && !watched.includes(service)) {
          if (!arrivalOf(ctx, service)) ctx.fact(arrivalKey(service), { seen: false, why: 'it has no replicas' });
        }
      if (watched.length === 0) return ok({ verdict: 'skipped', note: idle.join('; ') });
      const ready = await ensureSecrets(ctx);
      if (!ready.ok) return ready;
      ctx.pooler.watch();
      const everyMs = parseDuration(ctx.plan.observe.every) ?? 30_000;
      const forMs = parseDuration(ctx.plan.observe.for) ?? 300_000;
      const watch = new GateWatch(ctx, await gatesFor(ctx, watched), watched);
      const seen: PoolsView[] = [];
      let looks = 0;
      const views = await watch.over(forMs, everyMs, (_views, _leftMs, pools) => {
        looks++;
        // Rows of a pooler that does not answer are old ones: such a look has seen nothing.
        if (pools && pools.poolers.length > 0 && pools.poolers.every((one) => one.state === 'ok')) seen.push(pools);
        ctx.waitingFor(
          `the end of the watch, a look every ${ctx.plan.observe.every.replace(/(\d)(?=[a-z])/g, '$1 ')}`,
          forMs,
        );
      });
      // A rollout of the pooler or a restart of the API server costs some looks; a watch that saw less than half is none.
      const enough = seen.length * 2 >= looks && seen.length > 0;
      ctx.evidence({
        check: `pools over ${ctx.plan.observe.for}`,
        verdict: enough ? 'pass' : 'inconclusive',
        observed: `${describe(seen)}${seen.length < looks ? `; ${looks - seen.length} more looks saw not every pooler` : ''}`,
        data: { samples: seen.length, looks },
      });
      const judged = judge(ctx, views, watch, services.length === 1 ? services[0] : undefined);
      if (judged.verdict === 'fail') return ok(judged);
      const arrived = await lookAtArrivals(ctx, watch.arrivals);
      if (arrived.verdict === 'fail') return ok(arrived);
      const doubt = !enough || judged.verdict === 'inconclusive';
      // Its clients were seen there: what its rollout left open is answered.
      if (!doubt && arrived.verdict === 'pass') for (const service of watched) ctx.serviceState(service, 'pooled');
      return ok(doubt ? { verdict: 'inconclusive' } : arrived);
    },
  };
}

/** Each service by itself: its clients are on the poolers. Waived when the plan says that it connects when it is used. */
async function lookAtArrivals(ctx: StepContext, arrivals: Arrivals): Promise<StepResult> {
  const missing: string[] = [];
  let failure: StepFailure | undefined;
  for (const [service, look] of await arrivals.judge()) {
    ctx.evidence({
      check: `clients of ${service} on the poolers`,
      verdict: look.verdict,
      observed: look.observed,
      ...(look.expected ? { expected: look.expected } : {}),
      ...(look.data ? { data: look.data } : {}),
    });
    if (look.verdict === 'inconclusive') {
      missing.push(service);
      // Whoever lets this pass has answered for it: the end of the run says it again and does not ask.
      if (!arrivalOf(ctx, service)) ctx.fact(arrivalKey(service), { seen: false, why: look.observed });
    }
    if (look.verdict === 'fail')
      failure ??= {
        cause: `${service}: ${look.observed}`,
        hint: 'A switched service still goes past the pooler: look for a second address in it.',
        service,
        symptoms: [look.observed],
      };
  }
  if (failure) return { verdict: 'fail', failure };
  if (missing.length === 0) return { verdict: 'pass' };
  const onDemand = missing.filter((service) => ctx.fleet.service(service)?.onDemand === true);
  return onDemand.length === missing.length
    ? { verdict: 'waived', note: `waived by the plan: ${onDemand.join(', ')} connects when it is used (onDemand)` }
    : { verdict: 'inconclusive' };
}

function judge(
  ctx: StepContext,
  views: readonly GateView[],
  watch: GateWatch,
  service: string | undefined,
): StepResult {
  for (const view of views) ctx.evidence(gateEvidence(view));
  if (views.some((view) => view.verdict === 'fail')) {
    return { verdict: 'fail', failure: gateFailure(views, watch.texts, service) };
  }
  return { verdict: views.some((view) => view.verdict === 'inconclusive') ? 'inconclusive' : 'pass' };
}

function describe(seen: readonly PoolsView[]): string {
  const most = (pick: (row: PoolsView['rows'][number]) => number) =>
    Math.max(0, ...seen.map((view) => view.rows.reduce((sum, row) => sum + pick(row), 0)));
  return `${seen.length} samples of ${seen.at(-1)?.poolers.length ?? 0} poolers; at most ${most((row) => row.clActive)} clients, ${most((row) => row.clWaiting)} waiting, ${most((row) => row.svActive)} active servers`;
}

/** Health, logs and readiness of the new pods (guide 2.3). `exec deployment/x` may ask an old pod; each new one is asked here. */
export function healthStep(info: StepInfo, services: readonly string[]): Step {
  return {
    info,
    async verify(ctx) {
      const switched = switchedOf(ctx, services);
      if (switched.length === 0) return ok({ verdict: 'skipped', note: 'not switched' });
      const { running: looked, idle } = await withPods(ctx, switched);
      if (looked.length === 0) return ok({ verdict: 'skipped', note: idle.join('; ') });
      for (const why of idle) ctx.message('info', why);
      const failures: StepFailure[] = [];
      let open = false;
      const seen = await lookAtServices(ctx, looked, (name, pods) => looksOf(ctx, name, pods));
      for (const [index, name] of looked.entries()) {
        const looks = seen[index]!;
        if (!looks.ok) return looks;
        const { failure, verdict } = healthOf(ctx, name, looks.value);
        if (failure) failures.push(failure);
        if (verdict === 'inconclusive') open = true;
      }
      const [first] = failures;
      if (first) return ok({ verdict: 'fail', failure: first });
      return ok({ verdict: open ? 'inconclusive' : 'pass' });
    },
  };
}

function healthCheck(service: PlanService, pods: Parameters<typeof endpointText>[1]): string {
  const endpoint = endpointText(service, pods);
  return endpoint === undefined ? `readiness of ${service.name}` : `health GET ${endpoint} of ${service.name}`;
}

/** What is seen of one service, by the names of the checks. */
async function looksOf(
  ctx: StepContext,
  name: string,
  pods: Result<KubeObject[]>,
): Promise<Result<readonly [string, Look][]>> {
  const service = ctx.fleet.service(name);
  if (!service) return ok([]);
  ctx.waitingFor(`${name}: pods, logs and health`);
  if (!pods.ok) return pods;
  const [logs, health, outside] = await Promise.all([
    lookAtLogs(ctx, name, pods.value),
    lookAtHealth(ctx, service, pods.value),
    lookAtLoadBalancer(ctx, service, pods.value[0]),
  ]);
  return ok([
    [`pods of ${name}`, lookAtPods(pods.value, name)],
    [`pod logs of ${name}`, logs],
    [healthCheck(service, pods.value), health],
    ...(outside ? [[`load balancer of ${name}`, outside] as [string, Look]] : []),
  ]);
}

/** Writes the looks down, and sums them up. */
function healthOf(ctx: StepContext, name: string, looks: readonly [string, Look][]): StepResult {
  for (const [check, look] of looks) {
    ctx.evidence({
      check,
      verdict: look.verdict,
      observed: look.observed,
      ...(look.expected ? { expected: look.expected } : {}),
      ...(look.data ? { data: look.data } : {}),
    });
  }
  const bad = looks.find(([, look]) => look.verdict === 'fail');
  if (bad) {
    const [check, look] = bad;
    return {
      verdict: 'fail',
      failure: {
        cause: `${check}: ${look.observed}`,
        hint: 'Roll the service back, or read the log and retry.',
        service: name,
        logTail: look.lines ?? [],
        symptoms: [look.observed, ...(look.lines ?? [])],
      },
    };
  }
  return { verdict: looks.some(([, look]) => look.verdict === 'inconclusive') ? 'inconclusive' : 'pass' };
}
