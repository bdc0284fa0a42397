/** `metadata.generation` and the status subresource: what each write may touch. */
import type { Json, KubeObject } from '../../contract.ts';
import type { ResourceDefinition } from '../catalogue.ts';
import { same } from './canonical.ts';

/**
 * The generation after `current` became `next`: one more when the desired state changed. A Deployment counts annotations as
 * desired state (`pkg/registry/apps/deployment/strategy.go`), a status write never counts.
 */
export function nextGeneration(
  definition: ResourceDefinition,
  current: KubeObject,
  next: KubeObject,
  subresource: string | undefined,
): number | undefined {
  const generation = current.metadata.generation;
  if (!definition.generation || generation === undefined || subresource === 'status') return generation;
  const desired = definition.custom ? withoutMetadata : (object: KubeObject) => object.spec;
  let changed = !same(desired(current), desired(next));
  if (definition.kind === 'Deployment') {
    changed ||= !same(current.metadata.annotations, next.metadata.annotations);
  }
  return changed ? generation + 1 : generation;
}

function withoutMetadata(object: KubeObject): Json {
  const { metadata: _metadata, status: _status, ...rest } = object;
  return rest;
}

/**
 * The object a write to `/status` asks for: the stored one with the new status. Annotations are taken too (the Deployment
 * controller sets the revision that way); labels and spec are not.
 */
export function takeStatus(current: KubeObject, wanted: KubeObject): KubeObject {
  const next: KubeObject = { ...current, status: wanted.status, metadata: { ...current.metadata } };
  if (wanted.metadata.annotations === undefined) delete next.metadata.annotations;
  else next.metadata.annotations = wanted.metadata.annotations;
  return next;
}
