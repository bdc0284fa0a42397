/** The documents of a manifest file, with the place of every byte: what is a workload, what is a template, what is broken. */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments, type YAMLMap } from 'yaml';
import type { Json } from '../kube/types.ts';

/** A parsed file. Offsets of its nodes count in `text`. */
export interface Parsed {
  readonly text: string;
  readonly documents: readonly Document.Parsed[];
  /** Each document as plain data, no two parts of it shared. */
  readonly values: readonly Json[];
}

/** An object of a document: the document itself, or an item of its `List`. */
export interface ManifestObject {
  readonly document: number;
  /** Where it stands in its document: `[]`, or `['items', 2]`. */
  readonly path: readonly (string | number)[];
  readonly value: Json;
}

/** Undefined when a document of it is no valid YAML; the whole file is left alone then. */
export function parseFile(text: string): Parsed | undefined {
  try {
    const documents = parseAllDocuments(text, { merge: true, keepSourceTokens: true, prettyErrors: false });
    if (!Array.isArray(documents) || documents.some((one) => one.errors.length > 0)) return undefined;
    const values = documents.map((one) => unshared(one.toJS({ maxAliasCount: 1000 })));
    return { text, documents: documents as Document.Parsed[], values };
  } catch {
    // An alias without its anchor, or one that grows without end.
    return undefined;
  }
}

const unshared = (value: Json): Json => (value === undefined ? null : JSON.parse(JSON.stringify(value)));

/** Every Kubernetes object of a file: those with a kind and a name. */
export function objectsIn(parsed: Parsed): ManifestObject[] {
  return parsed.values.flatMap((value, document) => objectsOf(value, document, []));
}

function objectsOf(value: Json, document: number, path: readonly (string | number)[]): ManifestObject[] {
  if (typeof value?.kind !== 'string') return [];
  if (/List$/.test(value.kind) && Array.isArray(value.items)) {
    return value.items.flatMap((item: Json, index: number) => objectsOf(item, document, [...path, 'items', index]));
  }
  return typeof value.metadata?.name === 'string' ? [{ document, path, value }] : [];
}

/** A node behind its aliases. */
export function resolved(document: Document, node: unknown): Node | undefined {
  let at: unknown = node;
  for (let hops = 0; isAlias(at) && hops < 100; hops++) at = at.resolve(document);
  return isMap(at) || isSeq(at) || isScalar(at) ? at : undefined;
}

/** The pair of a mapping itself, not one that it merges in. */
export function ownPair(map: YAMLMap, key: string): { readonly key: unknown; readonly value: unknown } | undefined {
  return map.items.find((pair) => (isScalar(pair.key) ? pair.key.value : pair.key) === key);
}

/** The node at a path, through aliases and merges; undefined where there is none. */
export function nodeAt(document: Document, path: readonly (string | number)[]): Node | undefined {
  let at: Node | undefined = resolved(document, document.contents);
  for (const part of path) {
    if (isMap(at)) at = resolved(document, valueIn(document, at, String(part)));
    else if (isSeq(at) && typeof part === 'number') at = resolved(document, at.items[part]);
    else return undefined;
  }
  return at;
}

function valueIn(document: Document, map: YAMLMap, key: string): unknown {
  const own = ownPair(map, key);
  if (own) return own.value;
  for (const pair of map.items) {
    if ((isScalar(pair.key) ? pair.key.value : pair.key) !== '<<') continue;
    const merged = resolved(document, pair.value);
    for (const source of isSeq(merged) ? merged.items : [merged]) {
      const from = resolved(document, source);
      const value = isMap(from) ? valueIn(document, from, key) : undefined;
      if (value !== undefined) return value;
    }
  }
  return undefined;
}

/** Line of an offset, from 1. */
export const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

/** Text that only a template engine can read: `{{ … }}` outside of quotes and comments. */
export const looksLikeTemplate = (text: string): boolean => /^[^#"'\n]*\{\{/m.test(text);
