/**
 * What a pod template refers to and the cluster does not have. Its pods run until they are replaced, and no new one starts
 * (`CreateContainerConfigError`, `FailedMount`): a rollout of it can only fail, and is better not begun.
 */
import type { ReadSources } from './sources.ts';
import type { Json } from './types.ts';

type Kind = 'Secret' | 'ConfigMap';

/** One text for each, `secret extra key token`; nothing that is optional, and nothing that merely may not be read. */
export function missingReferences(template: Json, sources: ReadSources): string[] {
  const gaps = new Set<string>();
  const need = (kind: Kind, name: string | undefined, optional: unknown, key?: string) => {
    if (!name || optional === true || sources.unreadable.includes(`${kind.toLowerCase()} ${name} (403)`)) return;
    const object = sources.object(kind, name);
    if (object === undefined && sources.read(kind, name)) gaps.add(`${kind.toLowerCase()} ${name}`);
    else if (object && key !== undefined && !(key in { ...object.data, ...object.binaryData }))
      gaps.add(`${kind.toLowerCase()} ${name} key ${key}`);
  };
  const spec = template?.spec ?? {};
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])] as Json[]) {
    for (const { secretRef, configMapRef } of container.envFrom ?? []) {
      need('Secret', secretRef?.name, secretRef?.optional);
      need('ConfigMap', configMapRef?.name, configMapRef?.optional);
    }
    for (const { valueFrom } of container.env ?? []) {
      const { secretKeyRef: secret, configMapKeyRef: map } = valueFrom ?? {};
      need('Secret', secret?.name, secret?.optional, secret?.key);
      need('ConfigMap', map?.name, map?.optional, map?.key);
    }
  }
  for (const volume of (spec.volumes ?? []) as Json[]) {
    for (const { secret, configMap } of [volume, ...(volume.projected?.sources ?? [])]) {
      need('Secret', secret?.secretName ?? secret?.name, secret?.optional);
      need('ConfigMap', configMap?.name, configMap?.optional);
    }
  }
  return [...gaps];
}
