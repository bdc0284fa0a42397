/** JSON Merge Patch (RFC 7396). */
import type { Json } from '../../contract.ts';

/** `patch` merged into a copy of `document`: null removes, lists are replaced. */
export function applyMergePatch(document: Json, patch: Json): Json {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const base = document !== null && typeof document === 'object' && !Array.isArray(document) ? document : {};
  const out: Json = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = applyMergePatch(out[key], value);
  }
  return out;
}
