/** Metadata in the order of the Go struct. */
import type { Json } from '../../contract.ts';

const META_ORDER = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

/** Metadata in the order a server prints it, without unset fields. */
export function orderedMeta(meta: Json): Json {
  const out: Json = {};
  for (const name of META_ORDER) if (meta[name] !== undefined) out[name] = meta[name];
  return out;
}
