/**
 * The looks that several steps share: pods, logs, health, pools, PostgreSQL. Each answers with what was seen; none
 * decides more than its own verdict.
 */

import { ownerOf } from '../kube/owners.ts';
import { getFromPod } from '../kube/pod-http.ts';
import { listOf } from '../kube/refs.ts';
import type { KubeObject } from '../kube/types.ts';
import type { PodOwner, PoolerClients } from '../pgbouncer/console-types.ts';
import { rolesOf } from '../plan/logins.ts';
import type { PlanService } from '../plan/schema.ts';
import type { Activity } from '../postgres/types.ts';
import { ok, type Result } from '../result.ts';
import type { Verdict } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { sideBySide } from '../side-by-side.ts';
import { type Fleet, isOver } from './fleet.ts';
import { healthTarget } from './health-target.ts';
import type { LookContext, StepContext } from './types.ts';

export interface Look {
  readonly verdict: Verdict;
  readonly observed: string;
  readonly expected?: string;
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
  /** Lines worth showing when it failed. */
  readonly lines?: readonly string[];
}

export const couldNot = (why: string): Look => ({ verdict: 'inconclusive', observed: `could not measure: ${why}` });

/** Pods that are neither over nor on their way out, by workload. After a drained rollout a workload has only new ones. */
export async function podsByWorkload(ctx: StepContext): Promise<Result<ReadonlyMap<string, KubeObject[]>>> {
  const listed = await ctx.kube.list(listOf('Pod', ctx.fleet.namespace), { signal: ctx.signal });
  return listed.ok ? ok(liveByWorkload(ctx.fleet, listed.value.items)) : listed;
}

/** Pods that neither end nor are over, by the workload they belong to: a service of the plan, else a Deployment. */
export function liveByWorkload(fleet: Fleet, items: readonly KubeObject[]): Map<string, KubeObject[]> {
  const pods = new Map<string, KubeObject[]>();
  for (const pod of items) {
    const owner = ownerOf(pod);
    if (owner === undefined || fleet.refOf(owner.name).kind !== owner.kind) continue;
    if (pod.metadata.deletionTimestamp !== undefined || isOver(pod)) continue;
    pods.set(owner.name, [...(pods.get(owner.name) ?? []), pod]);
  }
  return pods;
}

export async function podsOf(ctx: StepContext, service: string): Promise<Result<KubeObject[]>> {
  const all = await podsByWorkload(ctx);
  return all.ok ? ok(all.value.get(service) ?? []) : all;
}

/** How many services, and of each how many pods, are looked at side by side. */
const SERVICES_AT_A_TIME = 4;
const PODS_AT_A_TIME = 3;

/**
 * Looks at services, so many side by side, with the pods of each as they were when those of its group were begun: one LIST
 * for a group instead of one for each, and none older than one group takes. The results are in the order of the names.
 */
export async function lookAtServices<T>(
  ctx: StepContext,
  names: readonly string[],
  look: (name: string, pods: Result<KubeObject[]>) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (let from = 0; from < names.length; from += SERVICES_AT_A_TIME) {
    const group = names.slice(from, from + SERVICES_AT_A_TIME);
    const all = await podsByWorkload(ctx);
    const own = (name: string) => (all.ok ? ok(all.value.get(name) ?? []) : all);
    results.push(...(await Promise.all(group.map((name) => look(name, own(name))))));
  }
  return results;
}

/**
 * Why a service has no pod to look at, when that is its way: a CronJob between two Jobs, a workload scaled to zero. `known`:
 * its pods, when they were listed just now.
 */
export async function whyNoPods(
  ctx: StepContext,
  service: string,
  known?: Result<readonly KubeObject[]>,
): Promise<string | undefined> {
  const where = ctx.fleet.refOf(service);
  if (where.kind === 'CronJob')
    return `${service} is a CronJob: its next Job uses the pooler, nothing of it runs now; kubectl create job -n ${where.namespace} --from=cronjob/${where.name} NAME would show it`;
  if (where.kind === 'DaemonSet') return undefined;
  const pods = known ?? (await podsOf(ctx, service));
  if (!pods.ok || pods.value.length > 0) return undefined;
  const live = await ctx.kube.get(where, { signal: ctx.signal });
  return live.ok && live.value.spec?.replicas === 0 ? `${service} has no replicas: no pod runs it now` : undefined;
}

/** Of these services, those that have pods to look at; and the reasons of the others. */
export async function withPods(
  ctx: StepContext,
  services: readonly string[],
): Promise<{ readonly running: string[]; readonly idle: string[] }> {
  const running: string[] = [];
  const idle: string[] = [];
  const reasons = await lookAtServices(ctx, services, (service, pods) => whyNoPods(ctx, service, pods));
  for (const [index, service] of services.entries()) {
    const why = reasons[index];
    if (why === undefined) running.push(service);
    else idle.push(why);
  }
  return { running, idle };
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

/** `:8080/ready`, or nothing when the service has no endpoint that is known. */
export function endpointText(service: PlanService, pods: readonly KubeObject[]): string | undefined {
  const target = pods[0] && healthTarget(service, pods[0]);
  return target && `:${target.port}${target.path}`;
}

/** Health of each pod, asked at the pod itself. A service without an endpoint is judged by the readiness of its pods. */
export async function lookAtHealth(ctx: StepContext, service: PlanService, pods: readonly KubeObject[]): Promise<Look> {
  const targets = pods.map((pod) => healthTarget(service, pod));
  if (targets.includes(undefined)) return byReadiness(service.name, pods);
  const answers = await sideBySide(pods, PODS_AT_A_TIME, async (pod, index) => {
    const { port, path } = targets[index]!;
    const name: string = pod.metadata.name;
    const where = { namespace: ctx.fleet.namespace, name, port };
    const answer = await getFromPod(ctx.kube, where, path, { signal: ctx.signal, timeoutMs: 5000 });
    if (!answer.ok) return { pod: name, ok: false, text: answer.error.message, ms: 0 };
    const { status, body, ms } = answer.value;
    const said = healthWord(body);
    // As the kubelet judges: a redirect is an answer too.
    const healthy = status >= 200 && status < 400 && said !== 'unhealthy';
    return { pod: name, ok: healthy, text: `HTTP ${status} ${sanitiseLine(body, 120)}`, ms };
  });
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

function byReadiness(service: string, pods: readonly KubeObject[]): Look {
  const probed = pods.every((pod) =>
    (pod.spec?.containers ?? []).some((one: { readinessProbe?: object }) => one.readinessProbe !== undefined),
  );
  if (!probed) return couldNot(`${service} has neither a health endpoint nor a readiness probe`);
  const ready = pods.filter(podReady).length;
  return {
    verdict: ready === pods.length ? 'pass' : 'fail',
    observed: `no HTTP endpoint is known; ${ready} of ${pods.length} pods Ready by their own probe`,
    expected: `${pods.length} of ${pods.length} Ready`,
    data: { ready, pods: pods.length },
  };
}

/** `{"status":"healthy"}` is the guide's form; an endpoint that says nothing known is judged by its status code. */
function healthWord(body: string): 'healthy' | 'unhealthy' | 'silent' {
  try {
    const status = (JSON.parse(body) as { status?: unknown } | null)?.status;
    if (typeof status !== 'string') return 'silent';
    if (/^(healthy|ok|up|pass|passing|alive|ready|serving)$/i.test(status)) return 'healthy';
    return /^(unhealthy|down|fail|failed|failing|error|critical|out_of_service|not[_ -]?(?:ready|serving))$/i.test(
      status,
    )
      ? 'unhealthy'
      : 'silent';
  } catch {
    return 'silent';
  }
}

/** Who is connected to PostgreSQL how, with the pods as they are now, or as they were `seen`. */
export async function lookAtPostgres(ctx: LookContext, seen?: readonly KubeObject[]): Promise<Result<Activity>> {
  const owners = await ctx.fleet.podOwners(ctx.signal, seen);
  if (!owners.ok) return owners;
  return ctx.pooler.activity(owners.value);
}

/**
 * The longest query that each service runs at this moment, ms. A session past the pooler is told by its address; one
 * through the pooler by `SHOW SERVERS` (server's PostgreSQL pid, linked client) and `SHOW CLIENTS` (client's address). An
 * average moves when slow queries end; this is seen while they run.
 */
export async function longestQueries(ctx: StepContext): Promise<Result<ReadonlyMap<string, number>>> {
  const seen = await lookAtUse(ctx);
  return seen.ok ? ok(seen.value.longest) : seen;
}

export interface Use {
  readonly longest: ReadonlyMap<string, number>;
  readonly busy: ReadonlyMap<string, number>;
  readonly clients: PoolerClients;
  readonly owners: ReadonlyMap<string, PodOwner>;
}

/** The longest queries, and how many server connections each service uses at this moment through the poolers. */
export async function lookAtUse(ctx: StepContext): Promise<Result<Use>> {
  const eyes = await ctx.pooler.inspectors();
  if (!eyes.ok) return eyes;
  const owners = await ctx.fleet.podOwners(ctx.signal);
  if (!owners.ok) return owners;
  const seen = await ctx.pooler.clients(ctx.signal);
  const clients = seen.ok ? seen.value : { poolers: [], silent: [ctx.plan.pooler.name] };
  const addresses = addressesOfServers(clients);
  const longest = new Map<string, number>();
  for (const { role, session } of eyes.value) {
    const rows = await session.query(
      `select pid, host(client_addr) as address,
              (extract(epoch from clock_timestamp() - query_start) * 1000)::float8 as ms
         from pg_stat_activity
        where usename = any($1) and state = 'active' and pid <> pg_backend_pid() and backend_type = 'client backend'`,
      [role === undefined ? rolesOf(ctx.plan) : [role]],
    );
    if (!rows.ok) return rows;
    for (const row of rows.value) {
      const address = addresses.get(Number(row.pid)) ?? String(row.address ?? '');
      const service = owners.value.get(address)?.service;
      if (service) longest.set(service, Math.max(longest.get(service) ?? 0, Number(row.ms)));
    }
  }
  const busy = new Map<string, number>();
  for (const address of addresses.values()) {
    const service = owners.value.get(address)?.service;
    if (service) busy.set(service, (busy.get(service) ?? 0) + 1);
  }
  return ok({ longest, busy, clients, owners: owners.value });
}

/** PostgreSQL's pid of each busy server connection of the poolers → address of the client that uses it now. */
function addressesOfServers(seen: PoolerClients): ReadonlyMap<number, string> {
  const addresses = new Map<number, string>();
  for (const { clients, servers } of seen.poolers) {
    const byPointer = new Map(clients.map((row) => [String(row.ptr), String(row.addr ?? '')]));
    for (const server of servers) {
      const address = server.link ? byPointer.get(String(server.link)) : undefined;
      if (address) addresses.set(Number(server.remote_pid), address);
    }
  }
  return addresses;
}
