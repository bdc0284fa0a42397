/**
 * Prometheus as a second source (guide 3.2), with the names that prometheus-community's exporter really has: the guide's
 * four exist in no version of it. Asked through a port-forward to the pod behind its Service.
 */
import { getFromPod } from '../kube/pod-http.ts';
import { listOf, ref } from '../kube/refs.ts';
import type { Kube } from '../kube/types.ts';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';

export interface PrometheusPlace {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
}

export interface PrometheusReading {
  /** Pooler pods that Prometheus scrapes and that answer the exporter. */
  readonly up: number;
  readonly clientsWaiting: number;
  readonly serversActive: number;
  readonly maxWaitMs: number;
  /** Mean over the last minute; absent without traffic. */
  readonly queryTimeMs?: number;
}

/** PromQL by what it tells; `database` is the alias in `[databases]`. */
export function promQueries(database: string): Readonly<Record<keyof PrometheusReading, string>> {
  const of = `{database=${JSON.stringify(database)}}`;
  return {
    up: 'sum(pgbouncer_up)',
    clientsWaiting: `sum(pgbouncer_pools_client_waiting_connections${of})`,
    serversActive: `sum(pgbouncer_pools_server_active_connections${of})`,
    maxWaitMs: `1000 * max(pgbouncer_pools_client_maxwait_seconds${of})`,
    queryTimeMs: `1000 * sum(rate(pgbouncer_stats_totals_queries_duration_seconds_total${of}[1m])) / sum(rate(pgbouncer_stats_totals_queries_pooled_total${of}[1m]))`,
  };
}

/** The number of an instant query's answer; undefined when there is no series, or no number (0/0 without traffic). */
export function parsePrometheus(body: string): Result<number | undefined> {
  let answer: { status?: string; error?: string; data?: { result?: { value?: [number, string] }[] } };
  try {
    answer = JSON.parse(body) as typeof answer;
  } catch {
    return fail('query-failed', `this is no answer of Prometheus: ${sanitiseLine(body, 80)}`);
  }
  if (answer.status !== 'success')
    return fail('query-failed', `Prometheus: ${sanitiseLine(answer.error ?? answer.status ?? 'no status', 200)}`);
  const value = Number(answer.data?.result?.[0]?.value?.[1] ?? Number.NaN);
  return ok(Number.isFinite(value) ? value : undefined);
}

/** Asks all of it. `not-found` when no pod stands behind the Service, `query-failed` when it knows no pooler. */
export async function readPrometheus(
  kube: Kube,
  at: PrometheusPlace,
  database: string,
  signal?: AbortSignal,
): Promise<Result<PrometheusReading>> {
  const pod = await podOf(kube, at, signal);
  if (!pod.ok) return pod;
  const values: Partial<Record<keyof PrometheusReading, number>> = {};
  for (const [name, query] of Object.entries(promQueries(database)) as [keyof PrometheusReading, string][]) {
    const answer = await getFromPod(kube, pod.value, `/api/v1/query?query=${encodeURIComponent(query)}`, {
      ...(signal ? { signal } : {}),
      timeoutMs: 5000,
    });
    if (!answer.ok) return answer;
    const value = parsePrometheus(answer.value.body);
    if (!value.ok) return value;
    if (value.value !== undefined) values[name] = value.value;
  }
  const { up, clientsWaiting, serversActive, maxWaitMs, queryTimeMs } = values;
  if (up === undefined || clientsWaiting === undefined || serversActive === undefined || maxWaitMs === undefined) {
    return fail('query-failed', 'Prometheus has no series of the exporter for this database', {
      next: ['Is the exporter scraped? Set pooler.serviceMonitor, or a scrape configuration for port 9127.'],
    });
  }
  return ok({ up, clientsWaiting, serversActive, maxWaitMs, ...(queryTimeMs === undefined ? {} : { queryTimeMs }) });
}

async function podOf(
  kube: Kube,
  { namespace, service, port }: PrometheusPlace,
  signal?: AbortSignal,
): Promise<Result<{ namespace: string; name: string; port: number }>> {
  const options = signal ? { signal } : {};
  const found = await kube.get(ref('Service', namespace, service), options);
  if (!found.ok) return found;
  const ports: { port: number; targetPort?: number | string }[] = found.value.spec?.ports ?? [];
  const target = ports.find((one) => one.port === port)?.targetPort ?? port;
  const labelSelector = Object.entries((found.value.spec?.selector ?? {}) as Record<string, string>)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  if (labelSelector === '') return fail('not-found', `the Service ${service} selects no pods`);
  const pods = await kube.list(listOf('Pod', namespace, { labelSelector }), options);
  if (!pods.ok) return pods;
  const pod = pods.value.items.find((one) => one.status?.phase === 'Running' && !one.metadata.deletionTimestamp);
  if (!pod) return fail('not-found', `no pod runs behind the Service ${service} in ${namespace}`);
  const named: { name?: string; containerPort: number }[] = (pod.spec?.containers ?? []).flatMap(
    (one: { ports?: { name?: string; containerPort: number }[] }) => one.ports ?? [],
  );
  const number = typeof target === 'number' ? target : named.find((one) => one.name === target)?.containerPort;
  return ok({ namespace, name: pod.metadata.name, port: number ?? port });
}
