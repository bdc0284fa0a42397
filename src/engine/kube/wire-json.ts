/**
 * JSON as Go writes it. The API server compares the value of a JSON Patch `test` with the live one as JSON text, not as a
 * value (recording 18): `&`, which stands in every address with two parameters, is `\u0026` in its text, and a `test` that
 * spells it otherwise is refused like one that is wrong.
 */
const ESCAPED = /[<>&\u2028\u2029]/g;

/** Text for the body of a request. Everywhere else JSON.stringify and Go's encoder write the same. */
export function wireJson(value: unknown): string {
  // These characters stand nowhere in JSON but inside of strings.
  return JSON.stringify(value).replace(ESCAPED, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
