/**
 * The services of the plan as the cluster has them: discovery, the change of each, and the originals that are kept in
 * the cluster for the way back.
 */

import { restoreChange } from '../kube/change.ts';
import { discoverConsumers } from '../kube/discover.ts';
import { ownerOf } from '../kube/owners.ts';
import { listOf, ref } from '../kube/refs.ts';
import { discoveryTarget } from '../kube/target.ts';
import type { Kube, KubeObject, Ref } from '../kube/types.ts';
import type { Discovery, Workload, WorkloadChange } from '../kube/workload-types.ts';
import type { PodOwner } from '../pgbouncer/console-types.ts';
import type { Plan, PlanService } from '../plan/schema.ts';
import { fail, ok, type Result } from '../result.ts';

export class Fleet {
  readonly #kube: Kube;
  readonly #plan: Plan;
  readonly namespace: string;
  #discovery: Discovery | undefined;
  readonly #originals = new Map<string, WorkloadChange>();
  /** Addresses of pods that this run has seen; a session may outlive its pod. */
  readonly #seen = new Map<string, PodOwner>();
  #poolerLabels: readonly [string, string][] | undefined;

  constructor(kube: Kube, plan: Plan, namespace: string) {
    this.#kube = kube;
    this.#plan = plan;
    this.namespace = namespace;
  }

  services(phase?: string): PlanService[] {
    return this.#plan.phases.filter((one) => phase === undefined || one.id === phase).flatMap((one) => one.services);
  }

  service(name: string): PlanService | undefined {
    return this.services().find((one) => one.name === name);
  }

  /** Of each service by name: what kind of workload it is. */
  kinds(): ReadonlyMap<string, string> {
    return new Map(this.services().map((one) => [one.name, one.kind]));
  }

  refOf(name: string): Ref {
    return ref(this.service(name)?.kind ?? 'Deployment', this.namespace, name);
  }

  /** Reads every workload of the namespace and where it takes its address from. */
  async discover(signal: AbortSignal): Promise<Result<Discovery>> {
    const found = await this.#discover(signal);
    if (found.ok) this.#discovery = found.value;
    return found;
  }

  get discovery(): Discovery | undefined {
    return this.#discovery;
  }

  /** One service, read anew; the error says why when it has nothing to switch. */
  async readService(name: string, signal: AbortSignal): Promise<Result<Workload>> {
    const id = `${(this.service(name)?.kind ?? 'Deployment').toLowerCase()}/${name}`;
    const found = await this.#discover(signal, [id]);
    if (!found.ok) return found;
    const workload = found.value.workloads.find((one) => one.ref.name === name);
    if (workload) return ok(workload);
    const known = found.value.notConsumers.find((one) => one.workload.ref.name === name);
    if (known) {
      return fail(
        'not-eligible',
        `${id} does not reach ${this.#plan.postgres.service}:${this.#plan.postgres.port}: ${known.reason}`,
        {
          next: ['Skip the service, or take it out of the plan.'],
        },
      );
    }
    return fail('not-found', `${id} is not in namespace ${this.namespace}`, {
      next: [`kubectl get deployments -n ${this.namespace}`, 'Correct the name in the plan.'],
    });
  }

  /** The same for services that reach the pooler already. */
  async discoverPooled(signal: AbortSignal): Promise<Result<Discovery>> {
    const { name, port } = this.#plan.pooler;
    return discoverConsumers(this.#kube, { namespace: this.namespace, target: discoveryTarget(name, port), signal });
  }

  #discover(signal: AbortSignal, only?: readonly string[]): Promise<Result<Discovery>> {
    const { service, port } = this.#plan.postgres;
    const { pooler } = this.#plan;
    return discoverConsumers(this.#kube, {
      namespace: this.namespace,
      target: discoveryTarget(service, port),
      to: { host: pooler.name, port: pooler.port },
      named: this.services().map((one) => `${one.kind.toLowerCase()}/${one.name}`),
      ...(only ? { only } : {}),
      signal,
    });
  }

  /** Keeps the originals of a service, as they were saved in the cluster. */
  keepOriginal(name: string, change: WorkloadChange): void {
    this.#originals.set(name, change);
  }

  original(name: string): WorkloadChange | undefined {
    return this.#originals.get(name);
  }

  /** Reads back what `saveOriginals` stored. */
  restoreOriginals(changes: Readonly<Record<string, unknown>>): Result<void> {
    for (const [workload, sealed] of Object.entries(changes)) {
      if (typeof sealed !== 'string')
        return fail('checkpoint-corrupt', `the original of ${workload} in the cluster is not readable`);
      const change = restoreChange(sealed);
      if (!change.ok) return change;
      this.#originals.set(change.value.ref.name, change.value);
    }
    return ok(undefined);
  }

  /**
   * Address → who has it, for pg_stat_activity and SHOW CLIENTS. Pods of host-network share an address and are left out; a
   * pod that is over (a completed Job, an evicted pod) still names an address that another pod may have by now. An address
   * that nobody has any more stays with the pod that had it earlier in this run, marked as gone. `seen`: pods known
   * already; without them they are listed.
   */
  async podOwners(signal: AbortSignal, seen?: readonly KubeObject[]): Promise<Result<ReadonlyMap<string, PodOwner>>> {
    const listed = seen ? ok({ items: seen }) : await this.#kube.list(listOf('Pod', this.namespace), { signal });
    if (!listed.ok) return listed;
    const owners = new Map<string, PodOwner>();
    const isPooler = await this.#poolers(signal);
    const kinds = this.kinds();
    for (const pod of listed.value.items) {
      if (pod.spec?.hostNetwork === true || isOver(pod)) continue;
      const service = serviceOf(pod, kinds);
      const owner = {
        pod: pod.metadata.name,
        ...(service ? { service } : {}),
        ...(isPooler(pod) ? { pooler: true } : {}),
      };
      for (const ip of addressesOf(pod)) owners.set(ip, owner);
    }
    for (const [ip, owner] of owners) this.#remember(ip, owner);
    for (const [ip, owner] of this.#seen) if (!owners.has(ip)) owners.set(ip, { ...owner, gone: true });
    return ok(owners);
  }

  /** The pooler's pods: its Deployment's, or in manifests of the operator's own whatever its Service selects. */
  async #poolers(signal: AbortSignal): Promise<(pod: KubeObject) => boolean> {
    const { name, manifests } = this.#plan.pooler;
    if (manifests !== undefined && !this.#poolerLabels) {
      const service = await this.#kube.get(ref('Service', this.namespace, name), { signal });
      const labels = Object.entries((service.ok ? (service.value.spec?.selector ?? {}) : {}) as Record<string, string>);
      if (labels.length > 0) this.#poolerLabels = labels;
    }
    const labels = this.#poolerLabels;
    if (!labels) return (pod) => serviceOf(pod, new Map([[name, 'Deployment']])) === name;
    return (pod) => labels.every(([key, value]) => pod.metadata.labels?.[key] === value);
  }

  /** Addresses that pods of a service had in an earlier session of this run. */
  rememberAddresses(service: string, pods: Readonly<Record<string, string>>): void {
    for (const [ip, pod] of Object.entries(pods)) if (!this.#seen.has(ip)) this.#remember(ip, { pod, service });
  }

  #remember(ip: string, owner: PodOwner): void {
    this.#seen.delete(ip);
    if (!owner.service && !owner.pooler) return;
    this.#seen.set(ip, owner);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > ADDRESSES_KEPT && oldest !== undefined) this.#seen.delete(oldest);
  }
}

/** More pods than a namespace holds; a run of days must not grow without end. */
const ADDRESSES_KEPT = 20_000;

/** Of a pod: of both families, where the cluster has both; a session may come from either. */
function addressesOf(pod: KubeObject): string[] {
  const { podIP, podIPs } = (pod.status ?? {}) as { podIP?: string; podIPs?: readonly { readonly ip?: string }[] };
  return [...new Set([podIP, ...(podIPs ?? []).map(({ ip }) => ip)])].filter((ip) => typeof ip === 'string');
}

/** It will never run again: completed, failed, evicted. Its object may stay for days. */
export const isOver = (pod: KubeObject): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Name of the workload a pod belongs to. */
export const workloadOf = (pod: KubeObject): string | undefined => ownerOf(pod)?.name;

/**
 * Which of the services a pod belongs to; a CronJob's pods belong to its Jobs. `kinds`: of each service by name, because a
 * Deployment and a StatefulSet may have one name.
 */
export function serviceOf(pod: KubeObject, kinds: ReadonlyMap<string, string>): string | undefined {
  const owner = ownerOf(pod);
  if (!owner) return undefined;
  if (kinds.get(owner.name) === owner.kind) return owner.name;
  const cron = owner.kind === 'Job' ? cronJobOf(owner.name) : undefined;
  return cron !== undefined && kinds.get(cron) === 'CronJob' ? cron : undefined;
}

/** Name of the CronJob that made a Job: the controller names the Job after it and the scheduled minute. */
const cronJobOf = (job: string): string | undefined => /^(.+)-\d{8,}$/.exec(job)?.[1];
