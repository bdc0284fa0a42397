/**
 * The smallest units of a change: one entry of a list in a pod template, before and after. From them come the JSON
 * Patches in both directions, computed on the live object, so that other people's changes stay.
 */
import { canonicalJson, templateOf, templatePath } from './fingerprint.ts';
import type { Json, JsonPatchOp, KubeObject } from './types.ts';

export type ContainerList = 'containers' | 'initContainers';

export type Edit =
  | {
      readonly kind: 'env';
      readonly list: ContainerList;
      readonly container: string;
      readonly name: string;
      readonly index: number;
      /** null: the entry is new. */
      readonly before: Json | null;
      readonly after: Json;
      /** A new entry goes first, because another one refers to it by `$(NAME)`. */
      readonly first?: boolean;
    }
  | {
      readonly kind: 'argument';
      readonly list: ContainerList;
      readonly container: string;
      readonly field: 'args' | 'command';
      readonly index: number;
      readonly before: string;
      readonly after: string;
    }
  | {
      readonly kind: 'volume';
      readonly name: string;
      readonly index: number;
      readonly before: Json;
      readonly after: Json;
    };

export type Side = 'before' | 'after';

const same = (a: Json, b: Json): boolean => canonicalJson(a) === canonicalJson(b);

interface Located {
  readonly list: Json[];
  /** JSON pointer inside the pod template. */
  readonly pointer: string;
  readonly container?: { readonly pointer: string; readonly name: string; readonly value: Json };
}

function locateList(template: Json, edit: Edit): Located | undefined {
  const spec = template?.spec ?? {};
  if (edit.kind === 'volume') return { list: spec.volumes ?? [], pointer: '/spec/volumes' };
  const at = (spec[edit.list] ?? []).findIndex((c: Json) => c.name === edit.container);
  if (at < 0) return undefined;
  const pointer = `/spec/${edit.list}/${at}`;
  const field = edit.kind === 'env' ? 'env' : edit.field;
  return {
    list: spec[edit.list][at][field] ?? [],
    pointer: `${pointer}/${field}`,
    container: { pointer, name: edit.container, value: spec[edit.list][at] },
  };
}

/** Where the entry stands now: at its recorded place if it is there, else wherever an equal one is. */
function indexOf(list: Json[], edit: Edit, side: Side): number {
  const wanted = side === 'before' ? edit.before : edit.after;
  if (wanted === null) return -1;
  if (edit.index < list.length && same(list[edit.index], wanted)) return edit.index;
  return list.findIndex((entry) => same(entry, wanted));
}

/** On which side is this entry of a live template? */
export function sideOf(template: Json, edit: Edit): Side | 'other' {
  const located = locateList(template, edit);
  if (!located) return 'other';
  if (indexOf(located.list, edit, 'after') >= 0) return 'after';
  if (edit.kind === 'env' && edit.before === null) {
    return located.list.some((entry) => entry.name === edit.name) ? 'other' : 'before';
  }
  return indexOf(located.list, edit, 'before') >= 0 ? 'before' : 'other';
}

/** All entries on one side, or `other` when they disagree or differ. */
export function sideOfAll(template: Json, edits: readonly Edit[]): Side | 'other' {
  const sides = new Set(edits.map((edit) => sideOf(template, edit)));
  if (sides.size !== 1) return 'other';
  return [...sides][0]!;
}

/** Which entries are not on that side, for a message. */
export const strangers = (template: Json, edits: readonly Edit[], side: Side): string[] =>
  edits.filter((edit) => sideOf(template, edit) !== side).map(editName);

export const editName = (edit: Edit): string =>
  edit.kind === 'env'
    ? `${edit.container}/${edit.name}`
    : edit.kind === 'argument'
      ? `${edit.container}/${edit.field}[${edit.index}]`
      : `volume ${edit.name}`;

/**
 * The JSON Patch that takes the live object to `to`, each entry guarded by a `test` of its old value, of its
 * container's name, and of the object's uid. Entries already there are left out. `undefined` when an entry is on
 * neither side: that is drift, and a human's decision.
 */
export function patchTo(live: KubeObject, edits: readonly Edit[], to: Side): JsonPatchOp[] | undefined {
  const template = templateOf(live);
  const root = templatePath(live.kind);
  const from: Side = to === 'after' ? 'before' : 'after';
  const tests: JsonPatchOp[] = [{ op: 'test', path: '/metadata/uid', value: live.metadata.uid }];
  if (to === 'after') tests.push(fenceGuard(live));
  const replaces: JsonPatchOp[] = [];
  const inserts: JsonPatchOp[] = [];
  const removes: { path: string; index: number; pointer: string }[] = [];
  const guarded = new Set<string>();
  const created = new Set<string>();
  for (const edit of edits) {
    const side = sideOf(template, edit);
    if (side === to) continue;
    if (side !== from) return undefined;
    const located = locateList(template, edit)!;
    const pointer = root + located.pointer;
    if (located.container && !guarded.has(located.container.pointer)) {
      guarded.add(located.container.pointer);
      tests.push({ op: 'test', path: `${root}${located.container.pointer}/name`, value: located.container.name });
    }
    const isNew = edit.kind === 'env' && edit.before === null;
    if (isNew && to === 'after') {
      if (located.list.length > 0 || created.has(pointer)) {
        // Absence of a name cannot be tested; the whole list can.
        if (located.list.length > 0 && !guarded.has(pointer)) {
          guarded.add(pointer);
          tests.push({ op: 'test', path: pointer, value: located.list });
        }
        inserts.push({
          op: 'add',
          path: `${pointer}/${edit.kind === 'env' && edit.first ? '0' : '-'}`,
          value: edit.after,
        });
      } else {
        created.add(pointer);
        // `add` would replace a list that appeared meanwhile: the whole container has to be as seen.
        if (located.container) {
          tests.push({ op: 'test', path: root + located.container.pointer, value: located.container.value });
        }
        inserts.push({ op: 'add', path: pointer, value: [edit.after] });
      }
      continue;
    }
    const index = indexOf(located.list, edit, from);
    const path = `${pointer}/${index}`;
    tests.push({ op: 'test', path, value: located.list[index] });
    if (isNew) removes.push({ path, index, pointer });
    else replaces.push({ op: 'replace', path, value: to === 'after' ? edit.after : edit.before });
  }
  // Higher places first: a removal moves everything behind it.
  removes.sort((a, b) => b.index - a.index);
  const changes: JsonPatchOp[] = [
    ...replaces,
    ...inserts,
    ...removes.map((r): JsonPatchOp => ({ op: 'remove', path: r.path })),
  ];
  return changes.length === 0 ? [] : [...tests, ...changes];
}

/**
 * What keeps a patch that was given up from landing late: after `fencePatch` this no longer holds.
 * A Deployment's generation counts its annotations; the other kinds' does not, so there the whole version is the guard.
 */
function fenceGuard(live: KubeObject): JsonPatchOp {
  const field = live.kind === 'Deployment' ? 'generation' : 'resourceVersion';
  return { op: 'test', path: `/metadata/${field}`, value: live.metadata[field] };
}

/** Names of what differs between two templates, as paths; long lists are cut. */
export function differences(before: Json, after: Json, limit = 12): string[] {
  const found: string[] = [];
  const walk = (a: Json, b: Json, path: string) => {
    if (found.length >= limit || same(a ?? null, b ?? null)) return;
    const both = (test: (v: Json) => boolean) => test(a) && test(b);
    if (both(Array.isArray) && a.length === b.length) {
      for (const [i, value] of a.entries()) walk(value, b[i], `${path}[${value?.name ?? i}]`);
    } else if (both((v) => v !== null && typeof v === 'object' && !Array.isArray(v))) {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
        walk(a[key], b[key], path ? `${path}.${key}` : key);
    } else found.push(path || '(all)');
  };
  walk(before, after, '');
  return found;
}
