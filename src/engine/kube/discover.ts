/**
 * Who reaches PostgreSQL directly: paged LISTs of the workloads and their surroundings, GETs of exactly the Secrets and
 * ConfigMaps they refer to, and the scan of every pod template.
 */
import { ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { toConsumer } from './consumers.ts';
import { serviceLinks } from './environment.ts';
import { type Surroundings, workloadFacts } from './facts.ts';
import { templateOf } from './fingerprint.ts';
import { type ArgoApplications, classifyManager, isArgos } from './managers.ts';
import { missingReferences } from './missing-refs.ts';
import { ownerOf } from './owners.ts';
import { KINDS, listOf, workloadId } from './refs.ts';
import { scanTemplate } from './scan.ts';
import type { ScanResult } from './site.ts';
import { type ReadSources, SourceReader } from './sources.ts';
import { planEdits } from './switch-plan.ts';
import { poolerTarget, type ResolvedTarget, resolveTarget } from './target.ts';
import type { Json, Kube, KubeObject } from './types.ts';
import {
  type Discovery,
  type DiscoveryTarget,
  type Endpoint,
  staysDirect,
  type Unexplained,
  type Workload,
} from './workload-types.ts';

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

/**
 * Errors: those of the port; `not-authorised` when Deployments cannot be listed. Workloads are looked at page by page, while
 * the next page is on its way.
 */
export async function discoverConsumers(kube: Kube, options: DiscoverOptions): Promise<Result<Discovery>> {
  const { namespace, signal } = options;
  const search = new Search(kube, options);
  const listing = SCANNED.map(async (kind) => {
    const pages: Promise<Result<Looked[]>>[] = [];
    const seen = new Set<string>();
    const listed = await kube.listPages(
      listOf(kind, namespace),
      (items) => {
        // A list that started again delivers its first pages twice.
        const fresh = items.filter((one) => !seen.has(one.metadata.uid));
        for (const one of fresh) seen.add(one.metadata.uid);
        pages.push(search.look(fresh));
      },
      signal ? { signal } : {},
    );
    return { kind, listed, looked: await Promise.all(pages), scanned: seen.size };
  });
  // After the first page was asked for: that is what everything waits for, and it takes the connection that is open.
  void search.surroundings;
  const kinds = await Promise.all(listing);
  const unexplained: Unexplained[] = [];
  const looked: Looked[] = [];
  for (const { kind, listed, looked: pages } of kinds) {
    if (!listed.ok) {
      if (kind === 'Deployment') return listed;
      // A cluster without Argo Rollouts answers 404.
      if (listed.error.code === 'not-authorised')
        unexplained.push({ workload: `${KINDS[kind].plural}`, reason: 'cannot be listed (403)' });
      else if (listed.error.code !== 'not-found') return listed;
    }
    for (const page of pages) {
      if (!page.ok) return page;
      looked.push(...page.value);
    }
  }
  const around = await search.surroundings;
  if (!around.ok) return around;
  const { resolved, gaps } = around.value;
  unexplained.push(...gaps);
  for (const name of search.unreadable)
    unexplained.push({ workload: name, reason: 'is not readable; its consumers cannot be judged' });
  const chosen = choose(looked, options.only);
  const workloads: Workload[] = [];
  const notConsumers: Discovery['notConsumers'][number][] = [];
  for (const { workload, scan, object } of chosen.looked) {
    for (const gapFound of scan.unexplained) unexplained.push({ workload: workload.id, ...gapFound });
    if (workload.consumers.length > 0) workloads.push(workload);
    else if (options.only || options.named?.includes(workload.id))
      notConsumers.push({ workload, ...search.whyNot(object) });
  }
  return ok({
    workloads,
    missing: chosen.missing,
    notConsumers,
    unexplained,
    targetHosts: resolved.hosts,
    scanned: kinds.reduce((sum, one) => sum + one.scanned, 0),
  });
}

/** Workloads that are looked at without letting anything else happen: a few milliseconds. */
const LOOKED_AT_ONCE = 100;

interface Looked {
  readonly object: KubeObject;
  readonly workload: Workload;
  readonly scan: ScanResult;
}

/** What all workloads share: the target as this namespace sees it, who scales, what is full, what Secrets hold. */
class Search {
  readonly #kube: Kube;
  readonly #options: DiscoverOptions;
  readonly #reader: SourceReader;
  #surroundings: ReturnType<typeof readSurroundings> | undefined;
  #applications: Promise<ArgoApplications> | undefined;
  #sources: ReadSources | undefined;

  constructor(kube: Kube, options: DiscoverOptions) {
    this.#kube = kube;
    this.#options = options;
    this.#reader = new SourceReader(kube, options.namespace, options.signal);
  }

  get surroundings(): ReturnType<typeof readSurroundings> {
    this.#surroundings ??= readSurroundings(this.#kube, this.#options);
    return this.#surroundings;
  }

  get unreadable(): readonly string[] {
    return this.#sources?.unreadable ?? [];
  }

  async look(objects: readonly KubeObject[]): Promise<Result<Looked[]>> {
    const wanted = objects.filter((object) => isWanted(object, this.#options.only));
    const [found, read] = await Promise.all([this.surroundings, this.#reader.read(wanted)]);
    if (!found.ok) return found;
    if (!read.ok) return read;
    const { resolved, around } = found.value;
    this.#sources ??= this.#reader.sources(resolved.links);
    const sources = this.#sources;
    const applications = await this.#argo(wanted);
    const looked: Looked[] = [];
    for (const [index, object] of wanted.entries()) {
      // The request for the next page goes out first, and a screen is drawn between.
      if (index % LOOKED_AT_ONCE === 0) await new Promise<void>((go) => setImmediate(go));
      looked.push({ object, ...assemble(object, sources, resolved, around, applications, this.#options.to) });
    }
    return ok(looked);
  }

  /** Argo CD's Applications tell whether it heals; read only when something is tracked by Argo, and only if allowed. */
  async #argo(objects: readonly KubeObject[]): Promise<ArgoApplications> {
    const tracked = objects.some(isArgos);
    if (tracked) this.#applications ??= argoApplications(this.#kube, this.#options.signal);
    return this.#applications ?? new Map();
  }

  /** Why a workload that was asked for by name is no consumer. */
  whyNot(object: KubeObject): { reason: string; pooled?: boolean } {
    const { to, target, namespace } = this.#options;
    const shared = object.kind === 'Rollout' ? object.spec?.workloadRef : undefined;
    if (shared) {
      const whose = sanitiseLine(`${shared.kind} ${shared.name}`, 300);
      return { reason: `it has no template of its own but that of ${whose}: that one is to be switched` };
    }
    const pooled =
      to && this.#sources && scanTemplate(object, this.#sources, poolerTarget(to, namespace)).sites.length > 0;
    return pooled
      ? { reason: `it reaches ${to.host}:${to.port} already`, pooled: true }
      : {
          reason: `no container of it takes the address of ${target.service}:${target.port} from a place that can be seen`,
        };
  }
}

/** Errors: those of the port, except that what may not be listed is a gap, and what the cluster does not know is empty. */
async function readSurroundings(
  kube: Kube,
  options: DiscoverOptions,
): Promise<Result<{ resolved: ResolvedTarget; around: Surroundings; gaps: Unexplained[] }>> {
  const { namespace, target, signal } = options;
  const home = target.namespace ?? namespace;
  const list = (kind: keyof typeof KINDS, ns: string = namespace) =>
    kube.list(listOf(kind, ns), signal ? { signal } : {});
  const listed = await Promise.all([
    list('Service', home),
    home === namespace ? undefined : list('Service'),
    list('EndpointSlice', home),
    list('HorizontalPodAutoscaler'),
    list('ResourceQuota'),
  ]);
  for (const one of listed) {
    if (one && !one.ok && one.error.code !== 'not-authorised' && one.error.code !== 'not-found') return one;
  }
  const [services, ours, slices, scalers, quotas] = listed;
  const gaps: Unexplained[] = [];
  const gap = (result: Result<{ items: KubeObject[] }> | undefined, what: string): KubeObject[] => {
    if (result === undefined) return [];
    if (result.ok) return result.value.items;
    if (result.error.code === 'not-authorised') gaps.push({ workload: what, reason: 'cannot be listed (403)' });
    return [];
  };
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
  return ok({ resolved, around, gaps });
}

/** Every name of the target as a namespace sees it; what may not be listed is left out. Errors: those of the port. */
export async function targetSeenFrom(kube: Kube, options: DiscoverOptions): Promise<Result<ResolvedTarget>> {
  const found = await readSurroundings(kube, options);
  return found.ok ? ok(found.value.resolved) : found;
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
  const { findings } = facts;
  if (scan.proxies.length > 0) {
    findings.push({
      code: 'proxy-sidecar',
      severity: consumers.length > 0 ? 'warn' : 'block',
      text: `Container ${scan.proxies.join(', ')} is a database proxy: look at this one by hand.`,
    });
  }
  const movable = scan.sites.filter((site) => !staysDirect(site.role));
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
      text: `Only ${scan.sites.every((site) => site.role === 'init') ? 'an init container' : 'a tool that talks to the server itself'} of it uses the database; those stay direct.`,
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
  return { workload: Object.assign(facts, { findings, manager, consumers, target }), scan };
}

/** `deployment/x`, or a bare name of any kind. */
const isNamed = (object: KubeObject, wanted: string): boolean =>
  wanted.includes('/')
    ? workloadId({ kind: object.kind, name: object.metadata.name }) === wanted
    : object.metadata.name === wanted;

const isWanted = (object: KubeObject, only: readonly string[] | undefined): boolean =>
  only === undefined || only.some((wanted) => isNamed(object, wanted));

/** Of several kinds with one name, the first in the order of the kinds. */
function choose(looked: Looked[], only: readonly string[] | undefined): { looked: Looked[]; missing: string[] } {
  if (only === undefined) return { looked, missing: [] };
  const missing: string[] = [];
  const chosen = new Set<Looked>();
  for (const wanted of only) {
    const found = looked.find((one) => isNamed(one.object, wanted));
    if (found) chosen.add(found);
    else missing.push(wanted);
  }
  return { looked: [...chosen], missing };
}

async function argoApplications(kube: Kube, signal?: AbortSignal): Promise<ArgoApplications> {
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
  if (!pods.ok) return pods;
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

/** `deployment/x` of a pod, from its owner. */
export function workloadOfPod(pod: KubeObject): string {
  const owner = ownerOf(pod);
  return owner ? workloadId(owner) : `pod/${pod.metadata.name}`;
}
