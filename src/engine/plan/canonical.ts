/**
 * Canonical JSON: the same value always gives the same bytes, so that hashes of plans and journal lines mean something.
 * Keys are sorted by UTF-16 code units, no spaces, numbers and strings as `JSON.stringify` writes them (the rules of
 * RFC 8785); keys whose value is undefined are left out. Lone surrogates are escaped by `JSON.stringify`, so every text
 * survives UTF-8.
 */
import { createHash } from 'node:crypto';

/** Throws for what JSON cannot hold (NaN, infinity, functions, bigint, cycles): a bug of the caller. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`canonical JSON cannot hold ${value}`);
    return JSON.stringify(value);
  }
  if (typeof value !== 'object') throw new TypeError(`canonical JSON cannot hold a ${typeof value}`);
  // Secret and Date know their own JSON form.
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonicalJson(value.toJSON());
  if (Array.isArray(value))
    return `[${value.map((item) => canonicalJson(item === undefined ? null : item)).join(',')}]`;
  const entries: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const item = (value as Record<string, unknown>)[key];
    if (item !== undefined) entries.push(`${JSON.stringify(key)}:${canonicalJson(item)}`);
  }
  return `{${entries.join(',')}}`;
}

/** sha256 as 64 hex digits of a text (UTF-8) or of bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** sha256 over the canonical JSON of a value. */
export function hashOf(value: unknown): string {
  return sha256(canonicalJson(value));
}
