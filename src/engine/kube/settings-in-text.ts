/**
 * The settings of a configuration file with the places of their values, whatever it is written in: YAML and JSON by their
 * parser, TOML, INI, properties and dotenv by their lines.
 */
import { isMap, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml';
import { sanitiseLine } from '../sanitise.ts';

export interface Setting {
  /** What stands around it: the same text for settings of one mapping or one section. */
  readonly group: string;
  readonly key: string;
  /** The whole path, for people: `database.host`. Clean: a file may call a setting anything. */
  readonly path: string;
  readonly value: string;
  /** Of the value inside its quotes, in the whole text. */
  readonly start: number;
  readonly end: number;
}

/** Values that are written otherwise than they mean (escapes, blocks, anchors) are left out: they could not be replaced safely. */
export function settingsIn(text: string): Setting[] {
  return inDocuments(text) ?? inLines(text);
}

/** Undefined when the text is no YAML with mappings in it; JSON is YAML too. */
function inDocuments(text: string): Setting[] | undefined {
  const documents = (() => {
    try {
      return parseAllDocuments(text, { prettyErrors: false, logLevel: 'silent' });
    } catch {
      return [];
    }
  })();
  if (!Array.isArray(documents) || documents.length === 0) return undefined;
  if (documents.some((one) => one.errors.length > 0 || !(isMap(one.contents) || isSeq(one.contents)))) return undefined;
  const found: Setting[] = [];
  for (const [index, document] of documents.entries()) walk(document.contents as Node, [], `${index}`, text, found);
  return found;
}

function walk(node: unknown, path: readonly string[], document: string, text: string, found: Setting[]): void {
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) walk(item, [...path, String(index)], document, text, found);
    return;
  }
  if (!isMap(node)) return;
  for (const { key: keyNode, value: held } of node.items) {
    const key = isScalar(keyNode) ? String(keyNode.value) : '';
    if (!isScalar(held)) {
      walk(held, [...path, key], document, text, found);
      continue;
    }
    if (held.anchor !== undefined || !held.range || held.value === null) continue;
    const value = String(held.value);
    const [from, to] = held.range;
    const source = text.slice(from, to);
    const quotes = /^(["']).*\1$/s.test(source) ? 1 : 0;
    if (source.slice(quotes, source.length - quotes) !== value) continue;
    const group = JSON.stringify([document, ...path]);
    found.push({ group, key, path: shown([...path, key]), value, start: from + quotes, end: to - quotes });
  }
}

const shown = (path: readonly string[]): string => sanitiseLine(path.join('.'), 200);

const SECTION = /^[ \t]*\[+[ \t]*([^\]\r\n]+?)[ \t]*\]+/;
const PAIR =
  /^([ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*)(?:"([^"\\\r\n]*)"|'([^'\\\r\n]*)'|([^"'\r\n]*))/;

function inLines(text: string): Setting[] {
  const found: Setting[] = [];
  // Lines that something opens by its smaller indentation: of a template that is no YAML before it is rendered.
  const open: { readonly indent: number; readonly at: number }[] = [];
  let section = '';
  let at = 0;
  for (const line of text.split('\n')) {
    const lineAt = at;
    at += line.length + 1;
    const heading = SECTION.exec(line)?.[1];
    if (heading !== undefined) {
      section = heading;
      open.length = 0;
      continue;
    }
    const pair = PAIR.exec(line);
    if (!pair) continue;
    const indent = line.search(/\S/);
    while ((open.at(-1)?.indent ?? -1) >= indent) open.pop();
    const group = `${section}#${open.at(-1)?.at ?? ''}`;
    open.push({ indent, at: lineAt });
    const [, before = '', key = '', double, single, bare = ''] = pair;
    const quoted = double ?? single;
    // A remark may stand behind a bare value; `;` and `#` inside of one belong to it.
    const value = quoted ?? bare.replace(/[ \t]+[#;].*$/, '').trimEnd();
    const start = lineAt + before.length + (quoted === undefined ? 0 : 1);
    const path = shown(section === '' ? [key] : [section, key]);
    found.push({ group, key, path, value, start, end: start + value.length });
  }
  return found;
}
