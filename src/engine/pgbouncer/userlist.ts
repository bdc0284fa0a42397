/**
 * `userlist.txt`: one `"user" "secret"` a line, a quotation mark doubled, `;` starts a comment line. Nothing else is
 * escaped (PgBouncer's `load_auth_file`), so a password with a line feed cannot be written at all.
 */
import { fail, ok, type Result } from '../result.ts';
import { Secret } from '../secret.ts';
import type { ParsedUserlistEntry, UserlistEntry } from './credential-types.ts';
import { isScramVerifier } from './scram.ts';

const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** The longest user name (NAMEDATALEN with PgBouncer's headroom) and password that every version keeps whole. */
const MAX_USER = 127;
const MAX_PASSWORD = 1900;

/** The file as one Secret, in the order given, with a line feed at its end. Throws when a value cannot be written (checkPassword says so first). */
export function renderUserlist(entries: readonly UserlistEntry[]): Secret {
  const lines = entries.map(({ user, secret }) => {
    const value = secret.reveal();
    if (/[\r\n\0]/.test(user) || /[\r\n\0]/.test(value)) {
      throw new Error('A userlist entry holds a line feed or a NUL; check it with checkPassword first');
    }
    if (user.length === 0 || user.length > MAX_USER || value.length > MAX_PASSWORD) {
      throw new Error('A userlist entry is empty or too long');
    }
    return `${quote(user)} ${quote(value)}`;
  });
  return new Secret(`${lines.join('\n')}\n`);
}

function kindOf(value: string): ParsedUserlistEntry['kind'] {
  if (value === '') return 'empty';
  if (/^md5[0-9a-f]{32}$/.test(value)) return 'md5';
  if (isScramVerifier(value)) return 'scram';
  // PgBouncer takes this for a plain password, and every login fails with "SASL authentication failed".
  if (value.startsWith('SCRAM-SHA-256$')) return 'malformed-scram';
  return 'plaintext';
}

/** Parses a userlist as PgBouncer does; `pooler-config` names the first bad line (never its content). */
export function parseUserlist(text: string): Result<readonly ParsedUserlistEntry[]> {
  const entries: ParsedUserlistEntry[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(;.*)?$/.test(line)) continue;
    const match = /^\s*"((?:[^"]|"")*)"\s+"((?:[^"]|"")*)"/.exec(line);
    if (!match) {
      return fail('pooler-config', `Line ${index + 1} of the userlist is not "user" "password"`, {
        next: ['Write each entry as "user" "password" and double every quotation mark inside'],
      });
    }
    const value = match[2]!.replaceAll('""', '"');
    entries.push({ user: match[1]!.replaceAll('""', '"'), kind: kindOf(value), secret: new Secret(value) });
  }
  return ok(entries);
}
