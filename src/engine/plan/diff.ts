/** What differs between two plans, field by field: for `plan --diff` and for a resume with another plan. */
import { canonicalJson } from './canonical.ts';
import type { Plan } from './schema.ts';

export interface PlanDifference {
  /** `phases.p3.services.auth-service.rolloutTimeout`: phases and services by name, so that an insertion is one difference. */
  readonly path: string;
  /** Canonical JSON; absent where the field is not there. */
  readonly before?: string;
  readonly after?: string;
}

/** Differences in the order of the fields; empty when the plans are the same. */
export function diffPlans(before: Plan, after: Plan): readonly PlanDifference[] {
  const differences: PlanDifference[] = [];
  compare(before, after, '', differences);
  return differences;
}

function compare(before: unknown, after: unknown, path: string, found: PlanDifference[]): void {
  if (before === after) return;
  const named = namedItems(before, after);
  if (named) {
    const [a, b] = named;
    const [orderA, orderB] = [[...a.keys()].filter((key) => b.has(key)), [...b.keys()].filter((key) => a.has(key))];
    if (orderA.join(' ') !== orderB.join(' ')) {
      found.push({
        path: `${path}.(order)`,
        before: canonicalJson([...a.keys()]),
        after: canonicalJson([...b.keys()]),
      });
    }
    compareEntries(a, b, path, found);
  } else if (isObject(before) && isObject(after)) {
    compareEntries(new Map(Object.entries(before)), new Map(Object.entries(after)), path, found);
  } else if (text(before) !== text(after)) {
    found.push({ path, before: text(before), after: text(after) });
  }
}

function compareEntries(a: Map<string, unknown>, b: Map<string, unknown>, path: string, found: PlanDifference[]): void {
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    compare(a.get(key), b.get(key), path ? `${path}.${key}` : key, found);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text = (value: unknown) => (value === undefined ? undefined : canonicalJson(value));

/** Both as maps by id or name, when they are lists of such things. */
function namedItems(before: unknown, after: unknown): [Map<string, unknown>, Map<string, unknown>] | undefined {
  if (!Array.isArray(before) || !Array.isArray(after)) return undefined;
  const byName = (items: unknown[]) =>
    new Map(items.map((item) => [String((item as { id?: unknown }).id ?? (item as { name?: unknown }).name), item]));
  const named = [...before, ...after].every((item) => isObject(item) && ('id' in item || 'name' in item));
  return named ? [byName(before), byName(after)] : undefined;
}
