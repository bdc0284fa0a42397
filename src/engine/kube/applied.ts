/**
 * The part of a live object that one manager applied, out of `metadata.managedFields` (server-side apply's FieldsV1): what
 * somebody has to keep in a file in order to apply the same again.
 */
import type { Json, KubeObject } from './types.ts';

/** Undefined when this manager has not applied the object. */
export function appliedBy(object: KubeObject, manager: string): KubeObject | undefined {
  const entry = (object.metadata.managedFields ?? []).find(
    (one: Json) => one.manager === manager && one.operation === 'Apply' && one.subresource === undefined,
  );
  if (!entry) return undefined;
  const { metadata, ...rest } = project(object, entry.fieldsV1 ?? {});
  const { name, namespace } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...metadata },
    ...rest,
  } as KubeObject;
}

/** `f:` names a field, `k:` an item by its keys, `v:` an item by its value; no names below one mean all of it. */
function project(value: Json, fields: Json): Json {
  const names = Object.keys(fields).filter((name) => name !== '.');
  if (names.length === 0 || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      const name = names.find((one) => isItem(item, one));
      if (name === undefined) return [];
      if (name.startsWith('v:')) return [item];
      // An item is found by its keys the next time too.
      return [{ ...JSON.parse(name.slice(2)), ...project(item, fields[name]) }];
    });
  }
  // In the order of the object, which is that of its type.
  return Object.fromEntries(
    Object.keys(value)
      .filter((key) => fields[`f:${key}`] !== undefined)
      .map((key) => [key, project(value[key], fields[`f:${key}`])]),
  );
}

function isItem(item: Json, name: string): boolean {
  if (name.startsWith('v:')) return JSON.stringify(item) === name.slice(2);
  if (!name.startsWith('k:')) return false;
  const keys: Json = JSON.parse(name.slice(2));
  return Object.keys(keys).every((key) => item?.[key] === keys[key]);
}
