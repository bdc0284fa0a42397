/** What "the same answer" means: names, times, uids and revisions aside, everything. */
import type { Json } from '../../src/rehearsal/contract.ts';

export interface Comparison {
  scenario: string;
  exchange: string;
  /** `status`, `body`, `frames`, `conditions`, … */
  what: string;
  want: Json;
  got: Json;
  equal: boolean;
}

export class Book {
  readonly comparisons: Comparison[] = [];
  readonly #scenario: string;

  constructor(scenario: string) {
    this.#scenario = scenario;
  }

  compare(exchange: string, what: string, want: Json, got: Json): void {
    const left = stable(want);
    const right = stable(got);
    this.comparisons.push({ scenario: this.#scenario, exchange, what, want, got, equal: left === right });
  }
}

/** JSON with sorted keys. */
function stable(value: Json): string {
  return JSON.stringify(value, (_key, item) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

const VOLATILE = new Set(['uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'storageVersionHash']);

/** A body without what is different in every cluster. Times become `<time>`, uids inside texts `<uid>`. */
export function neutral(value: Json): Json {
  if (typeof value === 'string') return neutralText(value);
  if (Array.isArray(value)) return value.map(neutral);
  if (value === null || typeof value !== 'object') return value;
  const out: Json = {};
  for (const [key, item] of Object.entries(value)) {
    if (VOLATILE.has(key)) continue;
    out[key] = neutral(item);
  }
  return out;
}

export function neutralText(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>')
    .replace(/\\?"resourceVersion\\?":\\?"\d+\\?"/g, '"resourceVersion":"<rv>"')
    .replace(/2026-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replace(/too old resource version: (\d+) \(\d+\)/, 'too old resource version: $1 (<rv>)')
    .replace(/\\?"[0-9a-f]{64}\\?"/g, '"<container>"');
}
