/** How an object of the cluster would change, as `kubectl diff` shows it: YAML, without what the server adds by itself. */
import { stringify } from 'yaml';
import { canonicalJson } from '../kube/fingerprint.ts';
import type { Json, KubeObject } from '../kube/types.ts';
import type { DiffLine } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { parseFile } from './documents.ts';
import { maskedText } from './masked.ts';
import { unifiedDiff } from './unified.ts';

/** Longer than any line that people write; what is cut of it is no setting. */
const LINE = 600;

export interface ObjectChange {
  readonly kind: 'create' | 'change' | 'same';
  /** A heading and, where something changes, the lines. Passwords are dots. */
  readonly diff: readonly DiffLine[];
}

/**
 * `live`: what is there, undefined when nothing is; `dry`: what the server would make of it; `sent`: what is applied. A new
 * object is shown as it is sent, without the server's defaults.
 */
export function objectChange(live: KubeObject | undefined, dry: KubeObject, sent: KubeObject): ObjectChange {
  const name = `${sent.kind}/${sent.metadata.name}`;
  if (!live) return { kind: 'create', diff: [title(`${name} (create)`), ...shownWhole(sent)] };
  const before = essence(live);
  const after = essence(dry);
  if (canonicalJson(before) === canonicalJson(after)) return { kind: 'same', diff: [title(`${name} (as it is)`)] };
  // The two headings name files, which these are not.
  const lines = unifiedDiff(name, shownText(before), shownText(after)).slice(2);
  const masked: DiffLine = { kind: 'note', text: 'only what is masked differs' };
  return {
    kind: 'change',
    diff: [title(`${name} (change)`), ...(lines.length === 0 ? [masked] : lines.map(diffLine))],
  };
}

const title = (text: string): DiffLine => ({ kind: 'title', text: sanitiseLine(text, LINE) });

const shownWhole = (object: KubeObject): DiffLine[] =>
  shownText(object)
    .trimEnd()
    .split('\n')
    .map((text) => ({ kind: 'add', text: sanitiseLine(text, LINE) }));

/** A line of a unified diff. */
export function diffLine(line: string): DiffLine {
  if (/^(---|\+\+\+|@@|\\)/.test(line)) return { kind: 'note', text: line };
  const kind = line.startsWith('-') ? 'remove' : line.startsWith('+') ? 'add' : 'context';
  return { kind, text: line.slice(1) };
}

/** As YAML, with keys in one order and passwords as dots. Nothing is shown of what can't be read again. */
function shownText(object: Json): string {
  const parsed = parseFile(stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }));
  return parsed ? maskedText(parsed) : '';
}

/** What somebody wanted of an object: neither its status nor what the server and its controllers write. */
function essence({ metadata, status: _, ...rest }: KubeObject): Json {
  const annotations = Object.entries((metadata.annotations ?? {}) as Record<string, string>).filter(
    ([key]) => !key.startsWith('deployment.kubernetes.io/'),
  );
  return sorted({
    ...rest,
    metadata: { name: metadata.name, labels: metadata.labels, annotations: Object.fromEntries(annotations) },
  });
}

/** The server answers a GET and a dry run with its keys in one order, but nobody promises that. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const first = ['apiVersion', 'kind', 'metadata', 'name'];
  const rank = (key: string) => (first.includes(key) ? first.indexOf(key) : first.length);
  return Object.fromEntries(
    Object.keys(value)
      .filter((key) => value[key] !== undefined && value[key] !== null)
      .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
      .map((key) => [key, sorted(value[key])]),
  );
}
