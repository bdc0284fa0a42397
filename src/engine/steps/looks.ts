/**
 * The looks that several steps share: pods, logs, health, pools, PostgreSQL. Each answers with what was seen; none
 * decides more than its own verdict.
 */

import { getFromPod, openPodHttp } from '../kube/pod-http.ts';
import { listOf } from '../kube/refs.ts';
import type { KubeObject } from '../kube/types.ts';
import { scanPoolerLog } from '../pgbouncer/log-scan.ts';
import type { PlanService } from '../plan/schema.ts';
import type { Activity } from '../postgres/types.ts';
import { ok, type Result } from '../result.ts';
import type { Verdict } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { workloadOf } from './fleet.ts';
import type { StepContext } from './types.ts';

export interface Look {
  readonly verdict: Verdict;
  readonly observed: string;
  readonly expected?: string;
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
  /** Lines worth showing when it failed. */
  readonly lines?: readonly string[];
}

export const couldNot = (why: string): Look => ({ verdict: 'inconclusive', observed: `could not measure: ${why}` });

/** Pods that are not on their way out, by workload. After a drained rollout a workload has only new ones. */
export async function podsByWorkload(ctx: StepContext): Promise<Result<ReadonlyMap<string, KubeObject[]>>> {
  const listed = await ctx.kube.list(listOf('Pod', ctx.fleet.namespace), { signal: ctx.signal });
  if (!listed.ok) return listed;
  const pods = new Map<string, KubeObject[]>();
  for (const pod of listed.value.items) {
    const workload = workloadOf(pod);
    if (workload === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    pods.set(workload, [...(pods.get(workload) ?? []), pod]);
  }
  return ok(pods);
}

export async function podsOf(ctx: StepContext, service: string): Promise<Result<KubeObject[]>> {
  const all = await podsByWorkload(ctx);
  return all.ok ? ok(all.value.get(service) ?? []) : all;
}

export const podReady = (pod: KubeObject): boolean =>
  (pod.status?.conditions ?? []).some(
    (one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True',
  );

export const restartsOf = (pod: KubeObject): number =>
  (pod.status?.containerStatuses ?? []).reduce(
    (sum: number, one: { restartCount?: number }) => sum + (one.restartCount ?? 0),
    0,
  );

/** Checklist 1: every pod Running and Ready. Completed pods of a job-like workload don't count. */
export function lookAtPods(pods: readonly KubeObject[], service: string): Look {
  const ready = pods.filter((pod) => pod.status?.phase === 'Running' && podReady(pod)).length;
  const restarts = pods.reduce((sum, pod) => sum + restartsOf(pod), 0);
  if (pods.length === 0)
    return { verdict: 'inconclusive', observed: `${service} has no pod`, expected: 'at least one' };
  return {
    verdict: ready === pods.length ? 'pass' : 'fail',
    observed: `${ready}/${pods.length} Running and Ready, ${restarts} restarts`,
    expected: `${pods.length}/${pods.length}`,
    data: { ready, pods: pods.length, restarts },
  };
}

// The guide greps for "error". Words that only look like one ("error_rate=0", "errors: 0") are not errors.
const ERROR_LINE =
  /\b(error|fatal|panic|exception|traceback|econnrefused|connection (?:refused|reset|timed out)|timed? ?out)\b/i;
const NOT_AN_ERROR =
  /\b(?:errors?|failures?|error_?(?:rate|count))["']?\s*[=:]\s*["']?0(?:\.0+)?\b|\bno errors?\b|\b0 errors?\b/i;

export function errorLines(lines: readonly string[]): string[] {
  return lines
    .filter((line) => ERROR_LINE.test(line) && !NOT_AN_ERROR.test(line))
    .map((line) => sanitiseLine(line, 300));
}

/** The logs of the given pods (every container) since a moment; counts lines that look like errors. */
export async function lookAtLogs(ctx: StepContext, pods: readonly KubeObject[], sinceSeconds?: number): Promise<Look> {
  let lines = 0;
  const bad: string[] = [];
  for (const pod of pods) {
    for (const container of pod.spec?.containers ?? []) {
      const log = await ctx.kube.logs(ctx.fleet.namespace, pod.metadata.name, {
        container: container.name,
        tail: 500,
        ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
        signal: ctx.signal,
      });
      if (!log.ok) return couldNot(log.error.message);
      const own = log.value.split('\n').filter((line) => line !== '');
      lines += own.length;
      bad.push(...errorLines(own));
      ctx.logLines(
        `${pod.metadata.name}/${container.name}`,
        own.slice(-5).map((line) => sanitiseLine(line, 400)),
      );
    }
  }
  return {
    verdict: bad.length === 0 ? 'pass' : 'fail',
    observed: bad.length === 0 ? `0 of ${lines} lines` : `${bad.length} of ${lines} lines: ${bad[0]}`,
    expected: 'no error lines',
    data: { errors: bad.length, lines },
    lines: bad.slice(-20),
  };
}

/** Health of each pod, asked at the pod itself. */
export async function lookAtHealth(ctx: StepContext, service: PlanService, pods: readonly KubeObject[]): Promise<Look> {
  const { port, path } = service.health;
  const answers: { pod: string; ok: boolean; text: string; ms: number }[] = [];
  for (const pod of pods) {
    const answer = await getFromPod(ctx.kube, { namespace: ctx.fleet.namespace, name: pod.metadata.name, port }, path, {
      signal: ctx.signal,
      timeoutMs: 5000,
    });
    if (!answer.ok) {
      answers.push({ pod: pod.metadata.name, ok: false, text: answer.error.message, ms: 0 });
      continue;
    }
    const { status, body, ms } = answer.value;
    const said = healthWord(body);
    const healthy = status >= 200 && status < 300 && said !== 'unhealthy';
    answers.push({ pod: pod.metadata.name, ok: healthy, text: `HTTP ${status} ${sanitiseLine(body, 120)}`, ms });
  }
  if (answers.length === 0) return couldNot(`${service.name} has no pod`);
  const bad = answers.filter((one) => !one.ok);
  return {
    verdict: bad.length === 0 ? 'pass' : 'fail',
    observed:
      bad.length === 0
        ? `${answers.length} of ${answers.length} pods healthy, ${Math.round(Math.max(...answers.map((one) => one.ms)))} ms at most`
        : `${bad[0]!.pod}: ${bad[0]!.text}`,
    expected: 'HTTP 2xx from every pod',
    data: { healthy: answers.length - bad.length, pods: answers.length },
    lines: bad.map((one) => `${one.pod}: ${one.text}`),
  };
}

/** `{"status":"healthy"}` is the guide's form; an endpoint that says nothing is judged by its status code. */
function healthWord(body: string): 'healthy' | 'unhealthy' | 'silent' {
  try {
    const status = (JSON.parse(body) as { status?: unknown } | null)?.status;
    if (typeof status !== 'string') return 'silent';
    return /^(healthy|ok|up|pass|passing|alive|ready|serving)$/i.test(status) ? 'healthy' : 'unhealthy';
  } catch {
    return 'silent';
  }
}

/** Response times of a service's health endpoint at one of its pods, one request after the other. Milliseconds, sorted. */
export async function measureResponse(
  ctx: StepContext,
  service: PlanService,
  pod: KubeObject,
  count: number,
): Promise<number[]> {
  const times: number[] = [];
  const http = await openPodHttp(
    ctx.kube,
    { namespace: ctx.fleet.namespace, name: pod.metadata.name, port: service.health.port },
    { signal: ctx.signal },
  );
  if (!http.ok) return times;
  try {
    // The first answer pays for the connection inside the pod; it is asked for and not counted.
    for (let i = 0; i <= count; i++) {
      const answer = await http.value.get(service.health.path);
      if (!answer.ok) break;
      if (i > 0 && answer.value.status < 500) times.push(answer.value.ms);
    }
  } finally {
    http.value.close();
  }
  return times.sort((a, b) => a - b);
}

export const quantile = (sorted: readonly number[], q: number): number | undefined =>
  sorted.length === 0 ? undefined : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

/** The pooler's own logs, every pod, classified (the guide's grep for `query_timeout` never matches the real text). */
export async function lookAtPoolerLogs(
  ctx: StepContext,
  sinceSeconds: number,
): Promise<Look & { readonly ids: readonly string[] }> {
  const pods = await ctx.pooler.pods(ctx.signal);
  if (!pods.ok) return { ...couldNot(pods.error.message), ids: [] };
  if (pods.value.length === 0) return { ...couldNot('no pooler pod runs'), ids: [] };
  let lines = 0;
  const ids = new Set<string>();
  const bad: string[] = [];
  for (const pod of pods.value) {
    const log = await ctx.kube.logs(ctx.fleet.namespace, pod.name, {
      container: 'pgbouncer',
      tail: 2000,
      sinceSeconds: Math.max(1, Math.ceil(sinceSeconds)),
      signal: ctx.signal,
    });
    if (!log.ok) return { ...couldNot(log.error.message), ids: [] };
    const scan = scanPoolerLog(log.value.split('\n').filter((line) => line !== ''));
    lines += scan.lines;
    for (const entry of scan.entries.filter((one) => one.severity !== 'info')) {
      ids.add(entry.id);
      bad.push(`${pod.name}: ${entry.text}${entry.count > 1 ? ` (${entry.count} times)` : ''}`);
    }
  }
  return {
    verdict: bad.length === 0 ? 'pass' : 'fail',
    observed:
      bad.length === 0
        ? `0 of ${lines} lines of ${pods.value.length} poolers`
        : `${bad.length} kinds of error: ${bad[0]}`,
    expected: 'no errors',
    data: { lines, kinds: ids.size },
    lines: bad.slice(0, 20),
    ids: [...ids],
  };
}

/** Who is connected to PostgreSQL how, with the pods as they are now. */
export async function lookAtPostgres(ctx: StepContext): Promise<Result<Activity>> {
  const owners = await ctx.fleet.podOwners(ctx.signal);
  if (!owners.ok) return owners;
  return ctx.pooler.activity(owners.value);
}

/**
 * The longest query that each service runs at this moment, ms. A session past the pooler is told by its address; one
 * through the pooler by `SHOW SERVERS` (server's PostgreSQL pid, linked client) and `SHOW CLIENTS` (client's address). An
 * average moves when slow queries end; this is seen while they run.
 */
export async function longestQueries(ctx: StepContext): Promise<Result<ReadonlyMap<string, number>>> {
  const session = await ctx.pooler.postgres();
  if (!session.ok) return session;
  const owners = await ctx.fleet.podOwners(ctx.signal);
  if (!owners.ok) return owners;
  const clients = await clientsOfServers(ctx);
  const rows = await session.value.query(
    `select pid, host(client_addr) as address,
            (extract(epoch from clock_timestamp() - query_start) * 1000)::float8 as ms
       from pg_stat_activity
      where usename = $1 and state = 'active' and pid <> pg_backend_pid() and backend_type = 'client backend'`,
    [ctx.plan.postgres.role],
  );
  if (!rows.ok) return rows;
  const longest = new Map<string, number>();
  for (const row of rows.value) {
    const address = clients.get(Number(row.pid)) ?? String(row.address ?? '');
    const service = owners.value.get(address)?.service;
    if (service) longest.set(service, Math.max(longest.get(service) ?? 0, Number(row.ms)));
  }
  return ok(longest);
}

/** PostgreSQL's pid of each busy server connection of the poolers → address of the client that uses it now. */
async function clientsOfServers(ctx: StepContext): Promise<ReadonlyMap<number, string>> {
  const addresses = new Map<number, string>();
  const pods = await ctx.pooler.pods(ctx.signal);
  for (const pod of pods.ok ? pods.value.filter((one) => one.ready) : []) {
    const console = await ctx.pooler.console(pod.name);
    const servers = await console?.show('SERVERS');
    const clients = await console?.show('CLIENTS');
    if (!servers?.ok || !clients?.ok) continue;
    const byPointer = new Map(clients.value.map((row) => [String(row.ptr), String(row.addr ?? '')]));
    for (const server of servers.value) {
      const address = server.link ? byPointer.get(String(server.link)) : undefined;
      if (address) addresses.set(Number(server.remote_pid), address);
    }
  }
  return addresses;
}
