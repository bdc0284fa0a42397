/**
 * One edit of one document, as a change of its bytes: found by the nodes of the parsed document, made in the text, so that
 * comments, order, quoting, indentation and line ends of everything else stay. Each way of writing is a proposal; the caller
 * (`edit-file.ts`) takes the first that reads back as exactly what is wanted.
 */
import { isAlias, isMap, isScalar, isSeq, Scalar, stringify, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Edit } from '../kube/edits.ts';
import { canonicalJson } from '../kube/fingerprint.ts';
import type { Json } from '../kube/types.ts';
import type { Splice } from '../spliced.ts';
import { nodeAt, ownPair, type Parsed } from './documents.ts';
import { listPath, type Move, valueAt } from './entry.ts';

/** Where an edit goes: a pod template inside a document, and the entry's place in its list. */
export interface Spot {
  readonly document: number;
  readonly template: readonly (string | number)[];
  readonly index: number | undefined;
  /** Text of the old value as an older version of the file wrote it, quotes and all. */
  readonly written?: string;
}

interface Ranged {
  readonly range?: readonly [number, number, number] | null;
}

/** Ways to make the edit, best first; each is a list of splices that do not overlap. */
export function proposals(parsed: Parsed, spot: Spot, edit: Edit, move: Move): Splice[][] {
  const document = parsed.documents[spot.document]!;
  const template = valueAt(parsed.values[spot.document], spot.template);
  const path = [...spot.template, ...listPath(template, edit)!];
  const list = nodeAt(document, path);
  if (spot.index === undefined) return insertions(parsed, spot, path, edit, move.to);
  if (!isSeq(list)) return [];
  const item = list.items[spot.index];
  if (move.to === null) return removals(parsed.text, path, list, spot.index, document);
  if (isAlias(item)) return one(rangeOf(item), flowText(move.to, false));
  if (isScalar(item)) {
    const old = spot.written === undefined ? [] : one(rangeOf(item), spot.written);
    return [...old, ...scalars(parsed.text, item, move.from, move.to)];
  }
  return isMap(item) ? mapping(parsed.text, item, move.from, move.to, spot.written) : [];
}

const rangeOf = (node: unknown): readonly [number, number] => {
  const range = (node as Ranged | undefined)?.range;
  return range ? [range[0], range[1]] : [-1, -1];
};

const one = ([start, end]: readonly [number, number], text: string): Splice[][] =>
  start < 0 ? [] : [[{ start, end, text }]];

/** All ways to go from one mapping to the other, field by field. */
function mapping(text: string, map: YAMLMap, from: Json, to: Json, written: string | undefined): Splice[][] {
  const differing = Object.keys(to).filter((key) => key in from && canonicalJson(from[key]) !== canonicalJson(to[key]));
  const gone = Object.keys(from).filter((key) => !(key in to));
  const come = Object.keys(to).filter((key) => !(key in from));
  let ways: Splice[][] = [[]];
  const and = (more: Splice[][]) => {
    ways = ways.flatMap((way) => more.map((next) => [...way, ...next])).slice(0, 32);
  };
  for (const key of differing) and(field(text, map, key, from[key], to[key]));
  if (gone.length === 0 && come.length === 0) return ways;
  // One field takes the place of another: `value` and `valueFrom`, `configMapKeyRef` and `secretKeyRef`.
  if (gone.length !== 1 || come.length !== 1) return [];
  and(exchange(text, map, [gone[0]!, from[gone[0]!]], [come[0]!, to[come[0]!]], written));
  return ways;
}

function field(text: string, map: YAMLMap, key: string, from: Json, to: Json): Splice[][] {
  const node = ownPair(map, key)?.value;
  if (isAlias(node)) return one(rangeOf(node), flowText(to, isFlow(text, map)));
  if (isScalar(node)) return scalars(text, node, from, to);
  if (isMap(node)) return mapping(text, node, from, to, undefined);
  if (isSeq(node) && Array.isArray(from) && Array.isArray(to) && from.length === to.length) {
    let ways: Splice[][] = [[]];
    for (const [index, item] of node.items.entries()) {
      if (canonicalJson(from[index]) === canonicalJson(to[index])) continue;
      const more = isMap(item) ? mapping(text, item, from[index], to[index], undefined) : [];
      ways = ways.flatMap((way) => more.map((next) => [...way, ...next]));
    }
    return ways;
  }
  return [];
}

function exchange(
  text: string,
  map: YAMLMap,
  [gone, from]: [string, Json],
  [come, to]: [string, Json],
  written: string | undefined,
): Splice[][] {
  const pair = ownPair(map, gone);
  if (!pair) return [];
  const [keyStart, keyEnd] = rangeOf(pair.key);
  const end = contentEnd(text, pair.value);
  if (keyStart < 0 || end < 0) return [];
  const quoted = text[keyStart] === '"';
  const name = quoted ? JSON.stringify(come) : come;
  const ways: Splice[][] = [];
  if (isMap(pair.value) && canonicalJson(Object.keys(from).sort()) === canonicalJson(Object.keys(to).sort())) {
    const inner = mapping(text, pair.value, from, to, undefined);
    ways.push(...inner.map((way) => [{ start: keyStart, end: keyEnd, text: name }, ...way]));
  }
  if (written !== undefined) ways.push([{ start: keyStart, end, text: `${name}: ${written}` }]);
  const flow = isFlow(text, map);
  const body =
    typeof to === 'string'
      ? ` ${quoted ? JSON.stringify(to) : plain(to, flow)}`
      : flow
        ? ` ${spread(text, map, keyStart, to, quoted)}`
        : `${endOfLine(text)}${indent(blockText(to, stepOf(text, map)), columnOf(text, keyStart) + stepOf(text, map), text)}`;
  ways.push([{ start: keyStart, end, text: `${name}:${body}` }]);
  return ways;
}

/** A flow value that keeps the look of its mapping: on one line, or spread over lines as pretty JSON is. */
function spread(text: string, map: YAMLMap, keyStart: number, value: Json, quoted: boolean): string {
  const [start, end] = rangeOf(map);
  if (!quoted || !text.slice(start, end).includes('\n')) return flowText(value, quoted);
  const column = columnOf(text, keyStart);
  return prettyJson(text, value, column, column - /^[ \t]*/.exec(text.slice(lineStart(text, start)))![0].length);
}

/** JSON over several lines, its first one in that column; an indentation of nothing is one blank. */
function prettyJson(text: string, value: Json, column: number, step: number): string {
  const lines = JSON.stringify(value, null, Math.max(1, step)).split('\n');
  return lines.map((line, at) => (at === 0 ? line : `${' '.repeat(column)}${line}`)).join(endOfLine(text));
}

/** A new entry at the head or the end of its list, or a new list in its container. */
function insertions(
  parsed: Parsed,
  spot: Spot,
  path: readonly (string | number)[],
  edit: Edit,
  entry: Json,
): Splice[][] {
  const { text } = parsed;
  const document = parsed.documents[spot.document]!;
  const container = nodeAt(document, path.slice(0, -1));
  if (!isMap(container)) return [];
  const pair = ownPair(container, String(path.at(-1)));
  const eol = endOfLine(text);
  if (pair && isSeq(pair.value)) {
    const { value: list } = pair;
    if (isFlow(text, list)) return flowInsertion(text, list, entry, edit.kind === 'env' && edit.first === true);
    const dash = dashOf(list, edit.kind === 'env' && edit.first ? 0 : list.items.length - 1);
    if (dash === undefined) return [];
    const lines = `${indent(itemText(entry, stepOf(text, container)), columnOf(text, dash), text)}${eol}`;
    if (edit.kind === 'env' && edit.first) return one([lineStart(text, dash), lineStart(text, dash)], lines);
    return afterLine(text, contentEnd(text, list.items.at(-1)), lines);
  }
  const after = ['image', 'name'].map((key) => ownPair(container, key)).find((one) => one !== undefined);
  if (pair !== undefined && !isNull(pair.value)) return [];
  if (isFlow(text, container)) {
    if (pair !== undefined || after === undefined) return [];
    const [, end] = rangeOf(after.value);
    const quoted = text[rangeOf(after.key)[0]] === '"';
    const name = quoted ? '"env"' : 'env';
    if (!quoted || !text.slice(...rangeOf(container)).includes('\n')) {
      return one([end, end], `, ${name}: ${flowText([entry], quoted)}`);
    }
    const keyStart = rangeOf(after.key)[0];
    const newLine = eol + ' '.repeat(columnOf(text, keyStart));
    return one([end, end], `,${newLine}${name}: ${spread(text, container, keyStart, [entry], quoted)}`);
  }
  const beside = pair ?? after;
  if (beside === undefined) return [];
  const column = columnOf(text, rangeOf(beside.key)[0]);
  const inner = `${indent(itemText(entry, stepOf(text, container)), column + listStep(text, container), text)}${eol}`;
  const at = pair === undefined ? contentEnd(text, after?.value) : rangeOf(pair.key)[1];
  return afterLine(text, at, pair === undefined ? `${' '.repeat(column)}env:${eol}${inner}` : inner);
}

function flowInsertion(text: string, list: YAMLSeq, entry: Json, first: boolean): Splice[][] {
  const [start] = rangeOf(list);
  const head = list.items[0];
  const tail = list.items.at(-1);
  if (head === undefined || tail === undefined) return one([start + 1, start + 1], flowText(entry, isJson(text)));
  const [headStart] = rangeOf(head);
  const quoted = isMap(head) && text[rangeOf(head.items[0]?.key)[0]] === '"';
  const between = text.slice(start + 1, headStart);
  const lines = between.includes('\n');
  const shown =
    lines && quoted && isMap(head) ? pretty(text, headStart, entry, head as YAMLMap) : flowText(entry, quoted);
  const gap = lines ? `${endOfLine(text)}${' '.repeat(columnOf(text, headStart))}` : ' ';
  return first
    ? one([headStart, headStart], `${shown},${gap}`)
    : one([rangeOf(tail)[1], rangeOf(tail)[1]], `,${gap}${shown}`);
}

/** A new item beside pretty ones is as pretty. */
function pretty(text: string, start: number, entry: Json, beside: YAMLMap): string {
  if (!text.slice(...rangeOf(beside)).includes('\n')) return flowText(entry, true);
  const column = columnOf(text, start);
  return prettyJson(text, entry, column, columnOf(text, rangeOf(beside.items[0]?.key)[0]) - column);
}

/** Takes an entry out, with its line; a list that it was alone in goes with it. */
function removals(
  text: string,
  path: readonly (string | number)[],
  list: YAMLSeq,
  index: number,
  document: Parsed['documents'][number],
): Splice[][] {
  const item = list.items[index];
  if (isFlow(text, list)) {
    const before = list.items[index - 1];
    const after = list.items[index + 1];
    const [start, end] = rangeOf(item);
    if (before !== undefined) return one([rangeOf(before)[1], end], '');
    if (after !== undefined) return one([start, rangeOf(after)[0]], '');
    return [
      ...flowPairRemoval(text, nodeAt(document, path.slice(0, -1)), String(path.at(-1))),
      ...one([start, end], ''),
    ];
  }
  const dash = dashOf(list, index);
  if (dash === undefined) return [];
  const end = lineEnd(text, contentEnd(text, item));
  if (list.items.length > 1) return one([lineStart(text, dash), end], '');
  const container = nodeAt(document, path.slice(0, -1));
  const pair = isMap(container) ? ownPair(container, String(path.at(-1))) : undefined;
  if (!pair) return [];
  return one([lineStart(text, rangeOf(pair.key)[0]), end], '');
}

function flowPairRemoval(text: string, container: unknown, key: string): Splice[][] {
  if (!isMap(container)) return [];
  const at = container.items.findIndex((pair) => (isScalar(pair.key) ? pair.key.value : pair.key) === key);
  const previous = container.items[at - 1];
  const pair = container.items[at];
  if (!previous || !pair) return [];
  return one([contentEnd(text, previous.value), contentEnd(text, pair.value)], '');
}

/** A scalar with another text: its changed words in place, else written anew in its own style, else quoted. */
function scalars(text: string, node: Scalar, from: Json, to: Json): Splice[][] {
  const [start, full] = rangeOf(node);
  if (start < 0 || typeof to !== 'string') return [];
  const block = node.type === Scalar.BLOCK_FOLDED || node.type === Scalar.BLOCK_LITERAL;
  const source = text.slice(start, full);
  const ways: string[] = [];
  if (typeof from === 'string') {
    for (const [old, now] of [[from.replace(/\n+$/, ''), to.replace(/\n+$/, '')] as const, ...changedWords(from, to)]) {
      const at = source.indexOf(old);
      if (old !== '' && at >= 0 && source.indexOf(old, at + 1) < 0) {
        ways.push(source.slice(0, at) + now + source.slice(at + old.length));
      }
    }
  }
  if (!block) {
    const quoted = JSON.stringify(to);
    if (node.type === Scalar.QUOTE_DOUBLE) ways.push(quoted);
    else if (node.type === Scalar.QUOTE_SINGLE) ways.push(`'${to.replaceAll("'", "''")}'`, quoted);
    else ways.push(plain(to, false), quoted);
  }
  return ways.map((way) => [{ start, end: full, text: way }]);
}

/** The words of a text around its one changed stretch: what a line of a block scalar holds. */
function changedWords(from: string, to: string): (readonly [string, string])[] {
  let head = 0;
  while (head < from.length && head < to.length && from[head] === to[head]) head += 1;
  let tail = 0;
  while (tail < from.length - head && tail < to.length - head && from.at(-1 - tail) === to.at(-1 - tail)) tail += 1;
  while (head > 0 && !/\s/.test(from[head - 1]!)) head -= 1;
  while (tail > 0 && !/\s/.test(from[from.length - tail]!)) tail -= 1;
  return [[from.slice(head, from.length - tail), to.slice(head, to.length - tail)]];
}

/** End of what a node says: without the comments and blank lines that its range may take in. */
function contentEnd(text: string, node: unknown): number {
  if (isMap(node) && !isFlow(text, node)) {
    const last = node.items.at(-1);
    return last ? (isNull(last.value) ? rangeOf(last.key)[1] : contentEnd(text, last.value)) : rangeOf(node)[1];
  }
  if (isSeq(node) && !isFlow(text, node) && node.items.length > 0) return contentEnd(text, node.items.at(-1));
  const [, end] = rangeOf(node);
  // A block scalar ends with its last line, line feed included.
  if (isScalar(node) && (node.type === Scalar.BLOCK_FOLDED || node.type === Scalar.BLOCK_LITERAL)) {
    return end - (/\r?\n$/.exec(text.slice(0, end))?.[0].length ?? 0);
  }
  return end;
}

const isNull = (node: unknown): boolean => node === null || (isScalar(node) && node.value === null);
const isFlow = (text: string, node: unknown): boolean => '{['.includes(text[rangeOf(node)[0]] ?? '-');
const isJson = (text: string): boolean => /^\uFEFF?\s*[{[]/.test(text);
const lineStart = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1;
const columnOf = (text: string, at: number): number =>
  text.slice(lineStart(text, at), at).replace(/^\uFEFF/, '').length;

/** Just behind the line feed of a line; the length of the text when the last line has none. */
function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

/** Whole lines behind the line of `at`; a last line without a line feed stays the last one without. */
function afterLine(text: string, at: number, lines: string): Splice[][] {
  if (at < 0) return [];
  const end = lineEnd(text, at);
  const eol = endOfLine(text);
  const open = end === text.length && !text.endsWith('\n');
  return one([end, end], open ? `${eol}${lines.slice(0, -eol.length)}` : lines);
}

/** Line ends of a file: those of its first line. */
export const endOfLine = (text: string): string => (/\r\n|\n/.exec(text)?.[0] === '\r\n' ? '\r\n' : '\n');

/** Offset of the `-` of an item of a block sequence. */
function dashOf(list: YAMLSeq, index: number): number | undefined {
  const token = list.srcToken;
  if (token?.type !== 'block-seq') return undefined;
  const dashes = token.items.flatMap(({ start }) => start.filter((one) => one.type === 'seq-item-ind'));
  return dashes.at(index)?.offset;
}

/** How far this file indents a mapping inside a mapping; two where nothing shows it. */
function stepOf(text: string, map: YAMLMap): number {
  for (const pair of map.items) {
    if (!isMap(pair.value) || isFlow(text, pair.value)) continue;
    const step = columnOf(text, rangeOf(pair.value)[0]) - columnOf(text, rangeOf(pair.key)[0]);
    if (step > 0) return step;
  }
  const lines = /^( +)[A-Za-z"'][^\n]*$/m.exec(text.slice(Math.max(0, text.search(/^(metadata|spec):/m))));
  return lines && lines[1]!.length <= 8 ? lines[1]!.length : 2;
}

/** How far a list stands in from its key, as the other lists of this mapping do it. */
function listStep(text: string, map: YAMLMap): number {
  for (const pair of map.items) {
    if (!isSeq(pair.value) || isFlow(text, pair.value)) continue;
    const dash = dashOf(pair.value, 0);
    if (dash !== undefined) return columnOf(text, dash) - columnOf(text, rangeOf(pair.key)[0]);
  }
  return 2;
}

/** A text that any YAML reader takes for this text: 1.1 reads `on` and `0777` otherwise than 1.2. */
function plain(value: string, flow: boolean): string {
  const shown = stringify(value, { version: '1.1', lineWidth: 0, blockQuote: false }).replace(/\n$/, '');
  return flow && /[,[\]{}]/.test(shown) && !/^["']/.test(shown) ? JSON.stringify(value) : shown;
}

const blockText = (value: Json, step: number): string =>
  stringify(value, { version: '1.1', lineWidth: 0, indent: step }).replace(/\n$/, '');

/** An item of a list as its lines. */
const itemText = (entry: Json, step: number): string =>
  blockText(entry, step)
    .split('\n')
    .map((line, at) => (at === 0 ? `- ${line}` : `  ${line}`))
    .join('\n');

function flowText(value: Json, quoted: boolean): string {
  if (typeof value === 'string') return quoted ? JSON.stringify(value) : plain(value, true);
  if (Array.isArray(value)) return `[${value.map((one) => flowText(one, quoted)).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, one]) => `${flowText(key, quoted)}: ${flowText(one, quoted)}`)
    .join(', ')}}`;
}

const indent = (lines: string, columns: number, text: string): string =>
  lines
    .split('\n')
    .map((line) => ' '.repeat(columns) + line)
    .join(endOfLine(text));
