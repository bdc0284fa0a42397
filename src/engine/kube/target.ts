/** Which addresses mean the direct PostgreSQL: names, IPs and ports under which a pod can reach it. */
import type { Json } from './types.ts';
import type { DiscoveryTarget, Endpoint } from './workload-types.ts';

/** Plain data, so that it can be kept beside a workload. */
export interface ResolvedTarget {
  /** Lower case, without a trailing dot. */
  readonly hosts: readonly string[];
  /** Service names whose pods' own names (`postgres-0.postgres`) count too. */
  readonly services: readonly string[];
  readonly namespace: string;
  readonly ports: readonly number[];
  /** Environment variables of Service links by name, for workloads that have them. */
  readonly links: Readonly<Record<string, string>>;
}

const clean = (host: string) => host.toLowerCase().replace(/\.$/, '');

/**
 * A host that names a Service of a namespace: `postgres.db`, `postgres.db.svc`, `postgres.db.svc.cluster.local`. `certain`
 * when only a cluster writes it so; `db.internal` may be either. Undefined for a short name and for any other host.
 */
export function splitServiceHost(host: string): { service: string; namespace: string; certain: boolean } | undefined {
  const found = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?)\.([a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.svc(\..+)?)?$/.exec(clean(host));
  return found ? { service: found[1]!, namespace: found[3]!, certain: found[5] !== undefined } : undefined;
}

/** What to look for, from the `postgres.service` of a plan: a Service of the workloads' own namespace, of another, or a host. */
export function discoveryTarget(service: string, port: number): DiscoveryTarget {
  const named = splitServiceHost(service);
  if (named) return { service: named.service, namespace: named.namespace, port, hosts: [service] };
  return service.includes('.') ? { service, port, hosts: [service] } : { service, port };
}

/**
 * Everything that leads to the target's Service as seen from `namespace`: the Service, its twins with the same selector,
 * its IPs, its endpoints, ExternalName aliases, and the names the plan adds.
 */
export function resolveTarget(
  target: DiscoveryTarget,
  namespace: string,
  services: readonly Json[],
  endpointSlices: readonly Json[],
  links: Readonly<Record<string, string>>,
): ResolvedTarget {
  const home = target.namespace ?? namespace;
  const main = services.find((s) => s.metadata.name === target.service && s.metadata.namespace === home);
  const addressesOf = (service: Json) =>
    endpointSlices
      .filter(
        ({ metadata }) =>
          metadata?.labels?.['kubernetes.io/service-name'] === service.metadata.name &&
          (metadata.namespace ?? home) === service.metadata.namespace,
      )
      .flatMap((slice) => (slice.endpoints ?? []).flatMap((one: Json) => (one.addresses ?? []) as string[]));
  const pods = main ? addressesOf(main) : [];
  const twins = services.filter(
    (s) =>
      s === main ||
      isTwin(s, main) ||
      isAlias(s, target.service, home) ||
      (s.metadata.namespace === home && isSetByHand(s, addressesOf(s), pods)),
  );
  const names = [...new Set([target.service, ...twins.map((s) => String(s.metadata.name))])];
  const hosts = new Set<string>((target.hosts ?? []).map(clean));
  const ports = new Set<number>([target.port]);
  for (const name of names) {
    if (home === namespace) hosts.add(name);
    for (const form of [`${name}.${home}`, `${name}.${home}.svc`, `${name}.${home}.svc.cluster.local`]) hosts.add(form);
  }
  const behind = backendPorts(main, target.port, endpointSlices);
  for (const service of twins) {
    for (const ip of service.spec?.clusterIPs ?? [service.spec?.clusterIP])
      if (ip && ip !== 'None') hosts.add(clean(ip));
    if (service.spec?.externalName) hosts.add(clean(service.spec.externalName));
    // A twin may offer the same port of the same pods under another number.
    for (const port of service.spec?.ports ?? []) {
      if (backendPorts(service, port.port, endpointSlices).some((number) => behind.includes(number)))
        ports.add(port.port);
    }
  }
  for (const number of behind) ports.add(number);
  for (const slice of endpointSlices) {
    if (!names.includes(slice.metadata?.labels?.['kubernetes.io/service-name'])) continue;
    for (const endpoint of slice.endpoints ?? []) for (const ip of endpoint.addresses ?? []) hosts.add(clean(ip));
  }
  return { hosts: [...hosts], services: names, namespace: home, ports: [...ports], links };
}

/** The ports of the pods that a port of a Service leads to; a named one is known by the Service's endpoints. */
function backendPorts(service: Json | undefined, port: number, endpointSlices: readonly Json[]): number[] {
  const entry = service?.spec?.ports?.find((one: Json) => one.port === port);
  if (!entry) return [];
  if (typeof entry.targetPort !== 'string') return [entry.targetPort ?? port];
  return endpointSlices
    .filter((slice) => slice.metadata?.labels?.['kubernetes.io/service-name'] === service.metadata.name)
    .flatMap((slice) => slice.ports ?? [])
    .filter((one: Json) => (one.name ?? '') === (entry.name ?? ''))
    .map((one: Json) => one.port);
}

function isTwin(service: Json, main: Json): boolean {
  const wanted = main?.spec?.selector;
  const selector = service.spec?.selector;
  if (!wanted || !selector || service.metadata.namespace !== main.metadata.namespace) return false;
  const keys = Object.keys(wanted);
  return (
    keys.length > 0 && keys.length === Object.keys(selector).length && keys.every((k) => wanted[k] === selector[k])
  );
}

/** A Service without a selector, whose endpoints somebody wrote: the same pods by address, and no others. */
const isSetByHand = (service: Json, addresses: readonly string[], pods: readonly string[]): boolean =>
  service.spec?.selector === undefined && addresses.length > 0 && addresses.every((ip) => pods.includes(ip));

const isAlias = (service: Json, name: string, namespace: string): boolean =>
  service.spec?.type === 'ExternalName' &&
  new RegExp(`^${name}\\.${namespace}\\.svc(\\.|$)`).test(service.spec.externalName ?? '');

/** Does this host (any port) mean the target? */
export function isTargetHost(target: ResolvedTarget, host: string): boolean {
  const name = clean(host);
  if (target.hosts.includes(name)) return true;
  for (const service of target.services) {
    // Another cluster domain than cluster.local.
    if (name.startsWith(`${service}.${target.namespace}.svc.`)) return true;
    // A pod of the StatefulSet behind a headless Service: postgres-0.postgres[.ns[.svc[.domain]]].
    const pod = /^[a-z0-9-]+-\d+\.(.+)$/.exec(name);
    if (pod && (pod[1] === service || pod[1]!.startsWith(`${service}.${target.namespace}`))) return true;
  }
  return false;
}

/** May a text hold the target's address at all? */
export function mentions(text: string, target: ResolvedTarget): boolean {
  const lower = text.toLowerCase();
  return [...target.hosts, ...target.services].some((name) => lower.includes(name.toLowerCase()));
}

export const isTarget = (target: ResolvedTarget, endpoint: Endpoint): boolean =>
  target.ports.includes(endpoint.port) && isTargetHost(target, endpoint.host);

/** The pooler's own names, to recognise a workload that already uses it. */
export function poolerTarget(to: Endpoint, namespace: string): ResolvedTarget {
  const name = to.host.split('.')[0]!;
  const hosts = [
    to.host,
    name,
    `${name}.${namespace}`,
    `${name}.${namespace}.svc`,
    `${name}.${namespace}.svc.cluster.local`,
  ];
  return { hosts, services: [name], namespace, ports: [to.port], links: {} };
}

/** With the pods' own names for the target's addresses (`hostAliases` of their template). */
export function seenBy(target: ResolvedTarget, podSpec: Json): ResolvedTarget {
  const aliases: readonly Json[] = podSpec?.hostAliases ?? [];
  const names = aliases
    .filter(({ ip }) => isTargetHost(target, String(ip)))
    .flatMap(({ hostnames }) => ((hostnames ?? []) as string[]).map(clean));
  return names.length === 0 ? target : { ...target, hosts: [...target.hosts, ...names] };
}
