/**
 * Guide 5.2, before and after: a short read-only pgbench in the cluster, directly before the first switch and through
 * the pooler at the end; and the response times of the services' own health endpoints before they move.
 */

import { ownedLabels, RUN_LABEL } from '../kube/owned-objects.ts';
import { listOf, ref, refOf } from '../kube/refs.ts';
import { signsOf } from '../kube/rollout-failures.ts';
import type { Json, KubeObject, Ref } from '../kube/types.ts';
import { baselineJob, checkBaselineHeadroom, compareBaselines, parsePgbench } from '../postgres/baseline.ts';
import { readCapacity } from '../postgres/capacity.ts';
import type { BaselineResult } from '../postgres/types.ts';
import { fail, ok, type Result } from '../result.ts';
import type { JsonValue, StepInfo } from '../run/model.ts';
import { sanitiseLine, sanitiseLines } from '../sanitise.ts';
import { healthTarget } from './health-target.ts';
import { longestQueries, podReady, podsByWorkload, whyNoPods } from './looks.ts';
import { isNotSwitched, wasPooledBefore } from './not-switched.ts';
import { ensureSecrets } from './p1-credentials.ts';
import { PGBENCH_IMAGE } from './plan-facts.ts';
import { measureResponse, quantile } from './response-times.ts';
import type { Step, StepContext } from './types.ts';

const RESPONSES = 20;

/** Response times before anything moved; no change, so nothing to confirm. */
export const responses = (info: StepInfo): Step => ({
  info,
  async verify(ctx) {
    const pods = await podsByWorkload(ctx);
    if (!pods.ok) return pods;
    const kept: Record<string, JsonValue> = {};
    const silent: string[] = [];
    const without: string[] = [];
    const longest: Record<string, number> = {};
    for (const service of ctx.fleet.services()) {
      ctx.waitingFor(`response times of ${service.name}`);
      const running = await longestQueries(ctx);
      for (const [name, ms] of running.ok ? running.value : []) longest[name] = Math.max(longest[name] ?? 0, round(ms));
      const pod = (pods.value.get(service.name) ?? []).find(podReady);
      if (
        (isNotSwitched(ctx, service.name) && !wasPooledBefore(ctx, service.name)) ||
        (pod && !healthTarget(service, pod)) ||
        (!pod && (await whyNoPods(ctx, service.name)))
      ) {
        without.push(service.name);
        continue;
      }
      const times = pod ? await measureResponse(ctx, service, pod, RESPONSES) : [];
      const median = quantile(times, 0.5);
      const p90 = quantile(times, 0.9);
      if (median === undefined || p90 === undefined) silent.push(service.name);
      else kept[service.name] = { medianMs: round(median), p90Ms: round(p90) };
    }
    ctx.fact('responseBaseline', kept);
    ctx.fact('longestQueryBefore', longest);
    const measured = Object.keys(kept).length;
    ctx.evidence({
      check: 'response times before',
      verdict: silent.length === 0 ? 'pass' : 'inconclusive',
      observed: `${measured} of ${measured + silent.length} services measured${silent.length > 0 ? `; no answer from ${silent.join(', ')}` : ''}${without.length > 0 ? `; nothing to ask: ${without.join(', ')}` : ''}`,
      data: kept,
    });
    return ok({ verdict: silent.length === 0 ? 'pass' : 'inconclusive' });
  },
});

const round = (ms: number) => Math.round(ms * 100) / 100;

export function baselineStep(info: StepInfo, which: 'before' | 'after'): Step {
  const key = `pgbench.${which}`;
  return {
    info,
    async plan(ctx) {
      const ready = await ensureSecrets(ctx);
      if (!ready.ok) return ready;
      const objects = objectsOf(ctx, which);
      if (!objects.ok) return objects;
      const { seconds, clients } = ctx.plan.baseline;
      const { host, port } = target(ctx, which);
      if (ctx.state().facts[key] !== undefined)
        return ok({ summary: 'measured already', diff: [], commands: [], alreadyDone: true });
      if (which === 'before') {
        const room = await headroom(ctx);
        if (!room.ok) return room;
      }
      return ok({
        summary: `run pgbench for ${seconds} s with ${clients} clients against ${host}:${port}`,
        diff: objects.value.map((object) => ({
          kind: 'add' as const,
          text: `${object.kind}/${object.metadata.name} (removed afterwards)`,
        })),
        commands: [
          `kubectl create job ${nameOf(which)} --image=${imageOf(ctx)} -n ${ctx.fleet.namespace} -- pgbench -n -M extended -f select.sql -c ${clients} -T ${seconds} -h ${host} -p ${port} -U ${ctx.plan.postgres.role} ${ctx.plan.postgres.database}`,
        ],
        departures: [
          "The guide's pgbench writes a million transactions into production, needs tables that only -i makes (it drops and creates them), names no port and gives no password; -d means --debug before version 17. This one reads only, is short, and takes the password from a Secret.",
        ],
      });
    },
    async apply(ctx) {
      const objects = objectsOf(ctx, which);
      if (!objects.ok) return objects;
      for (const object of objects.value) {
        const made = await create(ctx, object);
        if (!made.ok) return made;
      }
      return ok(undefined);
    },
    async verify(ctx) {
      const kept = ctx.state().facts[key] as BaselineResult | undefined;
      let result = kept;
      if (!result) {
        const measured = await collect(ctx, which);
        const cleaned = await cleanUp(ctx, which);
        if (!measured.ok) return measured;
        if (!cleaned.ok) ctx.message('warn', `the baseline's objects could not be removed: ${cleaned.error.message}`);
        result = measured.value;
        ctx.fact(key, { ...result, progress: result.progress.map((one) => ({ ...one })) });
      }
      ctx.evidence({
        check: `pgbench ${which === 'before' ? 'against PostgreSQL directly' : 'through the pooler'}`,
        verdict: result.aborted || result.failed > 0 ? 'fail' : 'pass',
        observed: `${Math.round(result.tps)} transactions/s, ${result.latencyAverageMs} ms on average, ${result.transactions} transactions, ${result.failed} failed`,
        expected: 'no failed transaction',
      });
      if (which === 'before') return ok({ verdict: result.aborted || result.failed > 0 ? 'fail' : 'pass' });
      const before = ctx.state().facts['pgbench.before'] as BaselineResult | undefined;
      if (!before) return ok({ verdict: 'inconclusive' });
      const comparison = compareBaselines(before, result, ctx.plan.gates.responseTimeWithin);
      // A pooler is one more hop: a bare SELECT pays for it, an application's transaction hardly does. The services' own
      // response times are the gate; this comparison is for the record unless a query became slow to notice.
      const slow = result.latencyAverageMs - before.latencyAverageMs > hopMs(ctx);
      ctx.evidence({
        check: 'pgbench before and after',
        verdict:
          comparison.verdict === 'fail' && !slow && !result.aborted && result.failed === 0
            ? 'pass'
            : comparison.verdict,
        observed: comparison.summary,
        expected: `within ${ctx.plan.gates.responseTimeWithin} %, or ${hopMs(ctx)} ms for the hop with ${ctx.plan.baseline.clients} clients at full speed`,
      });
      return ok({
        verdict: result.aborted || result.failed > 0 || (comparison.verdict === 'fail' && slow) ? 'fail' : 'pass',
      });
    },
  };
}

/**
 * pgbench keeps every client at full speed, so each query also waits for the others in the one process that PgBouncer is: the
 * latency that a pooler adds is its service time for a query, times the clients. A healthy one needs a fraction of a
 * millisecond for a query; from 1.5 ms on it is short of CPU, and services would notice. The guide's 10 % is asked of
 * the services' own response times (gate response-time), where it means something; of a bare SELECT it never holds.
 */
const SERVICE_TIME_MS = 1.5;
const hopMs = (ctx: StepContext) => Math.round(ctx.plan.baseline.clients * SERVICE_TIME_MS);

/** Without the id of the run, so that a Role can name them; the lock of the namespace keeps two runs from meeting here. */
const nameOf = (which: 'before' | 'after') => `pgb-wizard-baseline-${which}`;
/** The plan's; else the one PostgreSQL runs from, which every node of this cluster may pull and which brings pgbench. */
const imageOf = (ctx: StepContext): string => {
  const seen = ctx.state().facts.postgresImage;
  return ctx.plan.baseline.image ?? (typeof seen === 'string' ? seen : PGBENCH_IMAGE);
};

const target = (ctx: StepContext, which: 'before' | 'after') =>
  which === 'before'
    ? { host: ctx.plan.postgres.service, port: ctx.plan.postgres.port }
    : { host: ctx.plan.pooler.name, port: ctx.plan.pooler.port };

function objectsOf(ctx: StepContext, which: 'before' | 'after'): Result<KubeObject[]> {
  const { plan, secrets } = ctx;
  if (!secrets.role) return fail('secret-missing', `the password of ${plan.postgres.role} is not known`);
  const name = nameOf(which);
  const seconds =
    ctx.rehearsal && ctx.clock.scale > 1
      ? Math.max(3, Math.ceil(plan.baseline.seconds / ctx.clock.scale))
      : plan.baseline.seconds;
  return ok([
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: ctx.fleet.namespace, labels: ownedLabels(ctx.runId) },
      type: 'Opaque',
      immutable: true,
      data: { password: Buffer.from(secrets.role.reveal(), 'utf8').toString('base64') },
    },
    ...(baselineJob({
      namespace: ctx.fleet.namespace,
      name,
      image: imageOf(ctx),
      ...target(ctx, which),
      database: plan.postgres.database,
      user: plan.postgres.role,
      passwordSecret: { name, key: 'password' },
      clients: plan.baseline.clients,
      seconds,
      labels: { ...plan.pooler.labels, ...ownedLabels(ctx.runId) },
      ...(plan.pooler.annotations ? { annotations: plan.pooler.annotations } : {}),
    }) as KubeObject[]),
  ]);
}

async function headroom(ctx: StepContext): Promise<Result<void>> {
  const session = await ctx.pooler.postgres();
  if (!session.ok) return ok(undefined);
  const facts = await readCapacity(session.value, {
    role: ctx.plan.postgres.role,
    database: ctx.plan.postgres.database,
  });
  if (!facts.ok) return ok(undefined);
  const room = checkBaselineHeadroom(facts.value, ctx.plan.baseline.clients);
  return room.ok ? ok(undefined) : room;
}

async function create(ctx: StepContext, object: KubeObject): Promise<Result<void>> {
  const where = refOf(object);
  if (!where) return fail('internal', `no reference for ${object.kind}`);
  const sent = await ctx.call(
    {
      verb: 'create',
      target: { kind: where.kind, namespace: ctx.fleet.namespace, name: where.name },
      direction: 'forward',
    },
    async (auditId) => {
      const made = await ctx.kube.create(where, object, { auditId });
      if (made.ok) return ok({});
      if (made.error.code !== 'already-exists') return made;
      const left = await removeForeign(ctx, where, object);
      if (!left.ok) return left;
      if (!left.value) return ok({});
      const again = await ctx.kube.create(where, object, { auditId });
      return again.ok ? ok({}) : again;
    },
  );
  return sent.ok ? ok(undefined) : sent;
}

const GONE_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 300;

/** What another run left behind has another password, or is over already: it goes. True when the name is free now. */
async function removeForeign(ctx: StepContext, where: Ref, object: KubeObject): Promise<Result<boolean>> {
  const began = ctx.clock.monotonic();
  for (;;) {
    const live = await ctx.kube.get(where, { signal: ctx.signal });
    if (!live.ok) return live.error.code === 'not-found' ? ok(true) : live;
    const labels: Record<string, string> = live.value.metadata.labels ?? {};
    // Left by a session of this very run that was cut off.
    if (labels[RUN_LABEL] === object.metadata.labels[RUN_LABEL]) return ok(false);
    if (labels['app.kubernetes.io/managed-by'] !== 'pgb-wizard' || ctx.clock.monotonic() - began > GONE_LIMIT_MS) {
      return fail('already-exists', `${where.kind} ${where.name} is there and is not this run's`, {
        next: [`Look at it and delete it: kubectl describe ${where.kind.toLowerCase()} ${where.name}`],
      });
    }
    if (live.value.metadata.deletionTimestamp === undefined) {
      const gone = await ctx.kube.delete(where, { uid: live.value.metadata.uid, propagationPolicy: 'Background' });
      if (!gone.ok && gone.error.code !== 'not-found') return gone;
    }
    await ctx.clock.sleep(LOOK_EVERY_MS, ctx.signal);
  }
}

/** A measurement of half a minute waits no longer than this for what kubelets usually get over. */
const PATIENCE_MS = 20_000;

const OTHER_IMAGE =
  'It needs an image with pgbench that this cluster may pull: baseline.image in the plan. Without one: baseline.enabled: false, or waive this step.';

/** Waits for the Job and reads its log; says at once why its pod can't run. */
async function collect(ctx: StepContext, which: 'before' | 'after'): Promise<Result<BaselineResult>> {
  const name = nameOf(which);
  const limitMs = (ctx.plan.baseline.seconds + 90) * 1000;
  const began = ctx.clock.monotonic();
  const seenSince = new Map<string, number>();
  for (;;) {
    const job = await ctx.kube.get(ref('Job', ctx.fleet.namespace, name), { signal: ctx.signal });
    if (!job.ok) return job;
    const { uid } = job.value.metadata;
    const conditions: { type: string; status: string; message?: string }[] = job.value.status?.conditions ?? [];
    const done = conditions.find((one) => (one.type === 'Complete' || one.type === 'Failed') && one.status === 'True');
    const pod = await podOf(ctx, name, uid);
    if (!pod.ok) return pod;
    if (done && pod.value) return readLog(ctx, pod.value.metadata.name);
    if (done) {
      const why = (await lastWarning(ctx, name, uid)) ?? sanitiseLine(done.message ?? 'its pod is gone', 300);
      return fail('not-found', `pgbench did not run: ${why}`, { next: [OTHER_IMAGE] });
    }
    const sign = pod.value && signsOf(pod.value, new Map())[0];
    if (sign) {
      const since = seenSince.get(sign.key) ?? ctx.clock.monotonic();
      seenSince.set(sign.key, since);
      if (ctx.clock.monotonic() - since >= Math.min(sign.patienceMs, PATIENCE_MS)) {
        return fail('rollout-failed', `pgbench can't run: ${sign.message}`, { next: [OTHER_IMAGE] });
      }
    }
    if (ctx.clock.monotonic() - began > limitMs) {
      const why = await lastWarning(ctx, name, uid);
      return fail('timeout', `pgbench did not end within ${Math.round(limitMs / 1000)} s${why ? `: ${why}` : ''}`, {
        next: ['Look at the events of its pod (image, quota); retry, or waive the step.'],
      });
    }
    ctx.waitingFor(sign ? `pgbench: ${sign.message}` : `pgbench (${ctx.plan.baseline.seconds} s)`, limitMs);
    await ctx.clock.sleep(500, ctx.signal);
  }
}

/** The pod of the Job, undefined while there is none. */
async function podOf(ctx: StepContext, name: string, uid: string): Promise<Result<KubeObject | undefined>> {
  const pods = await ctx.kube.list(listOf('Pod', ctx.fleet.namespace, { labelSelector: `app=${name}` }), {
    signal: ctx.signal,
  });
  if (!pods.ok) return pods;
  const owned = (one: KubeObject) => (one.metadata.ownerReferences ?? []).some((owner: Json) => owner.uid === uid);
  return ok(pods.value.items.find(owned));
}

async function readLog(ctx: StepContext, pod: string): Promise<Result<BaselineResult>> {
  const log = await ctx.kube.logs(ctx.fleet.namespace, pod, { container: 'pgbench', signal: ctx.signal });
  if (!log.ok) return log;
  ctx.logLines(pod, sanitiseLines(log.value, 12));
  return parsePgbench(log.value);
}

/** The newest warning about the Job (a quota, a webhook that refuses its pod); undefined when there is none to read. */
async function lastWarning(ctx: StepContext, name: string, uid: string): Promise<string | undefined> {
  const of = listOf('Event', ctx.fleet.namespace, { fieldSelector: `involvedObject.name=${name}` });
  const events = await ctx.kube.list(of, { signal: ctx.signal });
  if (!events.ok) return undefined;
  const warnings = events.value.items.filter(
    (one) => one.involvedObject?.uid === uid && one.type === 'Warning' && one.reason !== 'DeadlineExceeded',
  );
  const at = (one: KubeObject) => String(one.series?.lastObservedTime ?? one.lastTimestamp ?? one.eventTime ?? '');
  const newest = warnings.toSorted((one, other) => at(one).localeCompare(at(other))).at(-1);
  return newest && sanitiseLine(`${newest.reason}: ${newest.message}`, 300);
}

async function cleanUp(ctx: StepContext, which: 'before' | 'after'): Promise<Result<void>> {
  const name = nameOf(which);
  const { namespace } = ctx.fleet;
  for (const where of [
    ref('Job', namespace, name),
    ref('ConfigMap', namespace, `${name}-script`),
    ref('Secret', namespace, name),
  ]) {
    const sent = await ctx.call(
      { verb: 'delete', target: { kind: where.kind, namespace, name: where.name }, direction: 'back' },
      async (auditId) => {
        const gone = await ctx.kube.delete(where, { auditId, propagationPolicy: 'Background' });
        return gone.ok || gone.error.code === 'not-found' ? ok({}) : gone;
      },
    );
    if (!sent.ok) return sent;
  }
  return ok(undefined);
}
