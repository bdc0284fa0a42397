/**
 * Who reaches PostgreSQL directly: paged LISTs of the workloads and their surroundings, GETs of exactly the Secrets and
 * ConfigMaps they refer to, and the scan of every pod template (kubernetes.md 2.2).
 */
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { toConsumer } from './consumers.ts';
import { serviceLinks } from './environment.ts';
import { type Surroundings, workloadFacts } from './facts.ts';
import { templateOf } from './fingerprint.ts';
import { type ArgoApplications, classifyManager } from './managers.ts';
import { missingReferences } from './missing-refs.ts';
import { KINDS, listOf, workloadId } from './refs.ts';
import { type ScanResult, scanTemplate } from './scan.ts';
import { type ReadSources, readSources } from './sources.ts';
import { planEdits } from './switch-plan.ts';
import { poolerTarget, type ResolvedTarget, resolveTarget } from './target.ts';
import type { Json, Kube, KubeObject } from './types.ts';
import type { Discovery, DiscoveryTarget, Endpoint, Finding, Unexplained, Workload } from './workload-types.ts';

export interface DiscoverOptions {
  readonly namespace: string;
  readonly target: DiscoveryTarget;
  /** Workload ids (`deployment/x`) or bare names: look at these only, and say which are missing. */
  readonly only?: readonly string[];
  /** Workload ids that are told with a reason when they do not reach the target. */
  readonly named?: readonly string[];
  /** The pooler: addresses that cannot be rewritten to it are findings; a workload that uses it already is told so. */
  readonly to?: Endpoint;
  readonly signal?: AbortSignal;
}

const SCANNED = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Rollout'] as const;

/** Errors: those of the port; `not-authorised` when Deployments cannot be listed. */
export async function discoverConsumers(kube: Kube, options: DiscoverOptions): Promise<Result<Discovery>> {
  const { namespace, target, signal } = options;
  const call = signal ? { signal } : {};
  const home = target.namespace ?? namespace;
  const list = async (kind: keyof typeof KINDS, ns: string = namespace) => kube.list(listOf(kind, ns), call);
  const [services, ours, slices, scalers, quotas, ...lists] = await Promise.all([
    list('Service', home),
    home === namespace ? undefined : list('Service'),
    list('EndpointSlice', home),
    list('HorizontalPodAutoscaler'),
    list('ResourceQuota'),
    ...SCANNED.map((kind) => list(kind)),
  ]);
  const unexplained: Unexplained[] = [];
  const gap = (result: Result<{ items: KubeObject[] }> | undefined, what: string): KubeObject[] => {
    if (result === undefined) return [];
    if (result.ok) return result.value.items;
    if (result.error.code === 'not-authorised') unexplained.push({ workload: what, reason: 'cannot be listed (403)' });
    return [];
  };
  const objects: KubeObject[] = [];
  for (const [index, result] of lists.entries()) {
    const kind = SCANNED[index]!;
    if (result.ok) objects.push(...result.value.items);
    else if (kind === 'Deployment') return result;
    // A cluster without Argo Rollouts answers 404.
    else if (result.error.code === 'not-authorised')
      unexplained.push({ workload: `${KINDS[kind].plural}`, reason: 'cannot be listed (403)' });
    else if (result.error.code !== 'not-found') return result;
  }
  const own = ours === undefined ? gap(services, 'services') : gap(ours, 'services');
  const resolved = resolveTarget(
    target,
    namespace,
    ours === undefined ? own : gap(services, `services of ${home}`),
    gap(slices, 'endpointslices'),
    serviceLinks(own),
  );
  const around: Surroundings = {
    autoscalers: gap(scalers, 'horizontalpodautoscalers'),
    quotas: gap(quotas, 'resourcequotas'),
  };
  const chosen = choose(objects, options.only);
  const sources = await readSources(kube, namespace, chosen.objects, resolved.links, signal);
  if (!sources.ok) return sources;
  for (const name of sources.value.unreadable)
    unexplained.push({ workload: name, reason: 'is not readable; its consumers cannot be judged' });
  const applications = await argoApplications(kube, chosen.objects, signal);

  const workloads: Workload[] = [];
  const notConsumers: { workload: Workload; reason: string; pooled?: boolean }[] = [];
  for (const object of chosen.objects) {
    const { workload, scan } = assemble(object, sources.value, resolved, around, applications, options.to);
    for (const gapFound of scan.unexplained) {
      unexplained.push({ workload: workload.id, ...gapFound });
    }
    if (workload.consumers.length > 0) workloads.push(workload);
    else if (options.only || options.named?.includes(workload.id)) {
      const { to } = options;
      const pooled = to && scanTemplate(object, sources.value, poolerTarget(to, namespace)).sites.length > 0;
      notConsumers.push({
        workload,
        reason: pooled
          ? `it reaches ${to.host}:${to.port} already`
          : `no container of it takes the address of ${target.service}:${target.port} from a place that can be seen`,
        ...(pooled ? { pooled: true } : {}),
      });
    }
  }
  return ok({
    workloads,
    missing: chosen.missing,
    notConsumers,
    unexplained,
    targetHosts: resolved.hosts,
    scanned: objects.length,
  });
}

/** One workload from its live object: facts, managers, consumers. */
function assemble(
  object: KubeObject,
  sources: ReadSources,
  target: ResolvedTarget,
  around: Surroundings,
  applications: ArgoApplications,
  to: Endpoint | undefined,
): { workload: Workload; scan: ScanResult } {
  const facts = workloadFacts(object, around);
  const scan = scanTemplate(object, sources, target);
  const consumers = scan.sites.map((site) => toConsumer(site, facts.id));
  const manager = classifyManager(object, consumers, applications);
  const findings: Finding[] = [...facts.findings];
  if (scan.proxies.length > 0) {
    findings.push({
      code: 'proxy-sidecar',
      severity: consumers.length > 0 ? 'warn' : 'block',
      text: `Container ${scan.proxies.join(', ')} is a database proxy: look at this one by hand.`,
    });
  }
  const movable = scan.sites.filter((site) => site.role !== 'init');
  if (to && movable.length > 0) {
    const edits = planEdits(object, movable, sources, target, to, 'preflight');
    if (!edits.ok) {
      const text = `${edits.error.message}${edits.error.next?.[0] ? `. ${edits.error.next[0]}` : ''}`;
      findings.push({ code: 'external-source', severity: 'block', text });
    }
  } else if (scan.sites.length > 0 && movable.length === 0) {
    findings.push({
      code: 'other',
      severity: 'block',
      text: 'Only an init container of it uses the database; those stay direct.',
    });
  }
  const gaps = consumers.length > 0 ? missingReferences(templateOf(object), sources) : [];
  if (gaps.length > 0) {
    const text = `Its pods refer to ${gaps.map((gap) => sanitiseLine(gap, 300)).join(', ')}, which does not exist: those that run go on, and no new one would start.`;
    findings.push({ code: 'missing-reference', severity: 'block', text });
  }
  if (manager.class === 'WILL_REVERT_NOW') {
    findings.push({ code: 'manager', severity: 'block', text: manager.reasons[0] ?? manager.managers.join(', ') });
  } else if (manager.class !== 'FREE') {
    const reasons = manager.reasons.length > 0 ? manager.reasons : [manager.managers.join(', ')];
    findings.push(...reasons.map((text) => ({ code: 'manager' as const, severity: 'warn' as const, text })));
  }
  return { workload: { ...facts, findings, manager, consumers, target }, scan };
}

function choose(
  objects: KubeObject[],
  only: readonly string[] | undefined,
): { objects: KubeObject[]; missing: string[] } {
  if (only === undefined) {
    // Pods of other controllers' children are theirs; a Job made by a CronJob is not listed at all.
    return { objects, missing: [] };
  }
  const missing: string[] = [];
  const chosen: KubeObject[] = [];
  for (const wanted of only) {
    const found = objects.find((o) => {
      const id = workloadId({ kind: o.kind, name: o.metadata.name });
      return id === wanted || (!wanted.includes('/') && o.metadata.name === wanted);
    });
    if (found) chosen.push(found);
    else missing.push(wanted);
  }
  return { objects: [...new Set(chosen)], missing };
}

/** Argo CD's Applications tell whether it heals; read only when something is tracked by Argo, and only if allowed. */
async function argoApplications(
  kube: Kube,
  objects: readonly KubeObject[],
  signal?: AbortSignal,
): Promise<ArgoApplications> {
  if (!objects.some((o) => o.metadata.annotations?.['argocd.argoproj.io/tracking-id'] !== undefined)) return new Map();
  const listed = await kube.list(
    { apiVersion: 'argoproj.io/v1alpha1', plural: 'applications', kind: 'Application', namespace: 'argocd' },
    signal ? { signal } : {},
  );
  return new Map(listed.ok ? listed.value.items.map((a) => [String(a.metadata.name), a]) : []);
}

/** A client of PostgreSQL as `pg_stat_activity` shows it. */
export interface DatabaseClient {
  readonly address: string;
  readonly connections: number;
}

export interface CrossCheck {
  /** Pods that really connect, by workload id (`deployment/x`), with their connections. */
  readonly byWorkload: ReadonlyMap<string, { readonly pods: readonly string[]; readonly connections: number }>;
  /** Pods that connect although the discovery found no consumer in their workload. */
  readonly unexpected: readonly { readonly pod: string; readonly workload: string; readonly connections: number }[];
  /** Addresses that belong to no pod here (host network, another namespace, a person). */
  readonly strangers: readonly DatabaseClient[];
}

/** Joins `pg_stat_activity.client_addr` with the pods' IPs: the truth about who connects. */
export async function crossCheck(
  kube: Kube,
  namespace: string,
  discovery: Pick<Discovery, 'workloads'>,
  clients: readonly DatabaseClient[],
  signal?: AbortSignal,
): Promise<Result<CrossCheck>> {
  const pods = await kube.list(listOf('Pod', namespace), signal ? { signal } : {});
  if (!pods.ok) return fail(pods.error.code, pods.error.message, pods.error);
  const byIp = new Map<string, KubeObject>();
  for (const pod of pods.value.items) {
    if (pod.spec?.hostNetwork) continue;
    for (const { ip } of (pod.status?.podIPs ?? [{ ip: pod.status?.podIP }]) as Json[]) if (ip) byIp.set(ip, pod);
  }
  const known = new Set(discovery.workloads.map((w) => w.id));
  const byWorkload = new Map<string, { pods: string[]; connections: number }>();
  const unexpected: { pod: string; workload: string; connections: number }[] = [];
  const strangers: DatabaseClient[] = [];
  for (const client of clients) {
    const pod = byIp.get(client.address);
    if (!pod) {
      strangers.push(client);
      continue;
    }
    const workload = workloadOfPod(pod);
    const entry = byWorkload.get(workload) ?? { pods: [], connections: 0 };
    entry.pods.push(pod.metadata.name);
    entry.connections += client.connections;
    byWorkload.set(workload, entry);
    if (!known.has(workload)) unexpected.push({ pod: pod.metadata.name, workload, connections: client.connections });
  }
  return ok({ byWorkload, unexpected, strangers });
}

/** `deployment/x` of a pod, from its owner: a ReplicaSet's name is the Deployment's plus the hash. */
export function workloadOfPod(pod: KubeObject): string {
  const owner = (pod.metadata.ownerReferences ?? []).find((o: Json) => o.controller);
  if (!owner) return `pod/${pod.metadata.name}`;
  const hash = pod.metadata.labels?.['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash && String(owner.name).endsWith(`-${hash}`)) {
    return `deployment/${String(owner.name).slice(0, -(hash.length + 1))}`;
  }
  return `${String(owner.kind).toLowerCase()}/${owner.name}`;
}
