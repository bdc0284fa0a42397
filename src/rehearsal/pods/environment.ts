/**
 * The environment a container is started with, after pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables) and
 * third_party/forked/golang/expansion: service links, then `envFrom` in order, then `env` in order with `$(VAR)` expanded
 * in literal values only.
 */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { fieldOf } from './volumes.ts';

export interface EnvironmentSource {
  secret(name: string): Record<string, string> | undefined;
  configMap(name: string): Record<string, string> | undefined;
  /** `fieldRef` of the downward API; undefined when the path is not supported. */
  field(path: string): string | undefined;
  /** Services with a ClusterIP in the pod's namespace, for the service links. */
  services: readonly KubeObject[];
  enableServiceLinks: boolean;
}

export type Environment =
  | { readonly ok: true; readonly env: Map<string, string> }
  /** The message of the kubelet's `CreateContainerConfigError`. */
  | { readonly ok: false; readonly message: string };

export function effectiveEnvironment(container: Json, namespace: string, source: EnvironmentSource): Environment {
  const env = new Map<string, string>();
  const links = source.enableServiceLinks ? serviceLinks(source.services) : new Map<string, string>();

  for (const from of container.envFrom ?? []) {
    const prefix: string = from.prefix ?? '';
    const reference = from.secretRef ?? from.configMapRef;
    if (!reference) continue;
    const kind = from.secretRef ? 'secret' : 'configmap';
    const data = from.secretRef ? source.secret(reference.name) : source.configMap(reference.name);
    if (!data) {
      if (reference.optional) continue;
      return { ok: false, message: `${kind} "${reference.name}" not found` };
    }
    for (const [key, value] of Object.entries(data)) env.set(prefix + key, value);
  }

  for (const entry of container.env ?? []) {
    if (entry.value !== undefined && entry.value !== '') {
      env.set(
        entry.name,
        expand(entry.value, (name) => env.get(name) ?? links.get(name)),
      );
      continue;
    }
    const from = entry.valueFrom;
    if (!from) {
      env.set(entry.name, '');
      continue;
    }
    if (from.fieldRef) {
      env.set(entry.name, source.field(from.fieldRef.fieldPath) ?? '');
      continue;
    }
    const reference = from.secretKeyRef ?? from.configMapKeyRef;
    if (!reference) continue;
    const kind = from.secretKeyRef ? 'secret' : 'configmap';
    const data = from.secretKeyRef ? source.secret(reference.name) : source.configMap(reference.name);
    if (!data) {
      if (reference.optional) continue;
      return { ok: false, message: `${kind} "${reference.name}" not found` };
    }
    const value = data[reference.key];
    if (value === undefined) {
      if (reference.optional) continue;
      return {
        ok: false,
        message: `couldn't find key ${reference.key} in ${from.secretKeyRef ? 'Secret' : 'ConfigMap'} ${namespace}/${reference.name}`,
      };
    }
    env.set(entry.name, value);
  }

  for (const [name, value] of links) if (!env.has(name)) env.set(name, value);
  return { ok: true, env };
}

/** `$$` is `$`, `$(X)` is the value of X or stays as written, everything else is literal. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char !== '$' || i + 1 >= text.length) {
      out += char;
      continue;
    }
    const next = text[i + 1];
    if (next === '$') {
      out += '$';
      i++;
    } else if (next === '(') {
      const end = text.indexOf(')', i + 2);
      if (end < 0) {
        out += '$(';
        i++;
        continue;
      }
      const name = text.slice(i + 2, end);
      out += lookup(name) ?? `$(${name})`;
      i = end;
    } else {
      out += char + next;
      i++;
    }
  }
  return out;
}

/** `PGBOUNCER_SERVICE_HOST`, `PGBOUNCER_PORT=tcp://…` and the rest of the Docker-style links. */
export function serviceLinks(services: readonly KubeObject[]): Map<string, string> {
  const links = new Map<string, string>();
  for (const service of services) {
    const ip: string | undefined = service.spec?.clusterIP;
    const ports: Json[] = service.spec?.ports ?? [];
    if (!ip || ip === 'None' || ports.length === 0) continue;
    const name = service.metadata.name.toUpperCase().replaceAll('-', '_');
    const protocol = (port: Json) => (port.protocol ?? 'TCP').toLowerCase();
    links.set(`${name}_SERVICE_HOST`, ip);
    links.set(`${name}_SERVICE_PORT`, String(ports[0].port));
    for (const port of ports)
      if (port.name)
        links.set(`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
    links.set(`${name}_PORT`, `${protocol(ports[0])}://${ip}:${ports[0].port}`);
    for (const port of ports) {
      const prefix = `${name}_PORT_${port.port}_${protocol(port).toUpperCase()}`;
      links.set(prefix, `${protocol(port)}://${ip}:${port.port}`);
      links.set(`${prefix}_PROTO`, protocol(port));
      links.set(`${prefix}_PORT`, String(port.port));
      links.set(`${prefix}_ADDR`, ip);
    }
  }
  return links;
}

/** What a pod at `ip` may take its environment from, read of the store when it is asked for. */
export function environmentSources(
  pod: KubeObject,
  ip: string,
  from: { store: ObjectStore; hostIP: string; servicesIn(namespace: string): readonly KubeObject[] },
): EnvironmentSource {
  const namespace = pod.metadata.namespace as string;
  return {
    secret: (name) => secretData(from.store.get('secrets', namespace, name)),
    configMap: (name) => from.store.get('configmaps', namespace, name)?.data as Record<string, string> | undefined,
    field: (path) => (path === 'status.podIP' ? ip : path === 'status.hostIP' ? from.hostIP : fieldOf(pod, path)),
    services: from.servicesIn(namespace),
    enableServiceLinks: pod.spec?.enableServiceLinks !== false,
  };
}

/** `data` of a Secret as text. */
function secretData(secret: KubeObject | undefined): Record<string, string> | undefined {
  if (!secret) return undefined;
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(String(value), 'base64').toString('utf8'),
    ]),
  );
}
