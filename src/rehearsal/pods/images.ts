/** Which program stands for an image. */
import type { Json } from '../contract.ts';
import { which } from '../servers/find.ts';
import { startCommand } from './command-container.ts';
import type { StartContainer } from './container.ts';
import { startExporter } from './exporter-container.ts';
import { startPgBouncer } from './pgbouncer-container.ts';
import { startPostgres } from './postgres-container.ts';
import { startService } from './service-container.ts';

export type ContainerKind = 'postgres' | 'pgbouncer' | 'exporter' | 'command' | 'service';

/** `registry/team/name:tag@digest` → `name`. */
export const imageName = (image: string): string => (image.split('@')[0] ?? '').split('/').at(-1)?.split(':')[0] ?? '';

export function kindOf(container: Json): ContainerKind {
  const name = imageName(container.image ?? '');
  const words: string[] = [...(container.command ?? []), ...(container.args ?? [])];
  const program = (words[0] ?? '').split('/').at(-1) ?? '';
  if (/pgbouncer[_-]exporter/.test(container.image ?? '')) return 'exporter';
  if (
    /pgbouncer/.test(name) &&
    (words.length === 0 || program === 'pgbouncer' || program.endsWith('.ini') || program.startsWith('-'))
  )
    return 'pgbouncer';
  if (
    name.startsWith('postgres') &&
    (words.length === 0 || program === 'postgres' || program === 'docker-entrypoint.sh' || program.startsWith('-'))
  )
    return 'postgres';
  if (name.endsWith('-migrate')) return 'command';
  // Programs this machine has are run for real; a service's own binary is not here and is played by a worker.
  if (
    words.length > 0 &&
    (program === 'pgbench' || program === 'psql' || program.startsWith('pg_') || which(words[0] as string))
  )
    return 'command';
  return 'service';
}

export const STARTERS: Record<ContainerKind, StartContainer> = {
  postgres: startPostgres,
  pgbouncer: startPgBouncer,
  exporter: startExporter,
  command: startCommand,
  service: startService,
};

/** Images that can't be pulled, to practise on: the containerd message, or undefined. */
export function pullFailure(image: string): string | undefined {
  const registry = image.includes('/') ? (image.split('/')[0] as string) : '';
  if (!image.includes('does-not-exist') && !registry.endsWith('.invalid')) return undefined;
  const full = registry.includes('.') ? image : `docker.io/library/${image}`;
  if (registry.endsWith('.invalid')) {
    const [path, tag] = splitTag(image.slice(registry.length + 1));
    return `failed to pull and unpack image "${full}": failed to resolve reference "${full}": failed to do request: Head "https://${registry}/v2/${path}/manifests/${tag}": dial tcp: lookup ${registry}: no such host`;
  }
  return `failed to pull and unpack image "${full}": failed to resolve reference "${full}": ${full}: not found`;
}

function splitTag(path: string): [string, string] {
  const colon = path.lastIndexOf(':');
  return colon < 0 ? [path, 'latest'] : [path.slice(0, colon), path.slice(colon + 1)];
}
