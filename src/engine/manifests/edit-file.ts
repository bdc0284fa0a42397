/** Edits a file by its bytes, and believes none of it before it reads back as exactly the documents that were wanted. */
import { isDeepStrictEqual } from 'node:util';
import type { Edit } from '../kube/edits.ts';
import { templatePath } from '../kube/fingerprint.ts';
import type { Json } from '../kube/types.ts';
import { type Splice, spliced } from '../spliced.ts';
import { type ManifestObject, nodeAt, type Parsed, parseFile } from './documents.ts';
import { applied, listPath, type Move, standing, valueAt } from './entry.ts';
import { proposals, type Spot } from './splice.ts';

/** An edit that has a place in this file: which of its objects, and what for. */
export interface PlacedEdit {
  readonly edit: Edit;
  readonly move: Move;
  readonly document: number;
  /** Path of the object inside its document. */
  readonly path: readonly (string | number)[];
  /** The old value as an older version of the file wrote it. */
  readonly written?: string;
}

/** Path of the pod template of an object inside its document. */
export const templateIn = (object: Pick<ManifestObject, 'path' | 'value'>): (string | number)[] => [
  ...object.path,
  ...templatePath(object.value.kind).split('/').filter(Boolean),
];

/**
 * The text with all edits made. Undefined when that can't be done without changing more than they say: a value that others
 * share through an anchor, a mapping that is merged in.
 */
export function editText(text: string, edits: readonly PlacedEdit[]): string | undefined {
  const together = atOnce(text, edits);
  if (together !== undefined) return together;
  // An anchor stands before its aliases: edited in this order they follow it, in the other order they leave it first.
  const ordered = sortedByPlace(text, edits);
  return inTurn(text, ordered) ?? inTurn(text, ordered.toReversed());
}

const ALIAS = /(^|[\s,[{])\*[^\s,[\]{}]+\s*($|[,\]}#])/m;

/** All first proposals in one go: a file of a hundred workloads is read twice, and not twice for each. */
function atOnce(text: string, edits: readonly PlacedEdit[]): string | undefined {
  const parsed = parseFile(text);
  // With aliases the order decides what stays shared.
  if (!parsed || edits.length < 2 || ALIAS.test(text)) return undefined;
  let wanted = parsed.values as Json[];
  const all: Splice[] = [];
  for (const one of edits) {
    const { state, index } = standingIn(parsed, one);
    const [way] = state === 'from' ? proposals(parsed, spotOf(parsed, one, index), one.edit, one.move) : [];
    if (!way) return undefined;
    wanted = withEdit(wanted, one);
    all.push(...way);
  }
  all.sort((a, b) => a.start - b.start);
  if (all.some((one, at) => at > 0 && one.start <= all[at - 1]!.end)) return undefined;
  const next = parseFile(spliced(text, all));
  return next && same(next.values, wanted) ? next.text : undefined;
}

function inTurn(text: string, edits: readonly PlacedEdit[]): string | undefined {
  const start = parseFile(text);
  if (!start) return undefined;
  let wanted = start.values as Json[];
  for (const one of edits) wanted = withEdit(wanted, one);
  let at = start;
  for (const [index, one] of edits.entries()) {
    const state = standingIn(at, one);
    // The anchor that was edited before is where this one takes its value from.
    if (state.state === 'to') continue;
    if (state.state !== 'from') return undefined;
    const next = attempt(at, one, state.index, (values) =>
      index === edits.length - 1 ? same(values, wanted) : same(values, withEdit(at.values as Json[], one)),
    );
    // A shared value may change in more places at once; the end of the whole decides.
    const loose = next ?? attempt(at, one, state.index, () => true);
    if (!loose) return undefined;
    at = loose;
  }
  return same(at.values, wanted) ? at.text : undefined;
}

/** Documents are equal when they mean the same; an empty list of variables is none. */
const same = (a: readonly Json[], b: readonly Json[]): boolean => isDeepStrictEqual(withoutEmpty(a), withoutEmpty(b));

function withoutEmpty(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) =>
      (Array.isArray(one) && one.length === 0) || (one === null && (key === 'env' || key === 'args'))
        ? []
        : [[key, withoutEmpty(one)]],
    ),
  );
}

function standingIn(parsed: Parsed, one: PlacedEdit) {
  return standing(valueAt(parsed.values[one.document], templatePathOf(parsed.values, one)), one.edit, one.move);
}

function templatePathOf(values: readonly Json[], one: PlacedEdit): (string | number)[] {
  return templateIn({ path: one.path, value: valueAt(values[one.document], one.path) });
}

function withEdit(values: readonly Json[], one: PlacedEdit): Json[] {
  const path = templatePathOf(values, one);
  const template = valueAt(values[one.document], path);
  const { state, index } = standing(template, one.edit, one.move);
  if (state !== 'from') return [...values];
  const document = structuredClone(values[one.document]);
  valueAt(document, path.slice(0, -1))[path.at(-1)!] = applied(template, one.edit, one.move, index);
  return values.map((value, at) => (at === one.document ? document : value));
}

function attempt(
  parsed: Parsed,
  one: PlacedEdit,
  index: number | undefined,
  isRight: (values: readonly Json[]) => boolean,
): Parsed | undefined {
  for (const way of proposals(parsed, spotOf(parsed, one, index), one.edit, one.move)) {
    const next = parseFile(spliced(parsed.text, way));
    if (next && isRight(next.values) && standingIn(next, one).state === 'to') return next;
  }
  return undefined;
}

const spotOf = (parsed: Parsed, one: PlacedEdit, index: number | undefined): Spot => ({
  document: one.document,
  template: templatePathOf(parsed.values, one),
  index,
  ...(one.written === undefined ? {} : { written: one.written }),
});

function sortedByPlace(text: string, edits: readonly PlacedEdit[]): PlacedEdit[] {
  const parsed = parseFile(text);
  if (!parsed) return [...edits];
  return edits
    .map((one) => ({ one, at: offsetOf(parsed, one) }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

/** Where an edit's entry, or its container, begins in the text. */
export function offsetOf(parsed: Parsed, one: PlacedEdit): number {
  const path = templatePathOf(parsed.values, one);
  const template = valueAt(parsed.values[one.document], path);
  const list = listPath(template, one.edit);
  const { index } = standing(template, one.edit, one.move);
  const document = parsed.documents[one.document]!;
  for (const tail of list === undefined ? [] : [index === undefined ? list.slice(0, -1) : [...list, index], list]) {
    const range = nodeAt(document, [...path, ...tail])?.range;
    if (range) return range[0];
  }
  return nodeAt(document, one.path)?.range?.[0] ?? 0;
}
