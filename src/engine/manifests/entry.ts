/** How a document stands to an edit: does it hold the entry as it was, as it will be, as something else, or not at all? */
import type { Edit } from '../kube/edits.ts';
import { canonicalJson } from '../kube/fingerprint.ts';
import type { Json } from '../kube/types.ts';
import type { Direction } from './types.ts';

/** From what to what an entry goes; `null` is an entry that is not there. */
export interface Move {
  readonly from: Json | null;
  readonly to: Json | null;
}

export const moveOf = (edit: Edit, direction: Direction): Move =>
  direction === 'forward' ? { from: edit.before, to: edit.after } : { from: edit.after, to: edit.before };

export interface Standing {
  /** `absent`: this document says nothing about the entry, another one may (a patch of an overlay). */
  readonly state: 'from' | 'to' | 'differs' | 'absent';
  /** Where the entry is in its list. */
  readonly index?: number;
}

/** Fields that the API server fills in when a manifest leaves them out. */
const FILLED_IN = new Set(['defaultMode', 'expirationSeconds', 'apiVersion']);

/** Does what is written mean what is live? The server adds defaults, and drops empty strings. */
export function agrees(written: Json, live: Json): boolean {
  if (Array.isArray(written)) {
    return Array.isArray(live) && written.length === live.length && written.every((one, at) => agrees(one, live[at]));
  }
  if (written === null || typeof written !== 'object') return canonicalJson(written) === canonicalJson(live);
  if (live === null || typeof live !== 'object' || Array.isArray(live)) return false;
  const said = (value: Json) => Object.keys(value).filter((key) => value[key] !== null && value[key] !== '');
  return (
    said(written).every((key) => agrees(written[key], live[key])) &&
    said(live).every((key) => written[key] !== undefined || FILLED_IN.has(key))
  );
}

const withName = (list: Json, name: string): number[] =>
  Array.isArray(list) ? list.flatMap((one: Json, index) => (one?.name === name ? [index] : [])) : [];

/** The list that an edit works on, as keys below the pod template; undefined when its container is not in this document. */
export function listPath(template: Json, edit: Edit): (string | number)[] | undefined {
  if (edit.kind === 'volume') return ['spec', 'volumes'];
  const containers = template?.spec?.[edit.list];
  const at = withName(containers, edit.container)[0];
  if (at === undefined) return undefined;
  return ['spec', edit.list, at, edit.kind === 'env' ? 'env' : edit.field];
}

export const valueAt = (root: Json, path: readonly (string | number)[]): Json =>
  path.reduce((at: Json, key) => at?.[key], root);

/** `template`: the pod template of a document, or the part of it that a patch holds. */
export function standing(template: Json, edit: Edit, move: Move): Standing {
  const path = listPath(template, edit);
  if (path === undefined) return { state: 'absent' };
  const list: Json = valueAt(template, path) ?? [];
  if (!Array.isArray(list)) return { state: 'absent' };
  if (edit.kind === 'argument') return argument(list, edit.index, move);
  const named = withName(list, edit.name);
  if (named.length === 0) {
    if (edit.kind === 'env' && move.from === null) return { state: 'from' };
    if (edit.kind === 'env' && move.to === null) return { state: 'to' };
    return { state: 'absent' };
  }
  const hit = (wanted: Json | null) =>
    wanted === null ? undefined : named.findLast((index) => agrees(list[index], wanted));
  const there = hit(move.to);
  if (there !== undefined) return { state: 'to', index: there };
  const here = hit(move.from);
  return here === undefined ? { state: 'differs', index: named.at(-1)! } : { state: 'from', index: here };
}

/** An argument has no name: its place tells it from an equal one, and elsewhere it is known only where nothing equals it. */
function argument(list: readonly Json[], wanted: number, move: Move): Standing {
  if (list.length === 0) return { state: 'absent' };
  const isEither = (text: Json) => text === move.to || text === move.from;
  const places = isEither(list[wanted]) ? [wanted] : list.flatMap((text, at) => (isEither(text) ? [at] : []));
  const [index] = places;
  if (index === undefined || places.length > 1) return { state: 'differs' };
  return { state: list[index] === move.to ? 'to' : 'from', index };
}

/** The same on plain data: what the edited document must say. `entry` is where the entry is, or undefined for a new one. */
export function applied(template: Json, edit: Edit, move: Move, index: number | undefined): Json {
  const out = structuredClone(template);
  const path = listPath(out, edit)!;
  const holder = valueAt(out, path.slice(0, -1));
  const field = path.at(-1)!;
  holder[field] ??= [];
  const list: Json[] = holder[field];
  if (move.to === null) list.splice(index!, 1);
  else if (index === undefined) {
    if (edit.kind === 'env' && edit.first) list.unshift(move.to);
    else list.push(move.to);
  } else list[index] = edit.kind === 'argument' ? move.to : changed(list[index], move.from, move.to);
  if (list.length === 0) delete holder[field];
  return out;
}

/** What differs between `from` and `to`, changed in `written`; what it leaves to the server stays left out. */
function changed(written: Json, from: Json, to: Json): Json {
  if (canonicalJson(from) === canonicalJson(to)) return written;
  if (Array.isArray(from) && Array.isArray(to) && Array.isArray(written) && from.length === to.length) {
    return written.map((one, at) => changed(one, from[at], to[at]));
  }
  const plain = (value: Json) => value !== null && typeof value === 'object' && !Array.isArray(value);
  if (!plain(from) || !plain(to) || !plain(written)) return to;
  const out: Json = {};
  for (const key of Object.keys(written)) if (key in to) out[key] = changed(written[key], from[key], to[key]);
  for (const key of Object.keys(to)) if (!(key in from)) out[key] = to[key];
  return out;
}
