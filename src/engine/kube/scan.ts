/**
 * Where a pod template holds the target's address. Pure: sources are handed in. A `Site` says
 * precisely which bytes of which object; switch.ts makes the smallest patch out of it.
 */
import { Secret } from '../secret.ts';
import { type Dsn, parseDsn } from './dsn.ts';
import { dsnsIn } from './dsns-in-text.ts';
import {
  type EffectiveEnv,
  type EnvironmentSources,
  type EnvVariable,
  effectiveEnvironment,
  references,
} from './environment.ts';
import { templateOf, templatePath } from './fingerprint.ts';
import { fileSites } from './scan-files.ts';
import { isTarget, isTargetHost, type ResolvedTarget, seenBy } from './target.ts';
import type { Json, KubeObject } from './types.ts';
import type { ContainerRole, DsnForm, SourceKind } from './workload-types.ts';

export type Place =
  | { readonly kind: 'env'; readonly index: number }
  | { readonly kind: 'envFrom'; readonly index: number; readonly key: string }
  | {
      readonly kind: 'argument';
      readonly field: 'args' | 'command';
      readonly index: number;
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly kind: 'file';
      readonly volume: number;
      readonly source: number | undefined;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: 'serviceLink' };

export interface Site {
  readonly container: string;
  readonly role: ContainerRole;
  /** JSON pointer of the container, `/spec/template/spec/containers/0`. */
  readonly pointer: string;
  readonly source: SourceKind;
  readonly form: DsnForm;
  readonly name: string;
  readonly place: Place;
  /** The raw entry, element or volume. */
  readonly raw: Json;
  /** The text that holds the address: the effective value, or the raw literal for composed ones, or the whole file. */
  readonly text: string;
  readonly dsn?: Dsn;
  readonly from?: { readonly kind: 'Secret' | 'ConfigMap'; readonly name: string; readonly key: string };
  /** The variable with the port, for split addresses; absent when none exists. */
  readonly port?: { readonly name: string; readonly variable?: EnvVariable };
  /** Host and port as the application sees them. */
  readonly host: string;
  readonly portNumber: number;
  /** Who logs in where, when that stands in variables beside the address, or behind `$(…)` in it. */
  login?: Login | undefined;
  /** Parameters of the connection that stand in variables of their own (`PGOPTIONS`, `PGSSLMODE`). */
  beside?: Readonly<Record<string, string>>;
}

export interface Login {
  readonly user?: string;
  readonly password?: Secret;
  readonly database?: string;
}

export interface ScanResult {
  readonly sites: readonly Site[];
  readonly unexplained: readonly { readonly container?: string; readonly reason: string }[];
  /** Side-cars through which the address goes; such a workload needs a human. */
  readonly proxies: readonly string[];
}

const PROXY_IMAGE =
  /(cloud-sql-proxy|cloudsql-docker|pgbouncer|pgpool|odyssey|pgcat|envoyproxy\/envoy|haproxy|rds-proxy)/i;

/** Names, images and places of one pod template. */
export function scanTemplate(object: KubeObject, sources: EnvironmentSources, everywhere: ResolvedTarget): ScanResult {
  const spec = templateOf(object)?.spec ?? {};
  const base = `${templatePath(object.kind)}/spec`;
  const sites: Site[] = [];
  const unexplained: { container?: string; reason: string }[] = [];
  const seen: EnvironmentSources = {
    secret: (name) => sources.secret(name),
    configMap: (name) => sources.configMap(name),
    field: (path) => fieldOf(object, path),
    serviceLinks: spec.enableServiceLinks === false ? {} : sources.serviceLinks,
  };
  const target = seenBy(everywhere, spec);
  const proxies: string[] = [];
  for (const [field, list] of [
    ['containers', spec.containers ?? []],
    ['initContainers', spec.initContainers ?? []],
  ] as const) {
    for (const [index, container] of (list as Json[]).entries()) {
      const role: ContainerRole =
        field === 'containers' ? 'container' : container.restartPolicy === 'Always' ? 'sidecar' : 'init';
      const where = { container: String(container.name), role, pointer: `${base}/${field}/${index}` };
      if (role !== 'init' && PROXY_IMAGE.test(container.image ?? '')) proxies.push(where.container);
      const env = effectiveEnvironment(container, seen);
      for (const gap of env.missing)
        unexplained.push({ container: where.container, reason: `${gap} is missing or not readable` });
      for (const variable of env.own.values()) {
        if (variable.origin.kind === 'fileKeyRef') {
          unexplained.push({
            container: where.container,
            reason: `variable ${variable.name} comes from a file (fileKeyRef)`,
          });
        }
      }
      sites.push(...environmentSites(container, env, where, target), ...argumentSites(container, env, where, target));
    }
  }
  sites.push(...fileSites(spec, base, sources, target));
  const annotations: Json = templateOf(object)?.metadata?.annotations ?? {};
  if (annotations['vault.hashicorp.com/agent-inject'] === 'true') {
    unexplained.push({ reason: 'the Vault agent writes files into the pod; their content is not visible here' });
  }
  for (const volume of spec.volumes ?? []) {
    if (volume.csi?.driver === 'secrets-store.csi.k8s.io') {
      unexplained.push({
        reason: `volume ${volume.name} comes from a secret store (CSI); its content is not visible here`,
      });
    }
  }
  return { sites, unexplained, proxies };
}

/** Fields of a pod that its workload decides: an address may be put together of them (`postgres.$(NAMESPACE).svc`). */
function fieldOf(object: KubeObject, path: string): string | undefined {
  const template = templateOf(object);
  switch (path) {
    case 'metadata.namespace':
      return object.metadata.namespace;
    case 'spec.serviceAccountName':
      return template?.spec?.serviceAccountName ?? 'default';
    default: {
      const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
      return map === undefined || key === undefined ? undefined : template?.metadata?.[map]?.[key];
    }
  }
}

interface Where {
  readonly container: string;
  readonly role: ContainerRole;
  readonly pointer: string;
}

const HOST_NAME = /^(.*?)(HOSTNAME|HOST|HOSTADDR|SERVER|ADDRESS|ADDR|ENDPOINT)$/i;

function environmentSites(container: Json, env: EffectiveEnv, where: Where, target: ResolvedTarget): Site[] {
  const sites = new Map<string, Site>();
  const add = (site: Site | undefined) => {
    if (site && !sites.has(site.name)) sites.set(site.name, site);
  };
  for (const variable of env.own.values()) {
    if (variable.value === undefined) continue;
    const whole = parseDsn(variable.value);
    if (whole?.hosts.some((h) => isTarget(target, h))) {
      add(dsnSite(container, variable, whole, env, where, target, add));
      continue;
    }
    if (HOST_NAME.test(variable.name)) add(splitSite(container, variable, env, where, target));
  }
  const found = [...sites.values()];
  for (const site of found) {
    site.login = loginBeside(site, env);
    const beside = parametersBeside(site, env);
    if (Object.keys(beside).length > 0) site.beside = beside;
  }
  return found;
}

/** What libpq, node-pg and pgx take from the environment whatever the address says; JDBC and .NET look at none of it. */
function parametersBeside(site: Site, env: EffectiveEnv): Readonly<Record<string, string>> {
  if (site.form === 'jdbc' || site.form === 'dotnet') return {};
  const prefix = HOST_NAME.exec(site.name)?.[1];
  const of = (...names: (string | undefined)[]): string | undefined => {
    for (const name of names) {
      const value = name === undefined ? undefined : env.variables.get(name)?.value;
      if (value) return value;
    }
    return undefined;
  };
  const options = of('PGOPTIONS');
  const sslmode = of('PGSSLMODE', prefix && `${prefix}SSLMODE`, prefix && `${prefix}SSL_MODE`);
  return { ...(options ? { options } : {}), ...(sslmode ? { sslmode } : {}) };
}

const LOGIN: Readonly<Record<keyof Login, readonly string[]>> = {
  user: ['USER', 'USERNAME', 'USR', 'LOGIN'],
  password: ['PASSWORD', 'PASS', 'PASSWD', 'PWD'],
  database: ['DATABASE', 'NAME', 'DB', 'DBNAME', 'DATABASE_NAME'],
};

/** `DB_USER` beside `DB_HOST`, `SPRING_DATASOURCE_USERNAME` beside `SPRING_DATASOURCE_URL`; expanded ones from the value. */
function loginBeside(site: Site, env: EffectiveEnv): Login | undefined {
  const whole = site.source === 'composed' ? parseDsn(env.variables.get(site.name)?.value ?? '') : site.dsn;
  const prefix =
    HOST_NAME.exec(site.name)?.[1] ??
    /^(.*?)(?:URL|URI|DSN|CONNECTION_?STRING|CONN)$/i.exec(site.name)?.[1] ??
    undefined;
  const beside = (key: keyof Login): string | undefined => {
    if (prefix === undefined) return undefined;
    for (const name of LOGIN[key]) {
      const variable = env.variables.get(`${prefix}${name}`) ?? env.variables.get(`${prefix}${name.toLowerCase()}`);
      if (variable?.value && variable.origin.kind !== 'serviceLink') return variable.value;
    }
    return undefined;
  };
  // An application with a whole address may have a variable DB_NAME that means something else: the address wins.
  const user = whole?.user ?? beside('user');
  const database = whole?.database ?? (whole ? undefined : beside('database'));
  const clear = whole?.password ? undefined : beside('password');
  const password = whole?.password ?? (clear === undefined ? undefined : new Secret(clear));
  if (user === undefined && database === undefined && password === undefined) return undefined;
  return { ...(user ? { user } : {}), ...(database ? { database } : {}), ...(password ? { password } : {}) };
}

/** A variable that holds a whole DSN. When its literal takes the host from other variables, those are the places. */
function dsnSite(
  container: Json,
  variable: EnvVariable,
  dsn: Dsn,
  env: EffectiveEnv,
  where: Where,
  target: ResolvedTarget,
  add: (site: Site | undefined) => void,
): Site | undefined {
  const { origin } = variable;
  const hit = dsn.hosts.find((h) => isTarget(target, h))!;
  const common = { ...where, form: dsn.form, name: variable.name, host: hit.host, portNumber: hit.port };
  switch (origin.kind) {
    case 'literal': {
      const raw = container.env[origin.index];
      if (origin.references.length === 0) {
        return {
          ...common,
          source: 'literal',
          place: { kind: 'env', index: origin.index },
          raw,
          text: variable.value!,
          dsn,
        };
      }
      // Hosts written as $(NAME) with the port beside them (or none): the port is fixed here, so this is the place.
      const parsed = parseDsn(origin.raw);
      const written = parsed && { ...parsed, hosts: parsed.hosts.map((h) => ({ ...h, host: env.expand(h.host) })) };
      if (written?.hosts.some((h) => isTarget(target, h))) {
        return {
          ...common,
          source: 'composed',
          place: { kind: 'env', index: origin.index },
          raw,
          text: origin.raw,
          dsn: written,
        };
      }
      for (const name of origin.references) {
        const root = env.variables.get(name);
        if (!root?.value || !isTargetHost(target, root.value.split(':')[0]!)) continue;
        add(
          root.origin.kind === 'serviceLink'
            ? linkSite(root, hit.port, where)
            : splitSite(container, root, env, where, target, portBeside(origin.raw, name, origin.references)),
        );
      }
      return undefined;
    }
    case 'secretKeyRef':
    case 'configMapKeyRef':
      return {
        ...common,
        source: origin.kind,
        place: { kind: 'env', index: origin.index },
        raw: container.env[origin.index],
        text: variable.value!,
        dsn,
        from: fromOf(origin),
      };
    case 'envFromSecret':
    case 'envFromConfigMap':
      return {
        ...common,
        source: origin.kind,
        place: { kind: 'envFrom', index: origin.index, key: origin.key },
        raw: container.envFrom[origin.index],
        text: variable.value!,
        dsn,
        from: fromOf(origin),
      };
    default:
      return undefined;
  }
}

/** The variable that holds the port where an address is put together: `$(H):$(P)`, `host=$(H) port=$(P)`, else by its name. */
function portBeside(text: string, host: string, references: readonly string[]): string | undefined {
  const behind = text.split(`$(${host})`)[1] ?? '';
  const next = /^:\$\(([^)]+)\)/.exec(behind)?.[1] ?? /\bport\s*=\s*['"]?\$\(([^)]+)\)/i.exec(text)?.[1];
  return next ?? references.find((name) => /port/i.test(name));
}

const fromOf = (origin: Extract<EnvVariable['origin'], { readonly key: string }>) =>
  ({
    kind: origin.kind === 'secretKeyRef' || origin.kind === 'envFromSecret' ? 'Secret' : 'ConfigMap',
    name: origin.name,
    key: origin.key,
  }) as const;

/** DB_HOST beside DB_PORT, PGHOST beside PGPORT; or `postgres:5432` in one variable. */
function splitSite(
  container: Json,
  variable: EnvVariable,
  env: EffectiveEnv,
  where: Where,
  target: ResolvedTarget,
  portBesideIt?: string,
): Site | undefined {
  const { origin, value } = variable;
  if (value === undefined || origin.kind === 'serviceLink') return undefined;
  const together = /^([^:\s/]+):(\d+)$/.exec(value);
  const host = together ? together[1]! : value;
  if (!isTargetHost(target, host)) return undefined;
  const prefix = HOST_NAME.exec(variable.name)?.[1] ?? '';
  // What the address itself says comes first: a `PORT` of its own is more often the one the application listens on.
  const portName =
    [portBesideIt, `${prefix}PORT`, `${prefix}port`].find((n) => n !== undefined && env.variables.has(n)) ??
    `${prefix}PORT`;
  const own = env.variables.get(portName);
  const portVariable = own && own.origin.kind !== 'serviceLink' ? own : undefined;
  const portNumber = together
    ? Number(together[2])
    : /^\d+$/.test(portVariable?.value ?? '')
      ? Number(portVariable!.value)
      : 5432;
  if (!target.ports.includes(portNumber)) return undefined;
  const inEnv = 'index' in origin && origin.kind !== 'envFromSecret' && origin.kind !== 'envFromConfigMap';
  if (origin.kind === 'fieldRef' || origin.kind === 'resourceFieldRef' || origin.kind === 'fileKeyRef')
    return undefined;
  return {
    ...where,
    source: origin.kind === 'literal' ? 'split' : origin.kind,
    form: together ? 'hostport' : 'split',
    name: variable.name,
    place: inEnv
      ? { kind: 'env', index: origin.index }
      : { kind: 'envFrom', index: origin.index, key: 'key' in origin ? origin.key : '' },
    raw: inEnv ? container.env[origin.index] : container.envFrom[origin.index],
    text: value,
    ...('key' in origin ? { from: fromOf(origin) } : {}),
    ...(together ? {} : { port: { name: portName, ...(portVariable ? { variable: portVariable } : {}) } }),
    host,
    portNumber,
  };
}

/** $(POSTGRES_SERVICE_HOST): injected by Kubernetes, overridden by an explicit entry. */
function linkSite(root: EnvVariable, port: number, where: Where): Site {
  return {
    ...where,
    source: 'serviceLink',
    form: 'split',
    name: root.name,
    place: { kind: 'serviceLink' },
    raw: null,
    text: root.value!,
    port: { name: root.name.replace(/_HOST$/, '_PORT') },
    host: root.value!,
    portNumber: port,
  };
}

function argumentSites(container: Json, env: EffectiveEnv, where: Where, target: ResolvedTarget): Site[] {
  const sites: Site[] = [];
  for (const field of ['command', 'args'] as const) {
    for (const [index, element] of ((container[field] ?? []) as string[]).entries()) {
      for (const found of dsnsIn(String(element))) {
        const hit = found.dsn.hosts.find((h) => isTarget(target, h));
        if (!hit) continue;
        sites.push({
          ...where,
          source: 'argument',
          form: found.dsn.form,
          name: `${field}[${index}]`,
          place: { kind: 'argument', field, index, start: found.start, end: found.end },
          raw: element,
          text: found.dsn.text,
          dsn: found.dsn,
          host: hit.host,
          portNumber: hit.port,
        });
      }
    }
  }
  // A DSN that appears only after expansion is held by the variable, which is a site of its own.
  return sites.filter((s) => references(s.text).every((name) => env.variables.has(name)));
}
