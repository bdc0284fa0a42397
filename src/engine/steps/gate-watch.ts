/**
 * One measurement of everything the gates look at, and the watch over a stretch of time that observation windows and
 * soaks share. A measurement that fails is repeated soon: N in a row is meant to tell a spike from a state, and a state
 * should be known in seconds, not after N observation intervals.
 */
import type { KubeObject } from '../kube/types.ts';
import type { PlanService } from '../plan/schema.ts';
import { ok, type Result } from '../result.ts';
import { createGates, overall } from '../run/gates.ts';
import type { FailureSample, GateId, GateSample, Gates, ResponseSample } from '../run/gates-types.ts';
import type { Evidence, GateView, PoolsView } from '../run/model.ts';
import { Arrivals } from './arrival.ts';
import { healthTarget } from './health-target.ts';
import { lookAtPostgres, lookAtUse, podsByWorkload } from './looks.ts';
import { lookAtPoolerLogs } from './pooler-logs.ts';
import { askPrometheus } from './prometheus-look.ts';
import { measureResponse, medianRange, quantile, type ResponseBaseline, responseLimit } from './response-times.ts';
import { databaseErrorsOf } from './service-logs.ts';
import type { StepContext } from './types.ts';

/** Real time between measurements while a gate is failing but has not failed N times in a row. */
const SUSPICIOUS_EVERY_MS = 1500;
/** A dozen: the range of their median leaves out the lowest and the highest. */
const RESPONSES_PER_LOOK = 12;
/** Asked beyond that, while the range of the median spans the limit. */
const RESPONSES_IN_DOUBT = 48;
/** Looks that the end of a watch adds for what the last one could not measure. */
const LAST_LOOKS = 3;
/** A query below this is not slow, whatever was seen before. */
const SLOW_AT_LEAST_MS = 2000;
/**
 * However fast time passes in a rehearsal, a look needs real time behind it: real servers show a real state only after
 * a moment.
 */
const LEAST_BETWEEN_LOOKS_MS = 250;
/** Services asked in one look; the others follow in the next ones. */
const SERVICES_PER_LOOK = 3;

/** A gate as evidence of the step that watched it. */
export const gateEvidence = (view: GateView): Pick<Evidence, 'check' | 'verdict' | 'observed' | 'expected'> => ({
  check: `gate: ${view.title}`,
  verdict: view.verdict,
  observed: view.observed,
  expected: view.limit,
});

export interface Measured {
  readonly sample: GateSample;
  readonly pools?: PoolsView;
  readonly notes: readonly string[];
}

export class GateWatch {
  readonly #ctx: StepContext;
  readonly #gates: Gates;
  readonly #services: readonly string[];
  readonly #began = performance.now();
  #logsSince = this.#began;
  /** When the logs of each service were read last. */
  readonly #readSince = new Map<string, number>();
  #queriesBefore: number | undefined;
  #responseTime: ResponseSample | undefined;
  #next = 0;
  readonly texts = new Set<string>();
  /** Which of the services showed clients on the poolers over the looks. */
  readonly arrivals: Arrivals;

  constructor(ctx: StepContext, gates: Gates, services: readonly string[]) {
    this.arrivals = new Arrivals(ctx, services);
    this.#ctx = ctx;
    this.#gates = gates;
    this.#services = services;
  }

  /** Measures once and lets the gates judge. */
  async look(): Promise<{ views: readonly GateView[]; pools?: PoolsView }> {
    const { sample, pools } = await this.#measure();
    const views = this.#gates.observe(sample);
    this.#ctx.gates(views);
    return { views, ...(pools ? { pools } : {}) };
  }

  /** True while some gate's newest measurement failed. */
  static suspicious(views: readonly GateView[]): boolean {
    return views.some((view) => view.history.at(-1)?.verdict === 'fail');
  }

  /**
   * Lets `ms` of run time pass, looking every `everyMs` (and more often while something looks wrong). Stops at the
   * first gate that fails for good. Answers with the last views.
   */
  async over(
    ms: number,
    everyMs: number,
    onLook?: (views: readonly GateView[], leftMs: number, pools?: PoolsView) => void,
  ): Promise<readonly GateView[]> {
    const { clock, signal } = this.#ctx;
    // A clock that is put forward watches nothing.
    const until = clock.monotonic() + ms;
    let lastLooks = LAST_LOOKS;
    for (;;) {
      const { views, pools } = await this.look();
      signal.throwIfAborted();
      const left = until - clock.monotonic();
      onLook?.(views, Math.max(0, left), pools);
      if (views.some((view) => view.verdict === 'fail')) return views;
      if (GateWatch.suspicious(views)) {
        await clock.sleep(SUSPICIOUS_EVERY_MS, signal);
        continue;
      }
      if (left <= 0) {
        // The verdict is the last look's: a pooler that was being replaced in that moment gets another one.
        if (overall(views) !== 'inconclusive' || lastLooks-- === 0) return views;
        await clock.sleep(SUSPICIOUS_EVERY_MS, signal);
        continue;
      }
      const began = performance.now();
      await clock.passTime(Math.min(everyMs, left), signal);
      const rest = LEAST_BETWEEN_LOOKS_MS - (performance.now() - began);
      if (rest > 0) await clock.sleep(rest, signal);
    }
  }

  async #measure(): Promise<Measured> {
    const ctx = this.#ctx;
    const notes: string[] = [];
    const pools = await this.#pools();
    const whole =
      pools !== undefined && pools.poolers.length > 0 && pools.poolers.every((pooler) => pooler.state === 'ok');
    const activity = await lookAtPostgres(ctx);
    const since = performance.now();
    const logs = await lookAtPoolerLogs(ctx, Math.max(1, (since - this.#logsSince) / 1000));
    this.#logsSince = since;
    for (const line of logs.lines ?? []) this.texts.add(line);
    const turns = await this.#turn();
    const response = await this.#responses(turns.ok ? turns.value : []);
    const longest = await this.#longest();
    const prometheus = await askPrometheus(ctx);
    const queries = whole && pools.queries !== undefined ? pools.queries : undefined;
    const failures = await this.#failures({
      turns,
      health: response,
      queries: queries === undefined ? undefined : queries - (this.#queriesBefore ?? queries),
      poolerErrors: logs.verdict === 'inconclusive' ? undefined : Number(logs.data?.errors ?? 0),
      http: prometheus,
    });
    if (queries !== undefined) this.#queriesBefore = queries;
    const switched = new Set(
      ctx
        .state()
        .services.filter((one) => one.state === 'pooled')
        .map((one) => one.name),
    );
    const seenByPoolers = whole
      ? pools.rows.reduce((sum, row) => sum + row.svActive + row.svIdle + row.svUsed + row.svTested + row.svLogin, 0)
      : undefined;
    // A pooler pod that is ending keeps its server connections until it is gone: PostgreSQL counts it, no console does.
    const watched = new Set(pools?.poolers.map((pooler) => pooler.pod));
    const inPostgres = activity.ok
      ? [...activity.value.byPooler].reduce((sum, [pod, count]) => sum + (watched.has(pod) ? count : 0), 0)
      : 0;
    const sample: GateSample = {
      at: new Date(ctx.clock.now()).toISOString(),
      ...(whole ? { pools: pools.rows } : {}),
      ...(logs.verdict === 'inconclusive' ? {} : { logErrors: Number(logs.data?.kinds ?? 0) }),
      ...(longest ? { longestQuery: longest } : {}),
      ...(response.time ? { responseTime: response.time } : {}),
      failures,
      ...(prometheus ? { prometheus: { agrees: prometheus.agrees, observed: prometheus.observed } } : {}),
      ...(activity.ok
        ? {
            directLeft: [...activity.value.direct].reduce(
              (sum, [service, count]) => sum + (switched.has(service) ? count : 0),
              0,
            ),
            ...(seenByPoolers === undefined
              ? {}
              : { pgConnections: { observed: inPostgres, expected: seenByPoolers } }),
          }
        : {}),
    };
    // A pooler that does not answer keeps its last rows for the screen, which says how old they are; a record can't.
    const fresh = new Set(pools?.poolers.filter((one) => one.state === 'ok').map((one) => one.pod));
    if (pools && fresh.size > 0) ctx.sampled({ at: sample.at, rows: pools.rows.filter((row) => fresh.has(row.pod)) });
    return { sample, ...(pools ? { pools } : {}), notes };
  }

  /** A fresh sample; a console that was just opened needs a second reading of its counters before it knows a rate. */
  async #pools(): Promise<PoolsView | undefined> {
    const { clock, pooler, signal } = this.#ctx;
    const pools = await pooler.sample();
    if (!pools) return undefined;
    const of = (row: PoolsView['rows'][number]) => `${row.pod} ${row.database}`;
    const rated = new Set(pools.rows.filter((row) => row.queriesPerSecond !== undefined).map(of));
    if (pools.rows.every((row) => rated.has(of(row)))) return pools;
    await clock.sleep(LEAST_BETWEEN_LOOKS_MS, signal);
    return pooler.sample();
  }

  /** The longest query of the watched services against what was normal for them before they moved. */
  async #longest(): Promise<GateSample['longestQuery']> {
    const use = await lookAtUse(this.#ctx);
    if (!use.ok) return undefined;
    keepPeaks(this.#ctx, use.value.busy);
    this.arrivals.note(use.value.clients, use.value.owners);
    const seen = { value: use.value.longest };
    const before = (this.#ctx.state().facts.longestQueryBefore ?? {}) as Record<string, number>;
    let worst = { observedMs: 0, limitMs: SLOW_AT_LEAST_MS };
    for (const service of this.#services) {
      const observedMs = seen.value.get(service) ?? 0;
      const limitMs = Math.max(SLOW_AT_LEAST_MS, 10 * (before[service] ?? 0));
      if (observedMs / limitMs > worst.observedMs / worst.limitMs) worst = { observedMs, limitMs };
    }
    return worst;
  }

  /** The pods of the services whose turn it is in this look, with the reason when they can't be listed. */
  async #turn(): Promise<Result<readonly Turn[]>> {
    const { fleet } = this.#ctx;
    const pods = await podsByWorkload(this.#ctx);
    if (!pods.ok) return pods;
    const turns = this.#services.flatMap((name) => {
      const service = fleet.service(name);
      const own = pods.value.get(name) ?? [];
      return service && own.length > 0 ? [{ service, pods: own }] : [];
    });
    if (turns.length === 0) return ok([]);
    const first = this.#next;
    this.#next += Math.min(SERVICES_PER_LOOK, turns.length);
    return ok(turns.slice(0, SERVICES_PER_LOOK).map((_, index) => turns[(first + index) % turns.length]!));
  }

  /** Health endpoints against their recorded baseline: the slowest against its limit, and how many requests were answered. */
  async #responses(turns: readonly Turn[]): Promise<{ time?: ResponseSample; asked: number; answered: number }> {
    const ctx = this.#ctx;
    const kept = (ctx.state().facts.responseBaseline ?? {}) as unknown as Record<string, ResponseBaseline>;
    let worst: ResponseSample | undefined;
    let asked = 0;
    let answered = 0;
    for (const { service, pods } of turns) {
      const pod = pods[this.#next % pods.length]!;
      if (!healthTarget(service, pod)) continue;
      let times = await measureResponse(ctx, service, pod, RESPONSES_PER_LOOK);
      asked += RESPONSES_PER_LOOK;
      answered += times.length;
      const before = kept[service.name];
      if (!before) continue;
      let sample = responseSample(service.name, times, before, ctx.plan.gates.responseTimeWithin);
      if (sample && sample.observedMs > sample.limitMs && sample.lowMs <= sample.limitMs) {
        const more = await measureResponse(ctx, service, pod, RESPONSES_IN_DOUBT);
        asked += RESPONSES_IN_DOUBT;
        answered += more.length;
        times = [...times, ...more].sort((a, b) => a - b);
        sample = responseSample(service.name, times, before, ctx.plan.gates.responseTimeWithin);
      }
      if (!sample) continue;
      if (!worst || sample.lowMs / sample.limitMs > worst.lowMs / worst.limitMs) worst = sample;
    }
    // Services without an endpoint have their turn too; then the newest times are still the ones of the look before.
    if (asked > 0) this.#responseTime = worst;
    return { ...(this.#responseTime ? { time: this.#responseTime } : {}), asked, answered };
  }

  /** What failed since the look before: requests of ours, and what poolers, services and Prometheus tell of the others'. */
  async #failures(told: {
    readonly turns: Result<readonly Turn[]>;
    readonly health: { readonly asked: number; readonly answered: number };
    readonly queries: number | undefined;
    readonly poolerErrors: number | undefined;
    readonly http: Awaited<ReturnType<typeof askPrometheus>>;
  }): Promise<FailureSample> {
    const counts: FailureSample['counts'][number][] = [];
    const unread: string[] = [];
    const { health, queries, poolerErrors, http } = told;
    if (health.asked > 0)
      counts.push({ source: 'health requests', failed: health.asked - health.answered, total: health.asked });
    if (poolerErrors === undefined) unread.push('the logs of the poolers');
    else counts.push({ source: 'queries by the logs of the poolers', failed: poolerErrors, total: queries ?? 0 });
    if (queries === undefined) unread.push('the counters of the poolers');
    let own = 0;
    const read = async ({ service, pods }: Turn) => {
      const now = performance.now();
      const since = this.#readSince.get(service.name) ?? this.#began;
      return { service, now, errors: await databaseErrorsOf(this.#ctx, service.name, pods, (now - since) / 1000) };
    };
    for (const { service, now, errors } of await Promise.all((told.turns.ok ? told.turns.value : []).map(read))) {
      if (!errors.ok) {
        unread.push(`the logs of ${service.name}`);
        continue;
      }
      this.#readSince.set(service.name, now);
      own += errors.value.length;
      for (const line of errors.value.slice(0, 5)) this.texts.add(line);
    }
    if (told.turns.ok) counts.push({ source: 'queries by the logs of the services', failed: own, total: queries ?? 0 });
    else unread.push('the pods of the services');
    if (http?.errorPercent !== undefined)
      counts.push({ source: 'HTTP requests by Prometheus', percent: http.errorPercent });
    if (http?.errorProblem !== undefined) unread.push(`HTTP errors in Prometheus (${http.errorProblem})`);
    return { counts, unread };
  }
}

function responseSample(
  service: string,
  times: readonly number[],
  before: ResponseBaseline,
  percent: number,
): ResponseSample | undefined {
  const observedMs = quantile(times, 0.5);
  const range = medianRange(times);
  if (observedMs === undefined || !range) return undefined;
  return {
    service,
    observedMs,
    lowMs: range.low,
    highMs: range.high,
    answers: times.length,
    baselineMs: before.medianMs,
    limitMs: responseLimit(before, percent),
  };
}

/** A service whose turn it is, with its pods. */
interface Turn {
  readonly service: PlanService;
  readonly pods: readonly KubeObject[];
}

/** The plan's gates for these services: without those that have nothing to ask here. */
export async function gatesFor(ctx: StepContext, services: readonly string[]): Promise<Gates> {
  const pods = await podsByWorkload(ctx);
  const asked = services.some((name) => {
    const service = ctx.fleet.service(name);
    const own = (pods.ok ? pods.value.get(name) : undefined) ?? [];
    return service !== undefined && own.some((pod) => healthTarget(service, pod) !== undefined);
  });
  const without = new Set<GateId>();
  if (pods.ok && !asked) without.add('response-time');
  if (!ctx.plan.pooler.prometheus) without.add('prometheus');
  return createGates(ctx.plan.gates, without);
}

/** The most server connections each service was ever seen to use, over the whole run: what its pool is sized by afterwards. */
function keepPeaks(ctx: StepContext, busy: ReadonlyMap<string, number>): void {
  const before = (ctx.state().facts.peakUse ?? {}) as Record<string, number>;
  const grown = [...busy].filter(([service, count]) => count > (before[service] ?? 0));
  if (grown.length > 0) ctx.fact('peakUse', { ...before, ...Object.fromEntries(grown) });
}

/** What a failed gate says on the failure screen. */
export function gateFailure(views: readonly GateView[], texts: Iterable<string>, service?: string) {
  const bad = views.filter((view) => view.verdict === 'fail');
  const lines = [...texts].slice(0, 20);
  return {
    cause: bad.map((view) => `${view.title}: ${view.observed}, limit ${view.limit}`).join('; '),
    hint: hintOf(bad.map((view) => view.id)),
    ...(service ? { service } : {}),
    logTail: lines,
    symptoms: [...lines, ...bad.map((view) => `${view.id} ${view.observed}`)],
  };
}

function hintOf(ids: readonly string[]): string {
  if (ids.includes('clients-waiting') || ids.includes('max-wait')) {
    return 'The pool is exhausted: look for transactions that stay open (idle in transaction) before making the pool larger; roll the service back meanwhile.';
  }
  if (ids.includes('query-time'))
    return 'Queries run far longer than the limit: roll the service back and look at what it asks (pg_stat_activity).';
  if (ids.includes('response-time'))
    return 'The service answers slower than before: roll it back and compare pool wait and query time.';
  if (ids.includes('log-errors')) return "The pooler's log names the error; the doctor knows the common ones.";
  if (ids.includes('direct-left'))
    return 'A switched service still goes past the pooler: look for a second address in it.';
  return 'Look at the gate that failed; roll back when in doubt.';
}
