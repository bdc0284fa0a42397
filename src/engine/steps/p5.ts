/** Guide phase 5: the whole system looked at once more, the baseline, the papers; and what to do after 48 hours. */

import { redactObject } from '../kube/redact.ts';
import { ref } from '../kube/refs.ts';
import { goneText } from '../postgres/activity.ts';
import { ok, type Result } from '../result.ts';
import type { JsonValue, StepInfo } from '../run/model.ts';
import { Arrivals, arrivalOf } from './arrival.ts';
import {
  type Look,
  lookAtPods,
  lookAtPostgres,
  podReady,
  podsByWorkload,
  podsOf,
  restartsOf,
  whyNoPods,
} from './looks.ts';
import { isNotSwitched, switchedOf, wasPooledBefore } from './not-switched.ts';
import { keepOriginals } from './originals.ts';
import { poolerWorkload } from './own-manifests.ts';
import { ensureSecrets } from './p1-credentials.ts';
import { advise, leftovers } from './pool-advice.ts';
import type { Step, StepContext } from './types.ts';

export const verifyAll = (info: StepInfo): Step => ({
  info,
  async verify(ctx) {
    const ready = await ensureSecrets(ctx);
    if (!ready.ok) return ready;
    ctx.pooler.watch();
    ctx.waitingFor('all pods of the plan');
    const pods = await podsByWorkload(ctx);
    if (!pods.ok) return pods;
    // What was left where it is was not healthy, or not ours to touch, before; it says nothing about the switch.
    const planned = ctx.fleet
      .services()
      .map((service) => service.name)
      .filter((name) => wasPooledBefore(ctx, name) || !isNotSwitched(ctx, name));
    const poolers = await poolerWorkload(ctx);
    const all = [...planned, poolers].flatMap((name) => pods.value.get(name) ?? []);
    const looked = lookAtPods(all, 'the plan');
    // The guide counts Running and Pending pods together and greps for "crash"; readiness is what counts.
    ctx.evidence({
      check: 'all pods Running and Ready',
      verdict: looked.verdict,
      observed: looked.observed,
      expected: `${all.length}/${all.length}`,
    });
    const crashing = all
      .filter((pod) => restartsOf(pod) > 0 && !podReady(pod))
      .map((pod) => pod.metadata.name as string);
    ctx.evidence({
      check: 'no pod is crash looping',
      verdict: crashing.length > 0 ? 'fail' : all.length > 0 ? 'pass' : 'inconclusive',
      observed: crashing.length === 0 ? `none of ${all.length}` : crashing.join(', '),
    });
    const missing: string[] = [];
    for (const name of planned) {
      if ((pods.value.get(name) ?? []).length === 0 && (await whyNoPods(ctx, name)) === undefined) missing.push(name);
    }
    if (missing.length > 0)
      ctx.evidence({
        check: 'every service has pods',
        verdict: 'fail',
        observed: `no pod of ${missing.join(', ')}`,
        expected: 'at least one of each',
      });
    const kept = await keepOriginals(ctx);
    if (!kept.ok) return kept;
    ctx.evidence({
      check: 'originals in the cluster',
      verdict: 'pass',
      observed: kept.value === 'there' ? 'there' : 'they were deleted, and were written again',
    });
    const gone = await goneObjects(ctx, planned);
    const failed = looked.verdict === 'fail' || crashing.length > 0 || missing.length > 0 || gone.length > 0;
    const seen = await connections(ctx, failed);
    if (gone.length > 0) {
      const cause = `${gone.join(', ')} ${gone.length === 1 ? 'was' : 'were'} deleted: pods that run go on, and none that is made anew starts`;
      const hint = 'Roll those services back now, while their pods run; or put the objects back, then retry.';
      return ok({ verdict: 'fail', failure: { cause, hint } });
    }
    return ok(seen.verdict === 'pass' && looked.verdict !== 'pass' ? { verdict: looked.verdict } : seen);
  },
});

/** Secrets and ConfigMaps of this run that its services take their address from, and that are not there any more. */
async function goneObjects(ctx: StepContext, services: readonly string[]): Promise<string[]> {
  const needed = services.flatMap((name) => ctx.fleet.original(name)?.objects ?? []);
  const gone: string[] = [];
  let unknown = 0;
  for (const { ref: where } of needed) {
    const found = await ctx.kube.get(where, { signal: ctx.signal });
    if (found.ok) continue;
    if (found.error.code === 'not-found') gone.push(`${where.kind} ${where.name}`);
    else unknown++;
  }
  if (needed.length > 0)
    ctx.evidence({
      check: 'objects with the addresses',
      verdict: gone.length > 0 ? 'fail' : unknown > 0 ? 'inconclusive' : 'pass',
      observed: gone.length > 0 ? `gone: ${gone.join(', ')}` : `${needed.length - unknown} of ${needed.length} there`,
      expected: 'each one that a switched service refers to',
    });
  return gone;
}

async function connections(ctx: StepContext, failedBefore: boolean) {
  ctx.waitingFor('who is connected to PostgreSQL');
  const activity = await lookAtPostgres(ctx);
  const view = await ctx.pooler.sample();
  if (!activity.ok) {
    ctx.evidence({ check: 'PostgreSQL connections', verdict: 'inconclusive', observed: activity.error.message });
    return { verdict: 'inconclusive' as const };
  }
  const all = ctx.state().services;
  const open = all.filter((one) => one.state === 'switching').map((one) => one.name);
  const pooledServices = switchedOf(
    ctx,
    all.map((one) => one.name),
  );
  if (open.length > 0)
    ctx.evidence({
      check: 'the rollout of every switched service was seen to its end',
      verdict: 'inconclusive',
      observed: `not of ${open.join(', ')}`,
    });
  const direct = pooledServices.reduce((sum, name) => sum + (activity.value.direct.get(name) ?? 0), 0);
  const left = activity.value.gone.filter((one) => pooledServices.includes(one.service));
  ctx.evidence({
    check: 'no switched service is connected directly',
    verdict: direct > 0 ? 'fail' : left.length > 0 ? 'inconclusive' : 'pass',
    observed: `${direct} direct connections of ${pooledServices.length} services${left.length > 0 ? `; ${goneText(left)}` : ''}`,
    expected: '0',
    data: { byService: Object.fromEntries(activity.value.direct) },
  });
  const arrived = await arrivals(ctx, pooledServices);
  const most = (ctx.state().facts.sizing as { expectedServerConnections?: number } | undefined)
    ?.expectedServerConnections;
  const within = ctx.plan.gates.pgConnectionsWithin;
  const fits = most === undefined || activity.value.pooled <= most + within;
  // The guide expects 50: one pooler's pool. Each pooler process has its own, and opens only what is needed.
  ctx.evidence({
    check: 'PostgreSQL connections',
    verdict: fits ? 'pass' : 'fail',
    observed: `${activity.value.pooled} pooled, ${activity.value.directTotal} direct, ${activity.value.other} other of ${activity.value.maxConnections}`,
    expected: most === undefined ? 'within max_connections' : `at most ${most} (computed) + ${within} pooled`,
  });
  const up =
    view !== undefined &&
    view.poolers.length >= ctx.plan.pooler.replicas &&
    view.poolers.every((pooler) => pooler.state === 'ok');
  ctx.evidence({
    check: 'pools of every pooler',
    verdict: up ? 'pass' : 'inconclusive',
    observed: `${view?.poolers.length ?? 0} poolers; ${view?.rows.reduce((sum, row) => sum + row.clActive, 0) ?? 0} clients, ${view?.rows.reduce((sum, row) => sum + row.clWaiting, 0) ?? 0} waiting`,
    expected: `${ctx.plan.pooler.replicas} poolers answer`,
  });
  const bad = failedBefore || direct > 0 || !fits;
  const proved = up && arrived && left.length === 0 && open.length === 0;
  return { verdict: bad ? ('fail' as const) : proved ? ('pass' as const) : ('inconclusive' as const) };
}

/** Every switched service was seen with clients on a pooler, in this run or now. False when one was not, and nobody let that pass. */
async function arrivals(ctx: StepContext, services: readonly string[]): Promise<boolean> {
  const unseen = services.filter((service) => arrivalOf(ctx, service)?.seen !== true);
  const judged = new Set(unseen.filter((service) => arrivalOf(ctx, service) !== undefined));
  const looks = unseen.length > 0 ? await new Arrivals(ctx, unseen).judge(0) : new Map<string, Look>();
  const open: string[] = [];
  const waived: string[] = [];
  for (const service of unseen) {
    if (arrivalOf(ctx, service)?.seen) continue;
    const text = `${service}: ${looks.get(service)?.observed ?? 'not seen'}`;
    // It was asked about (or the plan answered) when the service was watched after its switch.
    if (judged.has(service) || ctx.fleet.service(service)?.onDemand) waived.push(text);
    else open.push(text);
  }
  ctx.evidence({
    check: 'every switched service is a client of the poolers',
    verdict: open.length > 0 ? 'inconclusive' : 'pass',
    observed: `${services.length - open.length - waived.length} of ${services.length} seen${open.length > 0 ? `; ${open.join('; ')}` : ''}${waived.length > 0 ? `; waived before: ${waived.join('; ')}` : ''}`,
    expected: 'each of them seen on a pooler since its switch',
  });
  return open.length === 0;
}

/** Guide 5.3: the final state without the passwords that `describe deployment` prints, and the line for the history. */
export const document = (info: StepInfo): Step => ({
  info,
  async verify(ctx) {
    ctx.waitingFor('the final state of the pooler');
    const state = await finalState(ctx);
    if (!state.ok) return state;
    ctx.fact('finalState', state.value);
    const pooled = ctx.state().services.filter((one) => one.state === 'pooled').length;
    const entry = `${new Date(ctx.clock.now()).toISOString().slice(0, 19)}Z  ${ctx.plan.name}: ${pooled} of ${ctx.state().services.length} services reach PostgreSQL through ${ctx.plan.pooler.name} (run ${ctx.runId}, ${ctx.who})`;
    ctx.fact('historyEntry', entry);
    ctx.evidence({
      check: 'final state',
      verdict: 'pass',
      observed: `${Object.keys(state.value).length} objects kept in the record, credentials masked`,
    });
    ctx.evidence({ check: 'MIGRATION_HISTORY.md', verdict: 'pass', observed: entry });
    return ok({ verdict: 'pass' });
  },
});

async function finalState(ctx: StepContext): Promise<Result<Record<string, JsonValue>>> {
  const { namespace } = ctx.fleet;
  const name = await poolerWorkload(ctx);
  const kept: Record<string, JsonValue> = {};
  for (const where of [ref('Deployment', namespace, name), ref('Service', namespace, ctx.plan.pooler.name)]) {
    const object = await ctx.kube.get(where, { signal: ctx.signal });
    if (!object.ok) return object;
    kept[`${where.kind}/${where.name}`] = redactObject(object.value);
  }
  const pods = await podsOf(ctx, name);
  if (!pods.ok) return pods;
  for (const pod of pods.value) {
    kept[`Pod/${pod.metadata.name}`] = {
      phase: String(pod.status?.phase ?? ''),
      ready: podReady(pod),
      restarts: restartsOf(pod),
    };
  }
  return ok(kept);
}

/** After 48 h: what each application's own pool should come down to, from what the run saw it use. */
export const post = (info: StepInfo): Step => ({
  info,
  async verify(ctx) {
    // A session that begins here has asked nobody for the console's password yet.
    const ready = await ensureSecrets(ctx);
    if (!ready.ok) return ready;
    const due = new Date(ctx.clock.now() + 48 * 3_600_000).toISOString();
    const view = await ctx.pooler.sample();
    const clients = await clientsByService(ctx);
    const replicas = (ctx.state().facts.replicas ?? {}) as Record<string, number>;
    const peaks = (ctx.state().facts.peakUse ?? {}) as Record<string, number>;
    const drivers = (ctx.state().facts.drivers ?? {}) as Record<string, string>;
    const advice: Record<string, JsonValue> = {};
    for (const { name, state } of ctx.state().services) {
      if (state !== 'pooled' || !clients) continue;
      const { pods, peakInUse, clientsPerPod, suggestedPoolSize, setting } = advise({
        pods: replicas[name] ?? 1,
        peakInUse: peaks[name] ?? 0,
        clients: clients.get(name) ?? 0,
        ...(drivers[name] ? { driver: drivers[name] } : {}),
      });
      advice[name] = { pods, peakInUse, clientsPerPod, suggestedPoolSize, setting };
    }
    const remove = leftovers(ctx.runId);
    ctx.fact('afterwards', { due, advice, remove: [...remove] });
    const activity = await lookAtPostgres(ctx);
    ctx.evidence({
      check: 'pool sizes of the applications',
      verdict: clients ? 'pass' : 'inconclusive',
      observed: clients
        ? Object.entries(advice)
            .map(([name, one]) => `${name} ${(one as { suggestedPoolSize: number }).suggestedPoolSize}`)
            .join(', ') || 'no service reaches the pooler'
        : 'could not measure: no pooler said who its clients are',
      expected: `reviewed after ${due}`,
      data: advice,
    });
    ctx.evidence({
      check: 'what may be removed',
      verdict: 'pass',
      observed: remove.map((one) => one.split(':')[0]).join('; '),
      expected: `not before ${due}`,
      data: { remove: [...remove] },
    });
    if (activity.ok) {
      const free = activity.value.maxConnections - activity.value.reserved - activity.value.total;
      ctx.evidence({
        check: 'headroom of PostgreSQL',
        verdict: 'pass',
        observed: `${free} of ${activity.value.maxConnections} connections free; ${view?.rows.reduce((sum, row) => sum + row.svActive, 0) ?? 0} active`,
      });
    }
    return ok({ verdict: clients ? 'pass' : 'inconclusive' });
  },
});

/** Undefined when not every pooler could be asked: a part of the clients would make each pool look too large. */
async function clientsByService(ctx: StepContext): Promise<Map<string, number> | undefined> {
  const owners = await ctx.fleet.podOwners(ctx.signal);
  const counts = new Map<string, number>();
  const pods = await ctx.pooler.pods(ctx.signal);
  if (!owners.ok || !pods.ok || pods.value.length === 0) return undefined;
  for (const pod of pods.value) {
    const console = await ctx.pooler.console(pod.name);
    const clients = await console?.show('CLIENTS');
    if (!clients?.ok) return undefined;
    for (const row of clients.value) {
      const service = owners.value.get(String(row.addr ?? ''))?.service;
      if (service) counts.set(service, (counts.get(service) ?? 0) + 1);
    }
  }
  return counts;
}
