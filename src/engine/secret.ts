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

/** Forms under which a value may appear in a text, longest first. */
const known = new Set<string>();
let pattern: RegExp | undefined;

/** Too short to mask without mangling innocent text; such passwords are refused at the door (engine/pgbouncer/credentials.ts). */
const SHORTEST = 6;

function remember(value: string): void {
  if (value.length < SHORTEST) return;
  const percent = encodeURIComponent(value);
  const strict = percent.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const quoted = JSON.stringify(value).slice(1, -1);
  const forms = [
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
    if (inner.length >= 8) forms.push(inner);
  }
  for (const form of forms) if (form.length >= SHORTEST) known.add(form);
  pattern = undefined;
}

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Masks every remembered secret in a text, then every password that looks like one in a URL or key/value DSN. */
export function scrub(text: string): string {
  if (known.size > 0) {
    pattern ??= new RegExp(
      [...known]
        .sort((a, b) => b.length - a.length)
        .map(escapeRegExp)
        .join('|'),
      'g',
    );
    text = text.replace(pattern, MASK);
  }
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
