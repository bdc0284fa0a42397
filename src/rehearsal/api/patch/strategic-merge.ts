/**
 * Strategic merge patch: merge patch that knows lists by their merge keys, with the directives kubectl sends (`$patch`,
 * `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`; apimachinery `strategicpatch/patch.go`).
 */
import type { Json } from '../../contract.ts';
import { badRequest } from '../errors.ts';
import { ANY, child, type Shape, shapeOf } from '../registry/shapes.ts';

const ORDER = '$setElementOrder/';
const REMOVE = '$deleteFromPrimitiveList/';

/** `patch` merged into `document`, an object of `kind`. Throws 400 when a list item lacks its merge key. */
export function applyStrategicMerge(kind: string, document: Json, patch: Json): Json {
  return mergeMap(shapeOf(kind) ?? ANY, document, patch);
}

function mergeMap(shape: Shape, current: Json, patch: Json): Json {
  if (patch.$patch === 'replace') {
    const { $patch: _directive, ...rest } = patch;
    return rest;
  }
  if (patch.$patch === 'delete') return {};
  const out: Json = { ...(isMap(current) ? current : {}) };
  if (Array.isArray(patch.$retainKeys)) {
    for (const key of Object.keys(out)) if (!patch.$retainKeys.includes(key)) delete out[key];
  }
  for (const [key, value] of Object.entries(patch) as [string, Json][]) {
    if (key === '$patch' || key === '$retainKeys' || key.startsWith(ORDER)) continue;
    if (key.startsWith(REMOVE)) {
      const name = key.slice(REMOVE.length);
      if (Array.isArray(out[name])) out[name] = out[name].filter((item: Json) => !value.includes(item));
      continue;
    }
    if (value === null) delete out[key];
    else out[key] = mergeValue(child(shape, key), out[key], value, patch[`${ORDER}${key}`]);
  }
  // An order without a list of changes still orders what is there.
  for (const [key, order] of Object.entries(patch) as [string, Json][]) {
    if (!key.startsWith(ORDER)) continue;
    const name = key.slice(ORDER.length);
    if (patch[name] === undefined && Array.isArray(out[name])) {
      out[name] = mergeValue(child(shape, name), out[name], [], order);
    }
  }
  return out;
}

function isMap(value: Json): boolean {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function mergeValue(shape: Shape, current: Json, patch: Json, order: Json): Json {
  if (isMap(patch)) {
    // A nested map that doesn't exist yet is merged all the same, so that directives in it are carried out.
    return mergeMap(shape, current, patch);
  }
  if (!Array.isArray(patch) || shape.is !== 'list') return patch;
  if (shape.set) return mergeSet(current, patch, order);
  if (shape.keys.length === 0) return patch;
  return mergeList(shape, Array.isArray(current) ? current : [], patch, order);
}

function mergeSet(current: Json, patch: Json[], order: Json): Json[] {
  const have: Json[] = Array.isArray(current) ? current : [];
  const merged = [...have, ...patch.filter((item) => !have.includes(item))];
  return Array.isArray(order) ? inOrder(merged, have, order, (item) => item) : merged;
}

function mergeList(shape: Shape & { is: 'list' }, current: Json[], patch: Json[], order: Json): Json[] {
  const key = shape.keys[0] as string;
  const replacing = patch.some((item) => isMap(item) && item.$patch === 'replace' && item[key] === undefined);
  if (replacing) return patch.filter((item) => item.$patch !== 'replace');
  let out = [...current];
  for (const item of patch) {
    if (item?.[key] === undefined) {
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    }
    const at = out.findIndex((one) => one?.[key] === item[key]);
    if (item.$patch === 'delete') out = out.filter((one) => one?.[key] !== item[key]);
    else if (at >= 0) out[at] = mergeMap(shape.item, out[at], item);
    else out.push(mergeMap(shape.item, {}, item));
  }
  if (!Array.isArray(order)) return out;
  return inOrder(
    out,
    current.map((item) => item[key]),
    order.map((item) => item[key]),
    (item) => item[key],
  );
}

/** Items named in `order` in that order; the server's own stay where they stood among them. */
function inOrder(items: Json[], before: Json[], order: Json[], idOf: (item: Json) => Json): Json[] {
  const named = items
    .filter((item) => order.includes(idOf(item)))
    .sort((a, b) => order.indexOf(idOf(a)) - order.indexOf(idOf(b)));
  const own = items.filter((item) => !order.includes(idOf(item)));
  const out: Json[] = [];
  while (named.length > 0 || own.length > 0) {
    const left = named.length > 0 ? before.indexOf(idOf(named[0])) : -1;
    const right = own.length > 0 ? before.indexOf(idOf(own[0])) : -1;
    const ownFirst = named.length === 0 || (own.length > 0 && left >= 0 && right >= 0 && right < left);
    out.push(ownFirst ? own.shift() : named.shift());
  }
  return out;
}
