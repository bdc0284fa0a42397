/**
 * A secret value in memory. It can be used (`reveal`), and cannot be printed by accident: string conversion, JSON and
 * `util.inspect` all give dots. Every `Secret` is also remembered by the scrubber, so that a value which reaches a text
 * by another way (an error of a driver, a log line of a pod) is masked there, in each encoding it travels in.
 */
import { inspect } from 'node:util';

export const MASK = '•••';

/** What prints itself as dots, however it is printed. */
export abstract class Unprintable {
  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

export class Secret extends Unprintable {
  readonly #value: string;

  constructor(value: string) {
    super();
    this.#value = value;
    remember(value);
  }

  /** The value itself. Call it where the value goes onto the wire, and nowhere else. */
  reveal(): string {
    return this.#value;
  }
}

/**
 * Forms under which a value may appear in a text, by their first characters and then by their length, the longest first. A
 * fleet of a thousand services may have a thousand passwords that begin alike, and each is learnt while others are masked:
 * one more costs what the first did, and a text is asked for a length and not for each of them.
 */
const forms = new Map<string, { readonly length: number; readonly texts: Set<string> }[]>();
/** Characters that a form begins with: what a text is asked at each place before anything else. */
const beginnings = new Uint8Array(0x10000);

/** Too short to mask without mangling innocent text; such passwords are refused at the door (engine/pgbouncer/credentials.ts). */
const SHORTEST = 6;

/** No way of writing a text changes these. */
const SAME_EVERYWHERE = /^[A-Za-z0-9_.~-]+$/;

/** As it is, in URLs, in JSON, and in quotes that are doubled. */
function writtenForms(value: string): string[] {
  const percent = encodeURIComponent(value);
  const strict = percent.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const quoted = JSON.stringify(value).slice(1, -1);
  const doubled = [value.replaceAll('"', '""'), value.replaceAll("'", "''")];
  return [...new Set([value, percent, strict, encodeURI(value), quoted, ...doubled])];
}

function remember(value: string): void {
  if (value.length < SHORTEST) return;
  const found = SAME_EVERYWHERE.test(value) ? [value] : writtenForms(value);
  // base64 of a text that contains the value: its inner characters are the same for each of the three alignments.
  const bytes = Buffer.from(`\0\0${value}`, 'utf8');
  for (let shift = 0; shift < 3; shift++) {
    const encoded = bytes.toString('base64', 2 - shift).replace(/=+$/, '');
    const inner = encoded.slice(shift === 0 ? 0 : shift + 1, encoded.length - 1);
    if (inner.length >= 8) found.push(inner);
  }
  for (const form of found) {
    if (form.length < SHORTEST) continue;
    const key = form.slice(0, SHORTEST);
    const lengths = forms.get(key) ?? [];
    const known = lengths.find((one) => one.length === form.length);
    if (known) known.texts.add(form);
    else {
      lengths.push({ length: form.length, texts: new Set([form]) });
      lengths.sort((a, b) => b.length - a.length);
      forms.set(key, lengths);
      beginnings[form.charCodeAt(0)] = 1;
    }
  }
}

/** Every remembered form as dots; of several that begin at one place, the longest. */
function maskKnown(text: string): string {
  let out = '';
  let from = 0;
  for (let at = 0; at <= text.length - SHORTEST; at++) {
    if (beginnings[text.charCodeAt(at)] === 0) continue;
    const hit = forms
      .get(text.slice(at, at + SHORTEST))
      ?.find(({ length, texts }) => texts.has(text.slice(at, at + length)));
    if (hit === undefined) continue;
    out += text.slice(from, at) + MASK;
    from = at + hit.length;
    at = from - 1;
  }
  return from === 0 ? text : out + text.slice(from);
}

/** Masks every remembered secret in a text, then every password that looks like one in a URL or key/value DSN. */
export function scrub(text: string): string {
  if (forms.size > 0) text = maskKnown(text);
  // Most lines hold none of these, and a search for a word costs less than an expression over the whole line.
  if (text.includes('://')) text = text.replace(URL_PASSWORD, `$1${MASK}$3`);
  if (PASSWORD_WORD.test(text)) text = text.replace(PAIR_PASSWORD, `$1${MASK}`);
  if (text.includes('SCRAM-SHA-256$')) text = text.replace(VERIFIER, `SCRAM-SHA-256$${MASK}`);
  return text;
}

const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*:)([^\s@/]+)(@)/gi;
const PASSWORD_WORD = /passw|pwd/i;
const PAIR_PASSWORD = /(\b(?:password|passwd|pwd|PGPASSWORD)\s*[=:]\s*)('[^']*'|"[^"]*"|[^\s;,&'"]+)/gi;
const VERIFIER = /SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+/g;
