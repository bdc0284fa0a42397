/**
 * Text from the cluster (logs, names, events, errors, SHOW output) is hostile: it may hold escape sequences, bidi
 * overrides, zero-width characters, megabyte lines and broken UTF-8. Everything that can reach a terminal, a journal or
 * an export goes through here first.
 */
import { stripVTControlCharacters } from 'node:util';
import { scrub } from './secret.ts';

const DEFAULT_LIMIT = 2000;

// C0 and C1 controls (tab becomes a space, line feeds are handled by the callers), bidi controls, zero-width and other
// invisible format characters, the byte order mark, tags, private-use and lone surrogates.
const UNSAFE =
  /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]|\p{Variation_Selector}|[\u{E0000}-\u{E0FFF}]|\p{Cs}|\p{Co}/gu;

/** Printable ASCII and our own mask: nothing in it acts on a terminal or hides. */
const PLAIN = /^[\x20-\x7e•]*$/;

/** One printable line: no controls, no invisible characters, no secret, at most `limit` characters (then `…`). */
export function sanitiseLine(text: unknown, limit: number = DEFAULT_LIMIT): string {
  let line = typeof text === 'string' ? text : String(text);
  // Cut first, generously: a 1 MB line must not cost a regular expression over 1 MB.
  const cut = line.length > limit * 4;
  if (cut) line = line.slice(0, limit * 4);
  if (PLAIN.test(line)) line = scrub(line);
  else {
    // Scrub before and after: an escape sequence in the middle of a password must not hide it.
    line = scrub(stripVTControlCharacters(line))
      .replace(/[\t\r\n]+/g, ' ')
      .replace(UNSAFE, '');
    line = scrub(line);
  }
  return line.length > limit || cut ? `${line.slice(0, limit - 1)}…` : line;
}

/** The last `count` lines of a text, each as `sanitiseLine`. */
export function sanitiseLines(text: string, count: number, limit?: number): string[] {
  return text
    .split(/\r?\n/)
    .filter((line, index, all) => line !== '' || index < all.length - 1)
    .slice(-count)
    .map((line) => sanitiseLine(line, limit));
}
