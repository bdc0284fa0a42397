/**
 * Prometheus as a second source (guide 3.2), with the names that prometheus-community's exporter really has: the guide's
 * four exist in no version of it. Asked through a port-forward to the pod behind its Service.
 */
import { getFromPod } from '../kube/pod-http.ts';
import { listOf, ref } from '../kube/refs.ts';
import { portInPod, targetPortOf } from '../kube/service-ports.ts';
import type { Kube } from '../kube/types.ts';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';

export interface PrometheusPlace {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  /** PromQL that answers the share of failed HTTP requests of the services, 0 to 1. */
  readonly errorRate?: string;
}

export interface PrometheusReading {
  /** Pooler pods that Prometheus scrapes and that answer the exporter. */
  readonly up: number;
  readonly clientsWaiting: number;
  readonly serversActive: number;
  readonly maxWaitMs: number;
  /** Mean over the last minute; absent without traffic. */
  readonly queryTimeMs?: number;
  /** Of `errorRate`; absent without a query or without traffic. */
  readonly errorRatio?: number;
  /** Why `errorRate` has no answer: refused, or no series at all. */
  readonly errorProblem?: string;
}

type Metric = Exclude<keyof PrometheusReading, 'errorRatio' | 'errorProblem'>;

/** PromQL by what it tells; `databases` are the aliases in `[databases]`. */
export function promQueries(databases: readonly string[]): Readonly<Record<Metric, string>> {
  const [only, ...more] = databases;
  const quoted = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const of =
    more.length === 0
      ? `{database=${JSON.stringify(only)}}`
      : `{database=~${JSON.stringify(databases.map(quoted).join('|'))}}`;
  return {
    up: 'sum(pgbouncer_up)',
    clientsWaiting: `sum(pgbouncer_pools_client_waiting_connections${of})`,
    serversActive: `sum(pgbouncer_pools_server_active_connections${of})`,
    maxWaitMs: `1000 * max(pgbouncer_pools_client_maxwait_seconds${of})`,
    queryTimeMs: `1000 * sum(rate(pgbouncer_stats_totals_queries_duration_seconds_total${of}[1m])) / sum(rate(pgbouncer_stats_totals_queries_pooled_total${of}[1m]))`,
  };
}

/** An instant query's answer: how many series, and the first one's number; none when it is no number (0/0 without traffic). */
export function parsePrometheus(body: string): Result<{ readonly series: number; readonly value?: number }> {
  let answer: { status?: string; error?: string; data?: { result?: { value?: [number, string] }[] } };
  try {
    answer = JSON.parse(body) as typeof answer;
  } catch {
    return fail('query-failed', `this is no answer of Prometheus: ${sanitiseLine(body, 80)}`);
  }
  if (answer.status !== 'success')
    return fail('query-failed', `Prometheus: ${sanitiseLine(answer.error ?? answer.status ?? 'no status', 200)}`);
  const result = answer.data?.result ?? [];
  const value = Number(result[0]?.value?.[1] ?? Number.NaN);
  return ok({ series: result.length, ...(Number.isFinite(value) ? { value } : {}) });
}

/** Asks all of it. `not-found` when no pod stands behind the Service, `query-failed` when it knows no pooler. */
export async function readPrometheus(
  kube: Kube,
  at: PrometheusPlace,
  databases: readonly string[],
  signal?: AbortSignal,
): Promise<Result<PrometheusReading>> {
  const pod = await podOf(kube, at, signal);
  if (!pod.ok) return pod;
  const ask = async (query: string) => {
    const answer = await getFromPod(kube, pod.value, `/api/v1/query?query=${encodeURIComponent(query)}`, {
      ...(signal ? { signal } : {}),
      timeoutMs: 5000,
    });
    return answer.ok ? parsePrometheus(answer.value.body) : answer;
  };
  const values: Partial<Record<Metric, number>> = {};
  for (const [name, query] of Object.entries(promQueries(databases)) as [Metric, string][]) {
    const answer = await ask(query);
    if (!answer.ok) return answer;
    if (answer.value.value !== undefined) values[name] = answer.value.value;
  }
  const { up, clientsWaiting, serversActive, maxWaitMs, queryTimeMs } = values;
  if (up === undefined || clientsWaiting === undefined || serversActive === undefined || maxWaitMs === undefined) {
    return fail('query-failed', 'Prometheus has no series of the exporter for this database', {
      next: ['Is the exporter scraped? Set pooler.serviceMonitor, or a scrape configuration for port 9127.'],
    });
  }
  const http = at.errorRate === undefined ? undefined : await ask(at.errorRate);
  const problem =
    http && (http.ok ? (http.value.series === 0 ? 'the query has no series' : undefined) : http.error.message);
  return ok({
    up,
    clientsWaiting,
    serversActive,
    maxWaitMs,
    ...(queryTimeMs === undefined ? {} : { queryTimeMs }),
    ...(http?.ok && http.value.value !== undefined ? { errorRatio: http.value.value } : {}),
    ...(problem === undefined ? {} : { errorProblem: problem }),
  });
}

async function podOf(
  kube: Kube,
  { namespace, service, port }: PrometheusPlace,
  signal?: AbortSignal,
): Promise<Result<{ namespace: string; name: string; port: number }>> {
  const options = signal ? { signal } : {};
  const found = await kube.get(ref('Service', namespace, service), options);
  if (!found.ok) return found;
  const target = targetPortOf(found.value, port) ?? port;
  const labelSelector = Object.entries((found.value.spec?.selector ?? {}) as Record<string, string>)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  if (labelSelector === '') return fail('not-found', `the Service ${service} selects no pods`);
  const pods = await kube.list(listOf('Pod', namespace, { labelSelector }), options);
  if (!pods.ok) return pods;
  const pod = pods.value.items.find((one) => one.status?.phase === 'Running' && !one.metadata.deletionTimestamp);
  if (!pod) return fail('not-found', `no pod runs behind the Service ${service} in ${namespace}`);
  return ok({ namespace, name: pod.metadata.name, port: portInPod(pod, target) ?? port });
}
