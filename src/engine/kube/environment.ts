/**
 * The effective environment of a container, as the kubelet computes it, with the origin of every value
 * (pkg/kubelet/kubelet_pods.go makeEnvironmentVariables; third_party/forked/golang/expansion).
 */
import type { Json } from './types.ts';

/** What Secrets, ConfigMaps and Services hold. `undefined` means: not there, or not readable. */
export interface EnvironmentSources {
  secret(name: string): Readonly<Record<string, string>> | undefined;
  configMap(name: string): Readonly<Record<string, string>> | undefined;
  /** What a field of the pod will be, as far as its template says it already. Absent: nothing is known before it runs. */
  field?(path: string): string | undefined;
  /** Service links (`PGBOUNCER_PORT=tcp://…`), or empty when `enableServiceLinks` is false. */
  readonly serviceLinks: Readonly<Record<string, string>>;
}

export type Origin =
  | { readonly kind: 'literal'; readonly index: number; readonly raw: string; readonly references: readonly string[] }
  | {
      readonly kind: 'secretKeyRef' | 'configMapKeyRef';
      readonly index: number;
      readonly name: string;
      readonly key: string;
    }
  | {
      readonly kind: 'envFromSecret' | 'envFromConfigMap';
      readonly index: number;
      readonly name: string;
      readonly key: string;
      readonly prefix: string;
    }
  | { readonly kind: 'fieldRef' | 'resourceFieldRef' | 'fileKeyRef'; readonly index: number }
  | { readonly kind: 'serviceLink' };

export interface EnvVariable {
  readonly name: string;
  /** Undefined: known only at run time (most field references), or its source is not readable. */
  readonly value: string | undefined;
  readonly origin: Origin;
}

export interface EffectiveEnv {
  /** By name, the value that wins; the links of Services last, where nothing else has their name. */
  readonly variables: Variables;
  /** Those that the container itself names. A namespace of a thousand Services gives every container thousands of links. */
  readonly own: ReadonlyMap<string, EnvVariable>;
  /** Sources that are missing and not optional: the container would fail with CreateContainerConfigError, or we may not read them. */
  readonly missing: readonly string[];
  /** Expands `$(NAME)` in `command` and `args` with the final environment. */
  expand(text: string): string;
}

/** The variables of a container by name. Links are looked up when they are asked for, and not copied. */
export class Variables {
  readonly #own: ReadonlyMap<string, EnvVariable>;
  readonly #links: Readonly<Record<string, string>>;

  constructor(own: ReadonlyMap<string, EnvVariable>, links: Readonly<Record<string, string>>) {
    this.#own = own;
    this.#links = links;
  }

  get(name: string): EnvVariable | undefined {
    return this.#own.get(name) ?? (Object.hasOwn(this.#links, name) ? this.#link(name) : undefined);
  }

  has(name: string): boolean {
    return this.#own.has(name) || Object.hasOwn(this.#links, name);
  }

  *values(): Generator<EnvVariable> {
    yield* this.#own.values();
    for (const name of Object.keys(this.#links)) if (!this.#own.has(name)) yield this.#link(name);
  }

  #link(name: string): EnvVariable {
    return { name, value: this.#links[name]!, origin: LINK };
  }
}

const LINK: Origin = { kind: 'serviceLink' };

/** `$$` → `$`; `$(X)` → its value, or literally `$(X)` when unknown; `$x` stays; an unterminated `$(` stays. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  if (!text.includes('$')) return text;
  let out = '';
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (char !== '$' || at + 1 >= text.length) {
      out += char;
      at += 1;
      continue;
    }
    const next = text[at + 1]!;
    if (next === '$') {
      out += '$';
      at += 2;
    } else if (next === '(') {
      const end = text.indexOf(')', at + 2);
      if (end < 0) {
        out += '$(';
        at += 2;
      } else {
        const name = text.slice(at + 2, end);
        out += lookup(name) ?? `$(${name})`;
        at = end + 1;
      }
    } else {
      out += char + next;
      at += 2;
    }
  }
  return out;
}

const NONE: readonly string[] = [];

/** Names a text refers to by `$(NAME)`; escaped ones (`$$(NAME)`) are none. */
export function references(text: string): readonly string[] {
  if (!text.includes('$(')) return NONE;
  const names: string[] = [];
  expand(text, (name) => {
    names.push(name);
    return '';
  });
  return names;
}

/** `container`: one of `spec.containers` or `spec.initContainers`. */
export function effectiveEnvironment(container: Json, sources: EnvironmentSources): EffectiveEnv {
  const result = new Map<string, EnvVariable>();
  const missing: string[] = [];
  const set = (variable: EnvVariable) => result.set(variable.name, variable);

  for (const [index, source] of (container.envFrom ?? []).entries()) {
    const prefix: string = source.prefix ?? '';
    for (const [field, kind, read] of [
      ['configMapRef', 'envFromConfigMap', sources.configMap],
      ['secretRef', 'envFromSecret', sources.secret],
    ] as const) {
      const reference = source[field];
      if (!reference) continue;
      const data = read(reference.name);
      if (data === undefined) {
        if (!reference.optional) missing.push(`${field === 'secretRef' ? 'secret' : 'configmap'} ${reference.name}`);
        continue;
      }
      for (const [key, value] of Object.entries(data)) {
        set({ name: prefix + key, value, origin: { kind, index, name: reference.name, key, prefix } });
      }
    }
  }

  const variables = new Variables(result, sources.serviceLinks);
  const lookUp = (name: string): string | undefined => variables.get(name)?.value;

  for (const [index, entry] of (container.env ?? []).entries()) {
    const name: string = entry.name;
    const from = entry.valueFrom;
    if (!from) {
      const raw: string = entry.value ?? '';
      const value = raw === '' ? '' : expand(raw, lookUp);
      set({ name, value, origin: { kind: 'literal', index, raw, references: references(raw) } });
      continue;
    }
    if (from.secretKeyRef || from.configMapKeyRef) {
      const kind = from.secretKeyRef ? 'secretKeyRef' : 'configMapKeyRef';
      const reference = from[kind];
      const data = kind === 'secretKeyRef' ? sources.secret(reference.name) : sources.configMap(reference.name);
      const value = data?.[reference.key];
      if (value === undefined && reference.optional) continue;
      if (value === undefined) {
        missing.push(`${kind === 'secretKeyRef' ? 'secret' : 'configmap'} ${reference.name} key ${reference.key}`);
      }
      set({ name, value, origin: { kind, index, name: reference.name, key: reference.key } });
      continue;
    }
    const kind = from.fieldRef ? 'fieldRef' : from.resourceFieldRef ? 'resourceFieldRef' : 'fileKeyRef';
    const value = from.fieldRef ? sources.field?.(String(from.fieldRef.fieldPath ?? '')) : undefined;
    set({ name, value, origin: { kind, index } });
  }

  return { variables, own: result, missing, expand: (text) => expand(text, (name) => variables.get(name)?.value) };
}

/** The variables Kubernetes injects for Services with a ClusterIP (pkg/kubelet/envvars). */
export function serviceLinks(services: readonly Json[]): Record<string, string> {
  const links: Record<string, string> = {};
  for (const service of services) {
    const ip: string | undefined = service.spec?.clusterIP;
    const ports: Json[] = service.spec?.ports ?? [];
    if (!ip || ip === 'None' || ports.length === 0) continue;
    const base = String(service.metadata.name).toUpperCase().replaceAll('-', '_');
    const host = ip.includes(':') ? `[${ip}]` : ip;
    const first = ports[0];
    links[`${base}_SERVICE_HOST`] = ip;
    links[`${base}_SERVICE_PORT`] = String(first.port);
    for (const port of ports) {
      if (port.name)
        links[`${base}_SERVICE_PORT_${String(port.name).toUpperCase().replaceAll('-', '_')}`] = String(port.port);
    }
    const scheme = String(first.protocol ?? 'TCP').toLowerCase();
    links[`${base}_PORT`] = `${scheme}://${host}:${first.port}`;
    for (const port of ports) {
      const protocol = String(port.protocol ?? 'TCP');
      const prefix = `${base}_PORT_${port.port}_${protocol.toUpperCase()}`;
      links[prefix] = `${protocol.toLowerCase()}://${host}:${port.port}`;
      links[`${prefix}_PROTO`] = protocol.toLowerCase();
      links[`${prefix}_PORT`] = String(port.port);
      links[`${prefix}_ADDR`] = ip;
    }
  }
  return links;
}
