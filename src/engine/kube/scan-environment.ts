/** Addresses in the environment of a container: whole, split over variables, or put together of others. Pure. */
import { HOST_NAME, loginBeside, parametersBeside } from './beside.ts';
import { type Dsn, parseDsn } from './dsn.ts';
import type { EffectiveEnv, EnvVariable } from './environment.ts';
import type { Site, Where } from './site.ts';
import { isTarget, isTargetHost, type ResolvedTarget } from './target.ts';
import type { Json } from './types.ts';

export function environmentSites(container: Json, env: EffectiveEnv, where: Where, target: ResolvedTarget): Site[] {
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
