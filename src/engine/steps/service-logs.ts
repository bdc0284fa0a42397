/** What the services themselves say in their logs, before and after their switch. */
import type { KubeObject } from '../kube/types.ts';
import { ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { sideBySide } from '../side-by-side.ts';
import { errorLines, newComplaints, newDatabaseErrors, shapesOf } from './log-lines.ts';
import { couldNot, type Look, liveByWorkload, podReady } from './looks.ts';
import type { StepContext } from './types.ts';

/** Containers that only carry traffic or credentials; their words are not the service's. */
const BYSTANDER =
  /^(istio-proxy|istio-init|linkerd-proxy|envoy|envoy-sidecar|vault-agent|consul-dataplane|cloud-sql-proxy|datadog-agent|otel.*|fluent-?bit|filebeat|promtail)$/;

/** The containers of a pod whose log tells about the database: those that were switched, else all but known side-cars. */
export function talkingContainers(ctx: Pick<StepContext, 'fleet'>, service: string, pod: KubeObject): string[] {
  const names: string[] = (pod.spec?.containers ?? []).map((one: { name: string }) => one.name);
  const switched = new Set(ctx.fleet.original(service)?.sources.map((one) => one.container) ?? []);
  const own = names.filter((name) => switched.has(name));
  if (own.length > 0) return own;
  const main: unknown = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  if (typeof main === 'string' && names.includes(main)) return [main];
  const talking = names.filter((name) => !BYSTANDER.test(name));
  return talking.length > 0 ? talking : names;
}

const HEAD_BYTES = 128 * 1024;
const LOGS_AT_A_TIME = 3;

/**
 * What a service complained about before it was switched: one of its pods, from the start of its log, because that is
 * what the new pods' logs will begin with. Kept as digests of shapes; without it every complaint counts as new.
 */
export async function rememberComplaints(
  ctx: StepContext,
  service: string,
  pods: readonly KubeObject[],
): Promise<void> {
  if (ctx.state().facts[complaintsKey(service)] !== undefined) return;
  const pod = liveByWorkload(ctx.fleet, pods).get(service)?.find(podReady);
  if (!pod) return;
  const logs = await sideBySide(talkingContainers(ctx, service, pod), LOGS_AT_A_TIME, (container) =>
    ctx.kube.logs(ctx.fleet.namespace, pod.metadata.name, { container, limitBytes: HEAD_BYTES, signal: ctx.signal }),
  );
  const shapes = logs.flatMap((log) => (log.ok ? shapesOf(log.value.split('\n')) : []));
  ctx.fact(complaintsKey(service), [...new Set(shapes)]);
}

const complaintsKey = (service: string): string => `complaints.${service}`;

const complaintsBefore = (ctx: StepContext, service: string): ReadonlySet<string> =>
  new Set((ctx.state().facts[complaintsKey(service)] as string[] | undefined) ?? []);

/** The newest lines of each container of the given pods that talks about the database. */
async function linesOf(
  ctx: StepContext,
  service: string,
  pods: readonly KubeObject[],
  sinceSeconds: number | undefined,
): Promise<Result<{ readonly source: string; readonly lines: readonly string[] }[]>> {
  const wanted = pods.flatMap((pod) =>
    talkingContainers(ctx, service, pod).map((container) => ({ pod: String(pod.metadata.name), container })),
  );
  const logs = await sideBySide(wanted, LOGS_AT_A_TIME, ({ pod, container }) =>
    ctx.kube.logs(ctx.fleet.namespace, pod, {
      container,
      tail: 500,
      ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
      signal: ctx.signal,
    }),
  );
  const found: { source: string; lines: string[] }[] = [];
  for (const [index, log] of logs.entries()) {
    if (!log.ok) return log;
    const { pod, container } = wanted[index]!;
    found.push({ source: `${pod}/${container}`, lines: log.value.split('\n').filter((line) => line !== '') });
  }
  return ok(found);
}

/** Lines of a service's logs since a moment that tell of the database and were not there before the switch. */
export async function databaseErrorsOf(
  ctx: StepContext,
  service: string,
  pods: readonly KubeObject[],
  sinceSeconds: number,
): Promise<Result<string[]>> {
  const logs = await linesOf(ctx, service, pods, Math.max(1, Math.ceil(sinceSeconds)));
  if (!logs.ok) return logs;
  const before = complaintsBefore(ctx, service);
  return ok(logs.value.flatMap(({ lines }) => newDatabaseErrors(lines, before)));
}

/** The logs of the given pods since a moment; counts lines that look like errors and were not there before the switch. */
export async function lookAtLogs(
  ctx: StepContext,
  service: string,
  pods: readonly KubeObject[],
  sinceSeconds?: number,
): Promise<Look> {
  const before = complaintsBefore(ctx, service);
  let lines = 0;
  let old = 0;
  const bad: string[] = [];
  const logs = await linesOf(ctx, service, pods, sinceSeconds);
  if (!logs.ok) return couldNot(logs.error.message);
  for (const { source, lines: own } of logs.value) {
    lines += own.length;
    const fresh = newComplaints(own, before);
    old += errorLines(own).length - fresh.length;
    bad.push(...fresh);
    ctx.logLines(
      source,
      own.slice(-5).map((line) => sanitiseLine(line, 400)),
    );
  }
  const known = old > 0 ? `; ${old} of a kind that was logged before the switch too` : '';
  return {
    verdict: bad.length === 0 ? 'pass' : 'fail',
    observed: bad.length === 0 ? `0 of ${lines} lines${known}` : `${bad.length} of ${lines} lines: ${bad[0]}${known}`,
    expected: 'no error lines that were not there before',
    data: { errors: bad.length, lines, old },
    lines: bad.slice(-20),
  };
}
