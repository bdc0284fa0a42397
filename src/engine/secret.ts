/**
 * A secret value in memory. It can be used (`reveal`), and cannot be printed by accident: string conversion, JSON and
 * `util.inspect` all give dots. Every `Secret` is also remembered by the scrubber, so that a value which reaches a text
 * by another way (an error of a driver, a log line of a pod) is masked there, in each encoding it travels in.
 */
import { inspect } from 'node:util';

export const MASK = '•••';

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    remember(value);
  }

  /** The value itself. Call it where the value goes onto the wire, and nowhere else. */
  reveal(): string {
    return this.#value;
  }

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

/**
 * Forms under which a value may appear in a text, by their first characters, longest first. A fleet of a thousand services
 * may have a thousand passwords, and each is learnt while others are masked: nothing is built anew for one more.
 */
const forms = new Map<string, string[]>();
/** Characters that a form begins with: what a text is asked at each place before anything else. */
const beginnings = new Uint8Array(0x10000);

/** Too short to mask without mangling innocent text; such passwords are refused at the door (engine/pgbouncer/credentials.ts). */
const SHORTEST = 6;

function remember(value: string): void {
  if (value.length < SHORTEST) return;
  const percent = encodeURIComponent(value);
  const strict = percent.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const quoted = JSON.stringify(value).slice(1, -1);
  const found = [
    value,
    percent,
    strict,
    encodeURI(value),
    quoted,
    value.replaceAll('"', '""'),
    value.replaceAll("'", "''"),
  ];
  // base64 of a text that contains the value: its inner characters are the same for each of the three alignments.
  for (let shift = 0; shift < 3; shift++) {
    const encoded = Buffer.from(`${'\0'.repeat(shift)}${value}`, 'utf8')
      .toString('base64')
      .replace(/=+$/, '');
    const inner = encoded.slice(shift === 0 ? 0 : shift + 1, encoded.length - 1);
    if (inner.length >= 8) found.push(inner);
  }
  for (const form of new Set(found)) {
    if (form.length < SHORTEST) continue;
    const key = form.slice(0, SHORTEST);
    const held = forms.get(key) ?? [];
    if (held.includes(form)) continue;
    const shorter = held.findIndex((one) => one.length < form.length);
    held.splice(shorter < 0 ? held.length : shorter, 0, form);
    forms.set(key, held);
    beginnings[form.charCodeAt(0)] = 1;
  }
}

/** Every remembered form as dots; of several that begin at one place, the longest. */
function maskKnown(text: string): string {
  let out = '';
  let from = 0;
  for (let at = 0; at <= text.length - SHORTEST; at++) {
    if (beginnings[text.charCodeAt(at)] === 0) continue;
    const hit = forms.get(text.slice(at, at + SHORTEST))?.find((form) => text.startsWith(form, at));
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
