/** Addresses in the files of a pod: the keys of mounted Secrets and ConfigMaps. */
import { roleOf } from './container-role.ts';
import { type Dsn, parseDsn, type Span } from './dsn.ts';
import { dsnsIn } from './dsns-in-text.ts';
import { type Setting, settingsIn } from './settings-in-text.ts';
import type { Site } from './site.ts';
import { splitAddresses } from './split-in-text.ts';
import { isTarget, mentions, type ResolvedTarget } from './target.ts';
import type { Json } from './types.ts';
import type { ContainerRole } from './workload-types.ts';

interface FileSources {
  /** Keys of a mounted Secret or ConfigMap; `undefined`: not there or not readable. */
  secret(name: string): Readonly<Record<string, string>> | undefined;
  configMap(name: string): Readonly<Record<string, string>> | undefined;
}

/** Files of mounted Secrets and ConfigMaps with addresses in them. */
export function fileSites(spec: Json, base: string, sources: FileSources, target: ResolvedTarget): Site[] {
  const sites: Site[] = [];
  for (const [volume, definition] of ((spec.volumes ?? []) as Json[]).entries()) {
    const mounted = mountedBy(spec, definition.name);
    if (!mounted) continue;
    const parts: { source: number | undefined; kind: 'Secret' | 'ConfigMap'; name: string; items?: Json[] }[] = [];
    if (definition.secret)
      parts.push({
        source: undefined,
        kind: 'Secret',
        name: definition.secret.secretName,
        items: definition.secret.items,
      });
    if (definition.configMap)
      parts.push({
        source: undefined,
        kind: 'ConfigMap',
        name: definition.configMap.name,
        items: definition.configMap.items,
      });
    for (const [source, part] of ((definition.projected?.sources ?? []) as Json[]).entries()) {
      if (part.secret) parts.push({ source, kind: 'Secret', name: part.secret.name, items: part.secret.items });
      if (part.configMap)
        parts.push({ source, kind: 'ConfigMap', name: part.configMap.name, items: part.configMap.items });
    }
    for (const part of parts) {
      const data = part.kind === 'Secret' ? sources.secret(part.name) : sources.configMap(part.name);
      for (const [key, content] of Object.entries(data ?? {})) {
        if (part.items && !part.items.some((i) => i.key === key)) continue;
        const common = {
          ...mounted,
          pointer: `${base}/volumes/${volume}`,
          source: 'file' as const,
          raw: definition,
          text: content,
          from: { kind: part.kind, name: part.name, key },
        };
        sites.push(
          ...addressesIn(content, target, (text) => settingsOf(sources, text)).map(
            ({ setting, span, port, ...address }) => ({
              ...common,
              ...address,
              name: `${definition.name}/${key}${setting === undefined ? '' : `:${setting}`}`,
              place: {
                kind: 'file' as const,
                volume,
                source: part.source,
                start: span.start,
                end: span.end,
                ...(port ? { port: { start: port.start, end: port.end } } : {}),
              },
              ...(port ? { port: { name: `${definition.name}/${key}:${port.path}` } } : {}),
            }),
          ),
        );
      }
    }
  }
  return sites;
}

/** Settings fit in this; what is longer is data (a dashboard, a list), and takes long to read. */
const LONGEST_SETTINGS = 100_000;

const known = new WeakMap<FileSources, Map<string, readonly Setting[]>>();

/** Read once for all workloads that mount the same file. */
function settingsOf(sources: FileSources, text: string): readonly Setting[] {
  if (text.length > LONGEST_SETTINGS) return [];
  const texts = known.get(sources) ?? new Map<string, readonly Setting[]>();
  known.set(sources, texts);
  const settings = texts.get(text) ?? settingsIn(text);
  texts.set(text, settings);
  return settings;
}

type Address = Pick<Site, 'form' | 'dsn' | 'host' | 'portNumber' | 'login' | 'beside'> & {
  /** The setting that holds it; absent where it is found by itself. */
  readonly setting?: string;
  readonly span: Span;
  readonly port?: Setting;
};

/** URLs anywhere in a text; in its settings also addresses of key=value pairs, and those of a host and a port. */
function addressesIn(text: string, target: ResolvedTarget, read: (text: string) => readonly Setting[]): Address[] {
  const whole = (dsn: Dsn, span: Span, setting?: string): Address[] => {
    const hit = dsn.hosts.find((one) => isTarget(target, one));
    if (!hit) return [];
    const named = setting === undefined ? {} : { setting };
    return [{ ...named, span, form: dsn.form, dsn, host: hit.host, portNumber: hit.port }];
  };
  const found = dsnsIn(text);
  const urls = found.flatMap(({ dsn, start, end }) => whole(dsn, { start, end }));
  // Reading a file is for those that name the target at all.
  if (!mentions(text, target)) return urls;
  const settings = read(text).filter(({ start, end }) => !found.some((one) => start < one.end && one.start < end));
  return [
    ...urls,
    ...settings.flatMap((one) => {
      const dsn = parseDsn(one.value);
      return dsn ? whole(dsn, one, one.path) : [];
    }),
    ...splitAddresses(settings, target).map(({ form, host, port, hostName, portNumber, login, sslmode }) => ({
      setting: host.path,
      span: host,
      ...(port ? { port } : {}),
      form,
      host: hostName,
      portNumber,
      ...(login ? { login } : {}),
      ...(sslmode ? { beside: { sslmode } } : {}),
    })),
  ];
}

function mountedBy(spec: Json, volume: string): { container: string; role: ContainerRole } | undefined {
  const mounts = (c: Json) => (c.volumeMounts ?? []).some((m: Json) => m.name === volume);
  const main = (spec.containers ?? []).find(mounts);
  if (main) return { container: main.name, role: roleOf(main, 'containers') };
  const init = (spec.initContainers ?? []).find(mounts);
  return init ? { container: init.name, role: roleOf(init, 'initContainers') } : undefined;
}
