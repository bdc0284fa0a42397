/** Addresses in the files of a pod: the keys of mounted Secrets and ConfigMaps. */
import { dsnsIn } from './dsns-in-text.ts';
import type { Site } from './site.ts';
import { isTarget, type ResolvedTarget } from './target.ts';
import type { Json } from './types.ts';
import type { ContainerRole } from './workload-types.ts';

interface FileSources {
  /** Keys of a mounted Secret or ConfigMap; `undefined`: not there or not readable. */
  secret(name: string): Readonly<Record<string, string>> | undefined;
  configMap(name: string): Readonly<Record<string, string>> | undefined;
}

/** Files of mounted Secrets and ConfigMaps with a DSN URL in them. */
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
        for (const found of dsnsIn(content)) {
          const hit = found.dsn.hosts.find((h) => isTarget(target, h));
          if (!hit) continue;
          sites.push({
            ...mounted,
            pointer: `${base}/volumes/${volume}`,
            source: 'file',
            form: found.dsn.form,
            name: `${definition.name}/${key}`,
            place: { kind: 'file', volume, source: part.source, start: found.start, end: found.end },
            raw: definition,
            text: content,
            dsn: found.dsn,
            from: { kind: part.kind, name: part.name, key },
            host: hit.host,
            portNumber: hit.port,
          });
        }
      }
    }
  }
  return sites;
}

function mountedBy(spec: Json, volume: string): { container: string; role: ContainerRole } | undefined {
  const mounts = (c: Json) => (c.volumeMounts ?? []).some((m: Json) => m.name === volume);
  const main = (spec.containers ?? []).find(mounts);
  if (main) return { container: main.name, role: 'container' };
  const init = (spec.initContainers ?? []).find(mounts);
  return init ? { container: init.name, role: init.restartPolicy === 'Always' ? 'sidecar' : 'init' } : undefined;
}
