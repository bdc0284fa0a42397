/**
 * Text of a plan file to a plan, with errors a person can act on: where (line, column, path), what, and the word that
 * was probably meant.
 */
import { type Document, isMap, isScalar, LineCounter, parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { type Plan, planSchema } from './schema.ts';
import { didYouMean } from './suggest.ts';

const SHOWN = 20;
const VALIDATE_HINT = 'Check the file with: pgb-wizard config validate FILE; its schema: pgb-wizard config schema';

/** `source` names the file in messages. YAML 1.2 or JSON; one document. Error: `plan-invalid`. */
export function parsePlan(text: string, source: string): Result<Plan> {
  if (/[\0\u{fffd}]/u.test(text)) return fail('plan-invalid', `plan ${source} is not a text file in UTF-8`);
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (!document || document.contents === null) {
    return fail('plan-invalid', `plan ${source} is empty`, { next: ['Write one with: pgb-wizard init'] });
  }
  if (documents.length > 1) return fail('plan-invalid', `plan ${source} holds more than one document`);
  const broken = document.errors.map(
    (error) => `${place(source, lines, error.pos[0])}: ${sanitiseLine(error.message, 300)}`,
  );
  if (broken.length > 0) return invalid(source, broken);
  let value: unknown;
  try {
    // Aliases are allowed but bounded, against the "billion laughs".
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return invalid(source, [`${source}: ${sanitiseLine((error as Error).message, 300)}`]);
  }
  const parsed = planSchema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const issues = [...parsed.error.issues].sort((a, b) => offsetOf(document, a.path) - offsetOf(document, b.path));
  return invalid(
    source,
    issues.flatMap((issue) => explain(issue, value, document, lines, source)),
  );
}

function invalid(source: string, problems: readonly string[]): Result<never> {
  const shown = problems.slice(0, SHOWN);
  if (problems.length > SHOWN) shown.push(`… and ${problems.length - SHOWN} more`);
  return fail(
    'plan-invalid',
    shown.length === 1 ? shown[0]! : `plan ${source} has ${problems.length} errors: ${shown.join('; ')}`,
    {
      next: [VALIDATE_HINT],
      details: { source, errors: shown.join('\n') },
    },
  );
}

function place(source: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${source}:${line}:${col}`;
}

type Path = readonly PropertyKey[];

/** `phases[1].services[0].name`. */
function pathText(path: Path): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${String(key)}` : String(key)),
    '',
  );
}

/** Byte offset of the nearest thing on the path that stands in the document; of a key itself when `key` is given. */
function offsetOf(document: Document, path: Path, key?: string): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (key !== undefined && length === path.length && isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
      if (pair && isScalar(pair.key) && pair.key.range) return pair.key.range[0];
    }
    const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
    if (range) return range[0];
  }
  return 0;
}

function explain(
  issue: z.core.$ZodIssue,
  value: unknown,
  document: Document,
  lines: LineCounter,
  source: string,
): string[] {
  const at = (key?: string) => place(source, lines, offsetOf(document, issue.path, key));
  const here = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const known = keysAt(issue.path);
      const guess = didYouMean(key, known);
      const name = sanitiseLine(key, 80);
      const help = guess ? `, did you mean ${guess}?` : ` (known here: ${known.join(', ')})`;
      return `${at(key)}: unknown key ${here ? `${here}.` : ''}${name}${help}`;
    });
  }
  const given = valueAt(value, issue.path);
  const shown = given === undefined ? '' : `, not ${sanitiseLine(scalarText(given), 60)}`;
  if (issue.code === 'invalid_value') {
    const options = issue.values.map(String);
    const guess = typeof given === 'string' ? didYouMean(given, options) : undefined;
    const must = options.length === 1 ? `must be ${options[0]}` : `must be one of ${options.join(', ')}`;
    return [`${at()}: ${here} ${must}${shown}${guess ? `, did you mean ${guess}?` : ''}`];
  }
  if (issue.code === 'invalid_type' && given === undefined) return [`${at()}: ${here} is missing`];
  const message =
    issue.code === 'custom' || issue.code === 'invalid_format' ? issue.message : lowerFirst(issue.message);
  const repeated = issue.code === 'custom' || message.includes('received');
  return [`${at()}: ${here || 'the plan'}: ${sanitiseLine(message, 300)}${repeated ? '' : shown}`];
}

/** Lists and maps are named, not shown: an alias can make them refer to themselves. */
function scalarText(given: unknown): string {
  if (Array.isArray(given)) return given.length === 0 ? 'an empty list' : 'a list';
  return typeof given === 'object' && given !== null ? 'a map' : JSON.stringify(given);
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key], value);
}

/** The keys the schema knows at a path. */
function keysAt(path: Path): string[] {
  let schema: unknown = planSchema;
  for (const key of [...path, undefined]) {
    schema = unwrap(schema);
    if (key === undefined) break;
    const inner = schema as { shape?: Record<PropertyKey, unknown>; element?: unknown };
    schema = typeof key === 'number' ? inner.element : inner.shape?.[key];
  }
  return Object.keys((schema as { shape?: object } | undefined)?.shape ?? {});
}

function unwrap(schema: unknown): unknown {
  let inner = schema as { unwrap?: () => unknown; element?: unknown };
  while (typeof inner?.unwrap === 'function' && inner.element === undefined) inner = inner.unwrap() as typeof inner;
  return inner;
}
