/**
 * What may be seen of a manifest: a copy of its text with passwords as dots, line by line as before. A diff shows the
 * neighbours of a change too, and a manifest may hold anything.
 */
import { isMap, isScalar, isSeq, type Scalar, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import { maskDsn, parseDsn } from '../kube/dsn.ts';
import { isHostOrPort } from '../kube/redact.ts';
import { sanitiseLine } from '../sanitise.ts';
import { MASK, scrub } from '../secret.ts';
import { ownPair, type Parsed } from './documents.ts';

const URL = /(?:jdbc:|r2dbc:)?[a-z][a-z0-9+.-]*:\/\/[^\s"'`<>\\]+/gi;

/** From the user's colon to the last `@` of an address: a password that nobody encoded may hold anything. */
const USERINFO = /^((?:jdbc:|r2dbc:)?[a-z][a-z0-9+.-]*:\/\/[^:@\s]*:).*@/i;

function shownUrl(url: string): string {
  const dsn = parseDsn(url);
  return (dsn ? maskDsn(dsn) : url).replace(USERINFO, `$1${MASK}@`);
}

/** A value for people: an address keeps everything but its password. */
export function shownValue(text: string): string {
  const dsn = parseDsn(text);
  return scrub((dsn ? maskDsn(dsn) : text).replace(URL, shownUrl));
}

const CREDENTIAL = 'pass(?:word|wd|phrase)?|pwd|token|credentials?|api[-_]?key|private[-_]?key|secret';
const CREDENTIAL_KEY = new RegExp(`(?:${CREDENTIAL})$`, 'i');
const CREDENTIAL_FLAG = new RegExp(`^--?[a-z0-9-]*(?:${CREDENTIAL})$`, 'i');
const CREDENTIAL_PAIR = new RegExp(`(\\b[\\w.-]*(?:${CREDENTIAL})[=:]\\s*)\\S+`, 'gi');
/** Outside of a value a colon is YAML's own: `secret:` holds no secret. */
const EQUALS_PAIR = new RegExp(CREDENTIAL_PAIR.source.replace('[=:]', '='), 'gi');
const CREDENTIAL_WORDS = new RegExp(`(--?[\\w-]*(?:${CREDENTIAL})\\s+)\\S+`, 'gi');
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

const withoutCredentials = (text: string): string =>
  shownValue(text).replace(CREDENTIAL_PAIR, `$1${MASK}`).replace(CREDENTIAL_WORDS, `$1${MASK}`);

/** The whole text masked. Literals of variables are nobody's business here, unless they are addresses. */
export function maskedText(parsed: Parsed): string {
  const hidden = new Hidden(parsed.text);
  for (const document of parsed.documents) {
    visit(document, {
      Map(_, map) {
        hideInMap(hidden, map);
      },
      Seq(_, list) {
        hideBehindFlags(hidden, list);
      },
      Scalar(key, node) {
        if (key !== 'key' && typeof node.value === 'string') hidden.soften(node, withoutCredentials);
      },
    });
  }
  return hidden
    .text()
    .split('\n')
    .map((line) => shownValue(line).replace(EQUALS_PAIR, `$1${MASK}`).replace(CREDENTIAL_WORDS, `$1${MASK}`))
    .map(printable)
    .join('\n');
}

/** A line without what acts on a terminal or hides; its tabs and its line end stay, because a diff is about those too. */
const printable = (line: string): string => {
  const end = line.endsWith('\r') ? '\r' : '';
  const parts = line.slice(0, line.length - end.length).split('\t');
  return parts.map((part) => sanitiseLine(part, Number.POSITIVE_INFINITY)).join('\t') + end;
};

const all = (): string => MASK;

/** `automountServiceAccountToken: false` is no credential; `password: 8675309` is one. */
const isWordOrNumber = (value: unknown): boolean => ['string', 'number', 'bigint'].includes(typeof value);

function hideInMap(hidden: Hidden, map: YAMLMap): void {
  const kind = ownPair(map, 'kind')?.value;
  for (const pair of map.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    const data = isScalar(kind) && kind.value === 'Secret' && (key === 'data' || key === 'stringData');
    if (data && isMap(pair.value)) for (const one of pair.value.items) hidden.hide(one.value, all);
    if (key === LAST_APPLIED) hidden.hide(pair.value, all);
    if (isScalar(pair.value) && isWordOrNumber(pair.value.value) && CREDENTIAL_KEY.test(key)) {
      hidden.hide(pair.value, all);
    }
  }
  const name = ownPair(map, 'name')?.value;
  const value = ownPair(map, 'value')?.value;
  if (!isScalar(name) || !isScalar(value)) return;
  hidden.hide(value, (text) => {
    if (parseDsn(text)) return shownValue(text);
    return isHostOrPort(String(name.value), text) ? text : MASK;
  });
}

/** `--password` and, in the next line, the password. */
function hideBehindFlags(hidden: Hidden, list: YAMLSeq): void {
  if (!isSeq(list)) return;
  for (const [index, item] of list.items.entries()) {
    if (isScalar(item) && typeof item.value === 'string' && CREDENTIAL_FLAG.test(item.value)) {
      hidden.hide(list.items[index + 1], all);
    }
  }
}

/** Places of a text that are shown otherwise; the first word about a place is the stricter one. */
class Hidden {
  readonly #text: string;
  readonly #places = new Map<number, { readonly end: number; readonly shown: string }>();

  constructor(text: string) {
    this.#text = text;
  }

  hide(node: unknown, shown: (value: string) => string): void {
    if (!isScalar(node) || !node.range || this.#places.has(node.range[0])) return;
    const source = this.#text.slice(node.range[0], node.range[1]);
    const value = node.value === null ? '' : String(node.value);
    const now = shown(value);
    if (now === value || source === '') return;
    // An address is masked inside its quotes when it stands there as it is.
    const inPlace =
      source.includes(value) && value !== '' && !value.includes('\n')
        ? source.replace(value, () => now)
        : inLines(source);
    this.#places.set(node.range[0], { end: node.range[1], shown: inPlace });
  }

  /** Hides words in a value; a value of several lines is looked at line by line. */
  soften(node: Scalar, shown: (value: string) => string): void {
    const text = String(node.value);
    if (!text.includes('\n') || !node.range) this.hide(node, shown);
    else if (!this.#places.has(node.range[0])) {
      const lines = this.#text.slice(node.range[0], node.range[1]).split('\n');
      this.#places.set(node.range[0], { end: node.range[1], shown: lines.map(shown).join('\n') });
    }
  }

  text(): string {
    let out = '';
    let from = 0;
    for (const [start, { end, shown }] of [...this.#places].sort(([a], [b]) => a - b)) {
      out += this.#text.slice(from, start) + shown;
      from = end;
    }
    return out + this.#text.slice(from);
  }
}

/** Dots for every line of a value, so that the lines below it keep their numbers. */
function inLines(source: string): string {
  const quote = /^["']/.exec(source)?.[0] ?? '';
  const lines = source.split('\n');
  if (lines.length === 1) return `${quote}${MASK}${quote}`;
  return lines.map((line) => line.replace(/\S.*?(\r?)$/, `${MASK}$1`)).join('\n');
}
