/**
 * PostgreSQL as the poolers reach it: the host and port for their configuration, the ports that a network policy has to
 * let through (it sees them after the Service has been resolved), and the port inside the pod for a port-forward.
 */
import { listOf, ref } from '../kube/refs.ts';
import { portInPod, portsOf, targetPortOf } from '../kube/service-ports.ts';
import { splitServiceHost } from '../kube/target.ts';
import type { Kube, KubeObject } from '../kube/types.ts';
import type { Discovery } from '../kube/workload-types.ts';

export interface Upstream {
  /** There is a Service of that name, and it may be read. */
  readonly isService: boolean;
  /** Of the Service. */
  readonly namespace: string;
  /** Label selector of its pods; absent for a Service without one, ExternalName, and anything outside. */
  readonly selector?: string;
  /** What an ExternalName Service stands for. */
  readonly externalName?: string;
  /** Of the Service's port, when there is one. */
  readonly targetPort?: number | string;
  readonly port: number;
  /** Ports of its endpoints, as numbers; empty when they can't be read. */
  readonly endpointPorts: readonly number[];
}

interface Where {
  readonly kube: Kube;
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

/** Reads the Service and its endpoints: of the namespace, or of the one that a name with dots gives (`postgres.db.svc`). */
export async function findUpstream(where: Where): Promise<Upstream> {
  const { kube, port, signal } = where;
  const named = splitServiceHost(where.service);
  const { service, namespace } = named ?? where;
  const found = service.includes('.') ? undefined : await kube.get(ref('Service', namespace, service), { signal });
  if (!found?.ok) return { isService: false, namespace, port, endpointPorts: [] };
  const { spec } = found.value;
  const selector = Object.entries((spec?.selector ?? {}) as Record<string, string>)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const slices = await kube.list(
    listOf('EndpointSlice', namespace, { labelSelector: `kubernetes.io/service-name=${service}` }),
    { signal },
  );
  const endpointPorts = slices.ok
    ? slices.value.items.flatMap((slice) => ((slice.ports ?? []) as { port?: number }[]).map((one) => one.port))
    : [];
  const targetPort = targetPortOf(found.value, port);
  return {
    isService: true,
    namespace,
    port,
    ...(selector ? { selector } : {}),
    ...(spec?.type === 'ExternalName' && spec.externalName ? { externalName: String(spec.externalName) } : {}),
    // A headless Service maps nothing: the client's port is the pod's.
    ...(targetPort !== undefined && spec?.clusterIP !== 'None' ? { targetPort } : {}),
    endpointPorts: [...new Set(endpointPorts.filter((one) => one !== undefined))],
  };
}

/**
 * Is `postgres.service` surely no Service? `db.internal` is either one of the namespace `internal` or a host: only a cluster
 * that may be asked, and has none, says so.
 */
export async function isOutside(where: Pick<Where, 'kube' | 'service' | 'signal'>): Promise<boolean> {
  const named = splitServiceHost(where.service);
  if (!named || named.certain) return false;
  const found = await where.kube.get(ref('Service', named.namespace, named.service), { signal: where.signal });
  return !found.ok && found.error.code === 'not-found';
}

/** The port that PostgreSQL listens on in one of its pods. */
export function postgresPort(pod: Pick<KubeObject, 'spec'>, upstream: Pick<Upstream, 'targetPort' | 'port'>): number {
  const { targetPort, port } = upstream;
  const told = targetPort === undefined ? undefined : portInPod(pod, targetPort);
  if (told !== undefined) return told;
  const ports = portsOf(pod);
  if (ports.length === 0 || ports.some((one) => one.containerPort === port)) return port;
  return ports.find((one) => one.containerPort === 5432)?.containerPort ?? ports[0]!.containerPort;
}

/** Ports for an egress rule; empty when they can't be told, and then any port has to be allowed. */
export function egressPorts(upstream: Upstream): number[] {
  if (!upstream.isService) return [upstream.port];
  const ports = new Set([upstream.port, ...upstream.endpointPorts]);
  if (typeof upstream.targetPort === 'number') ports.add(upstream.targetPort);
  else if (upstream.targetPort !== undefined && upstream.endpointPorts.length === 0) return [];
  return [...ports].sort((a, b) => a - b);
}

/**
 * The host for `pgbouncer.ini`. Poolers and services stand in one namespace, so what the services use works for both; a
 * short name is made longer, and the cluster's domain is left to the pod's search list unless a service spells it out:
 * not every cluster's domain is cluster.local.
 */
export function upstreamHost(
  service: string,
  namespace: string,
  isService: boolean,
  discovery: Pick<Discovery, 'workloads'> | undefined,
): string {
  if (service.includes('.') || !isService) return service;
  const base = `${service}.${namespace}.svc`;
  for (const workload of discovery?.workloads ?? []) {
    for (const { endpoints } of workload.consumers) {
      const spelt = endpoints.find(({ host }) => host.toLowerCase().startsWith(`${base}.`));
      if (spelt) return spelt.host.toLowerCase().replace(/\.$/, '');
    }
  }
  return base;
}
