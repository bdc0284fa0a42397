/**
 * Who owns which field: `metadata.managedFields`, kept per manager and operation as structured-merge-diff keeps it.
 * A field is a path of elements `f:name`, `k:{"name":"X"}` (an item of a keyed list) and `v:"x"` (an item of a set).
 */
import type { Json, KubeObject } from '../../contract.ts';
import { same } from '../registry/canonical.ts';
import { ANY, child, METADATA, type Shape, shapeOf } from '../registry/shapes.ts';

const SEPARATOR = '\u001f';
const CONTAINER = Symbol('container');

/** Path to leaf value; containers that are members themselves carry `CONTAINER`. */
export type FieldMap = Map<string, Json>;

/** System fields nobody owns. */
const UNOWNED = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
  'generateName',
]);

/** All fields of `object`, each with its value. */
export function fieldsOf(object: KubeObject): FieldMap {
  const out: FieldMap = new Map();
  const shape = shapeOf(object.kind);
  for (const [key, value] of Object.entries(object)) {
    if (key === 'apiVersion' || key === 'kind') continue;
    // Nobody owns the empty status of a new object.
    if (key === 'status' && Object.keys(value ?? {}).length === 0) continue;
    if (key === 'metadata') {
      for (const [name, item] of Object.entries(value ?? {})) {
        if (!UNOWNED.has(name)) collect(child(METADATA, name), item, `f:metadata${SEPARATOR}f:${name}`, out);
      }
      continue;
    }
    collect(shape === undefined ? ANY : child(shape, key), value, `f:${key}`, out);
  }
  return out;
}

function collect(shape: Shape, value: Json, path: string, out: FieldMap): void {
  if (value === undefined) return;
  const open = shape.is === 'any' && value !== null && typeof value === 'object' && !Array.isArray(value);
  if (open || (shape.is === 'struct' && !shape.atomic) || (shape.is === 'map' && !shape.atomic)) {
    const entries = Object.entries(value ?? {});
    if (entries.length === 0) out.set(path, value);
    else if (isMember(shape, path)) out.set(path, CONTAINER);
    for (const [key, item] of entries) collect(child(shape, key), item, `${path}${SEPARATOR}f:${key}`, out);
    return;
  }
  if (shape.is === 'list' && Array.isArray(value) && (shape.set || shape.keys.length > 0)) {
    out.set(path, CONTAINER);
    for (const item of value) {
      if (shape.set) {
        out.set(`${path}${SEPARATOR}v:${JSON.stringify(item)}`, item);
        continue;
      }
      const at = `${path}${SEPARATOR}k:${keyOf(shape, item)}`;
      out.set(at, CONTAINER);
      for (const [key, inner] of Object.entries(item)) {
        collect(child(shape.item, key), inner, `${at}${SEPARATOR}f:${key}`, out);
      }
    }
    return;
  }
  out.set(path, value);
}

/** Structs that are printed even when empty, but aren't pointers. */
const PLAIN_STRUCTS = new Set([
  'ObjectMeta',
  'DeploymentStrategy',
  'StatefulSetUpdateStrategy',
  'DaemonSetUpdateStrategy',
]);

/** Whether a container of fields is a field itself (`.`): maps, pointers and open objects are, plain structs aren't. */
function isMember(shape: Shape, path: string): boolean {
  if (shape.is === 'map') return true;
  if (shape.is === 'struct') return shape.pointer && !PLAIN_STRUCTS.has(shape.name);
  return path.includes(SEPARATOR);
}

/** `{"containerPort":80,"protocol":"TCP"}`: the keys of a list item in the schema's order. */
export function keyOf(shape: Shape & { is: 'list' }, item: Json): string {
  const key: Json = {};
  for (const name of shape.keys) {
    const value = item?.[name] ?? (name === 'protocol' ? 'TCP' : undefined);
    if (value !== undefined) key[name] = value;
  }
  return JSON.stringify(key);
}

/** `fieldsV1` of a set of paths. */
export function encode(paths: Iterable<string>): Json {
  const root: Json = {};
  const sorted = [...paths].sort();
  for (const path of sorted) {
    let at = root;
    for (const element of path.split(SEPARATOR)) {
      at[element] ??= {};
      at = at[element];
    }
    at['.'] = {};
  }
  return strip(root);
}

/** A member without members below is written `{}`; only inner members need the `.`. */
function strip(node: Json): Json {
  const keys = Object.keys(node);
  if (keys.length === 1 && keys[0] === '.') return {};
  const out: Json = {};
  if (node['.'] !== undefined) out['.'] = {};
  for (const key of keys) if (key !== '.') out[key] = strip(node[key]);
  return out;
}

export function decodeFields(fieldsV1: Json): Set<string> {
  const out = new Set<string>();
  const walk = (node: Json, path: string): void => {
    const keys = Object.keys(node);
    if (keys.length === 0 && path !== '') out.add(path);
    for (const key of keys) {
      if (key === '.') out.add(path);
      else walk(node[key], path === '' ? key : `${path}${SEPARATOR}${key}`);
    }
  };
  walk(fieldsV1 ?? {}, '');
  return out;
}

export interface ManagerEntry {
  manager: string;
  operation: 'Update' | 'Apply';
  apiVersion: string;
  time: string;
  subresource?: string;
  fields: Set<string>;
}

export function readEntries(managedFields: Json[] | undefined): ManagerEntry[] {
  return (managedFields ?? []).map((entry) => ({
    manager: entry.manager,
    operation: entry.operation,
    apiVersion: entry.apiVersion,
    time: entry.time,
    subresource: entry.subresource,
    fields: decodeFields(entry.fieldsV1),
  }));
}

export function writeEntries(entries: ManagerEntry[]): Json[] {
  return entries
    .filter((entry) => entry.fields.size > 0)
    .sort((a, b) =>
      a.operation === b.operation ? (a.time < b.time ? -1 : a.time > b.time ? 1 : 0) : a.operation === 'Apply' ? -1 : 1,
    )
    .map((entry) => ({
      manager: entry.manager,
      operation: entry.operation,
      apiVersion: entry.apiVersion,
      time: entry.time,
      fieldsType: 'FieldsV1',
      fieldsV1: encode(entry.fields),
      ...(entry.subresource === undefined ? {} : { subresource: entry.subresource }),
    }));
}

const STATUS_KINDS = new Set([
  'Pod',
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'Service',
  'Namespace',
  'Node',
]);

function definitionHasStatus(kind: string): boolean {
  return STATUS_KINDS.has(kind);
}

/** Takes new status fields out of `now`, unless they were there before. */
function dropStatus(now: FieldMap, old: FieldMap): void {
  for (const path of now.keys()) if (path.startsWith('f:status') && !old.has(path)) now.delete(path);
}

export interface Writer {
  manager: string;
  operation: 'Update' | 'Apply';
  subresource?: string;
  /** RFC 3339, whole seconds. */
  time: string;
}

/** `managedFields` after `writer` turned `before` into `after` (a create has no `before`). */
export function trackUpdate(before: KubeObject | undefined, after: KubeObject, writer: Writer): Json[] {
  const old = before === undefined ? new Map() : fieldsOf(before);
  const now = fieldsOf(after);
  // The status belongs to whoever writes the status subresource, never to a writer of the object itself.
  if (writer.subresource !== 'status' && definitionHasStatus(after.kind)) dropStatus(now, old);
  const changed = new Set<string>();
  for (const [path, value] of now) {
    if (!old.has(path) || (value !== CONTAINER && !same(old.get(path), value))) changed.add(path);
  }
  const entries = readEntries(before?.metadata.managedFields);
  const apiVersion = after.apiVersion;
  let own = entries.find(
    (entry) =>
      entry.manager === writer.manager && entry.operation === 'Update' && entry.subresource === writer.subresource,
  );
  let lost = false;
  for (const entry of entries) {
    for (const path of entry.fields) {
      // A container stays with all who have members in it; a value belongs to whoever wrote it last.
      if (!now.has(path) || (entry !== own && changed.has(path) && now.get(path) !== CONTAINER)) {
        entry.fields.delete(path);
        lost = true;
      }
    }
  }
  if (changed.size > 0) {
    if (own === undefined) {
      own = { ...writer, operation: 'Update', apiVersion, fields: new Set() };
      entries.push(own);
    }
    for (const path of changed) own.fields.add(path);
    own.time = writer.time;
    own.apiVersion = apiVersion;
  } else if (!lost) return before?.metadata.managedFields ?? [];
  return writeEntries(entries);
}

/** `.spec.template.spec.containers[name="app"].env[name="X"].value`: a path as conflicts print it. */
export function printPath(path: string): string {
  return path
    .split(SEPARATOR)
    .map((element) => {
      if (element.startsWith('f:')) return `.${element.slice(2)}`;
      if (element.startsWith('v:')) return `[=${element.slice(2)}]`;
      const key = JSON.parse(element.slice(2)) as Record<string, Json>;
      return `[${Object.entries(key)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(',')}]`;
    })
    .join('');
}

export { CONTAINER, SEPARATOR };
