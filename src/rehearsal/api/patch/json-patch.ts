/** JSON Patch (RFC 6902) with the API server's refusals. */
import fastJsonPatch from 'fast-json-patch';
import type { Json } from '../../contract.ts';
import { badRequest, failure } from '../errors.ts';
import { copy } from '../registry/canonical.ts';

const MAX_OPERATIONS = 10_000;

/** Stands before a text that is spelt in another way than Go spells it. A character that no text has. */
const ODD = '\uE000';
const TEXT = /"(?:[^"\\]|\\.)*"/g;

/** A text as Go's encoder writes it. */
const goText = (text: string): string =>
  JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

const isOdd = (value: Json): boolean => JSON.stringify(value ?? null).includes(ODD);
const plain = (value: Json): Json =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value).replaceAll(ODD, ''));

/**
 * The operations of a body. The API server compares a `test` with the live value as JSON text (recording 18), so one whose
 * texts are spelt otherwise can't match: it comes back as a `test` of something that is not there. Throws what JSON.parse throws.
 */
export function readJsonPatch(body: string): Json {
  const operations = JSON.parse(body);
  if (!Array.isArray(operations)) return operations;
  const marked: Json[] = JSON.parse(
    body.replace(TEXT, (token) => (token === goText(JSON.parse(token)) ? token : `"${ODD}${token.slice(1)}`)),
  );
  return marked.map((one) => {
    const known = plain(one);
    return known?.op === 'test' && isOdd(one?.value) ? { ...known, value: { [ODD]: true } } : known;
  });
}

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
