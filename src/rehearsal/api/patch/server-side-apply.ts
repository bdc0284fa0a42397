/**
 * Server-side apply: merges a manager's whole intent into the live object, refuses to take what others own, drops what the
 * manager no longer wants (structured-merge-diff; the wording of conflicts is in recording 10).
 */
import type { ApiStatusError, Json, KubeObject } from '../../contract.ts';
import { failure } from '../errors.ts';
import { copy, same } from '../registry/canonical.ts';
import { ANY, child, METADATA, type Shape, shapeOf } from '../registry/shapes.ts';
import {
  CONTAINER,
  fieldsOf,
  keyOf,
  type ManagerEntry,
  printPath,
  readEntries,
  SEPARATOR,
  writeEntries,
} from './managed-fields.ts';

export interface ApplyRequest {
  manager: string;
  force: boolean;
  subresource?: string;
  time: string;
}

export interface Applied {
  object: KubeObject;
  /** `managedFields` of the object once it went through the registry. */
  managedFields: (stored: KubeObject) => Json[];
}

/** The object after `config` was applied over `live`; throws 409 with one cause for each contested field. */
export function applyConfiguration(live: KubeObject | undefined, config: KubeObject, request: ApplyRequest): Applied {
  const wanted = fieldsOf(config);
  const entries = readEntries(live?.metadata.managedFields);
  const isOwn = (entry: ManagerEntry): boolean =>
    entry.operation === 'Apply' && entry.manager === request.manager && entry.subresource === request.subresource;
  const current = live === undefined ? new Map() : fieldsOf(live);

  const contested: { entry: ManagerEntry; paths: string[] }[] = [];
  for (const entry of entries) {
    if (isOwn(entry)) continue;
    const paths = [...wanted.keys()].filter(
      (path) =>
        wanted.get(path) !== CONTAINER &&
        entry.fields.has(path) &&
        current.has(path) &&
        !same(current.get(path), wanted.get(path)),
    );
    if (paths.length > 0) contested.push({ entry, paths });
  }
  if (contested.length > 0 && !request.force) throw conflictOf(contested);

  const own = entries.find(isOwn);
  const object = live === undefined ? copy(config) : mergeObject(copy(live), config);
  if (own !== undefined) {
    const others = new Set(entries.filter((entry) => !isOwn(entry)).flatMap((entry) => [...entry.fields]));
    const dropped = [...own.fields].filter((path) => !wanted.has(path) && !others.has(path));
    for (const path of dropped.sort((a, b) => b.length - a.length))
      removeAt(object, path, (below) => has(wanted.keys(), below) || has(others, below));
  }
  return {
    object,
    managedFields(stored) {
      const now = fieldsOf(stored);
      const next = entries.filter((entry) => !isOwn(entry));
      for (const { entry, paths } of contested) for (const path of paths) entry.fields.delete(path);
      for (const entry of next) for (const path of entry.fields) if (!now.has(path)) entry.fields.delete(path);
      const fields = new Set(wanted.keys());
      const unchanged = own !== undefined && contested.length === 0 && sameSet(own.fields, fields);
      next.push({
        manager: request.manager,
        operation: 'Apply',
        apiVersion: stored.apiVersion,
        time: unchanged && own !== undefined ? own.time : request.time,
        ...(request.subresource === undefined ? {} : { subresource: request.subresource }),
        fields,
      });
      return writeEntries(next);
    },
  };
}

function sameSet(left: Set<string>, right: Set<string>): boolean {
  return left.size === right.size && [...left].every((path) => right.has(path));
}

function conflictOf(contested: { entry: ManagerEntry; paths: string[] }[]): ApiStatusError {
  const causes: Json[] = [];
  const parts: string[] = [];
  for (const { entry, paths } of contested) {
    const sub = entry.subresource === undefined ? '' : ` with subresource ${JSON.stringify(entry.subresource)}`;
    const who = `with ${JSON.stringify(entry.manager)}${sub} using ${entry.apiVersion}`;
    const fields = paths.sort().map(printPath);
    for (const field of fields) causes.push({ reason: 'FieldManagerConflict', message: `conflict ${who}`, field });
    parts.push(
      fields.length === 1
        ? `conflict ${who}: ${fields[0]}`
        : `conflicts ${who}:\n${fields.map((field) => `- ${field}`).join('\n')}`,
    );
  }
  const total = causes.length === 1 ? '1 conflict' : `${causes.length} conflicts`;
  return failure(409, 'Conflict', `Apply failed with ${total}: ${parts.join('\n')}`, { causes });
}

function mergeObject(live: KubeObject, config: KubeObject): KubeObject {
  const shape = shapeOf(config.kind) ?? ANY;
  const out = live;
  for (const [key, value] of Object.entries(config)) {
    if (key === 'kind' || key === 'apiVersion') continue;
    if (key === 'metadata') {
      for (const [name, item] of Object.entries(value as Json)) {
        if (['labels', 'annotations', 'finalizers', 'ownerReferences'].includes(name)) {
          (out.metadata as Json)[name] = merge(child(METADATA, name), (out.metadata as Json)[name], item);
        }
      }
      // uid and resourceVersion in an applied object are preconditions.
      if (value.uid !== undefined) out.metadata.uid = value.uid;
      out.metadata.resourceVersion = value.resourceVersion;
    } else out[key] = merge(child(shape, key), out[key], value);
  }
  return out;
}

function merge(shape: Shape, live: Json, config: Json): Json {
  if (config === null || typeof config !== 'object' || live === undefined || live === null) return config;
  if (Array.isArray(config)) {
    if (shape.is !== 'list' || !Array.isArray(live)) return config;
    if (shape.set) return [...live, ...config.filter((item) => !live.includes(item))];
    if (shape.keys.length === 0) return config;
    const out = [...live];
    for (const item of config) {
      const at = out.findIndex((one) => keyOf(shape, one) === keyOf(shape, item));
      if (at < 0) out.push(item);
      else out[at] = merge(shape.item, out[at], item);
    }
    return out;
  }
  if ((shape.is === 'struct' || shape.is === 'map') && shape.atomic) return config;
  const out = { ...live };
  for (const [key, value] of Object.entries(config)) out[key] = merge(child(shape, key), out[key], value);
  return out;
}

function has(paths: Iterable<string>, prefix: string): boolean {
  for (const path of paths) if (path.startsWith(prefix)) return true;
  return false;
}

/** Takes the field at `path` out of `object`; an item or map in which anyone still has members stays. */
function removeAt(object: Json, path: string, inUse: (below: string) => boolean): void {
  if (inUse(`${path}${SEPARATOR}`)) return;
  const elements = path.split(SEPARATOR);
  const last = elements.pop() as string;
  let at = object;
  for (const element of elements) {
    at = step(at, element);
    if (at === undefined || at === null) return;
  }
  if (last.startsWith('f:')) {
    delete at[last.slice(2)];
    return;
  }
  const index = indexOf(at, last);
  if (index >= 0) at.splice(index, 1);
}

function step(at: Json, element: string): Json {
  if (element.startsWith('f:')) return at[element.slice(2)];
  const index = indexOf(at, element);
  return index < 0 ? undefined : at[index];
}

function indexOf(list: Json, element: string): number {
  if (!Array.isArray(list)) return -1;
  if (element.startsWith('v:')) return list.indexOf(JSON.parse(element.slice(2)));
  const key = JSON.parse(element.slice(2)) as Record<string, Json>;
  return list.findIndex((item) =>
    Object.entries(key).every(([name, value]) => (item?.[name] ?? (name === 'protocol' ? 'TCP' : undefined)) === value),
  );
}
