/** JSON Patch (RFC 6902) with the API server's refusals. */
import fastJsonPatch from 'fast-json-patch';
import type { Json } from '../../contract.ts';
import { badRequest, failure } from '../errors.ts';
import { copy } from '../registry/canonical.ts';

const MAX_OPERATIONS = 10_000;

/**
 * Applies `operations` to a copy of `document`. A failed `test` or a path that isn't there is a 422 with empty details
 * (recording 10): nothing in the answer says which operation failed.
 */
export function applyJsonPatch(document: Json, operations: Json): Json {
  if (!Array.isArray(operations)) {
    const type = operations !== null && typeof operations === 'object' ? 'object' : typeof operations;
    throw badRequest(`error decoding patch: json: cannot unmarshal ${type} into Go value of type jsonpatch.Patch`);
  }
  if (operations.length > MAX_OPERATIONS) {
    throw failure(
      413,
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${operations.length}`,
      {},
    );
  }
  try {
    return fastJsonPatch.applyPatch(copy(document), operations, true, true).newDocument;
  } catch (error) {
    if (!(error instanceof fastJsonPatch.JsonPatchError)) throw error;
    throw failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
  }
}
