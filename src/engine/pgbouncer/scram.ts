/**
 * SCRAM-SHA-256 verifiers as PostgreSQL stores them in `pg_authid.rolpassword` (RFC 5802, RFC 7677): two strings made
 * from one password with two salts are both right and not interchangeable, because PgBouncer can log in to PostgreSQL
 * only with keys derived with PostgreSQL's own salt.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import saslprep from '@mongodb-js/saslprep';
import type { Secret } from '../secret.ts';

const VERIFIER = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2}):([A-Za-z0-9+/]+={0,2})$/;
const KEY_BYTES = 32;

/**
 * The password as PostgreSQL hashes it: SASLprep (RFC 4013); where SASLprep refuses (prohibited or unassigned
 * characters, broken bidi, nothing left) the bytes as they are, as `pg_be_scram_build_secret` does.
 */
function prepared(password: string): string {
  try {
    const text = saslprep(password);
    return text === '' ? password : text;
  } catch {
    // Not an error: PostgreSQL's own fallback (src/common/saslprep.c returns SASLPREP_PROHIBITED, scram uses the raw bytes).
    return password;
  }
}

function keys(password: string, salt: Buffer, iterations: number): { stored: Buffer; server: Buffer } {
  const salted = pbkdf2Sync(Buffer.from(prepared(password), 'utf8'), salt, iterations, KEY_BYTES, 'sha256');
  const client = createHmac('sha256', salted).update('Client Key').digest();
  return {
    stored: createHash('sha256').update(client).digest(),
    server: createHmac('sha256', salted).update('Server Key').digest(),
  };
}

/** Makes `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. A random 16-byte salt unless given. */
export function scramVerifier(password: Secret, options: { salt?: Buffer; iterations?: number } = {}): string {
  const salt = options.salt ?? randomBytes(16);
  const iterations = options.iterations ?? 4096;
  const { stored, server } = keys(password.reveal(), salt, iterations);
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored.toString('base64')}:${server.toString('base64')}`;
}

/** Is this text a complete verifier (keys of 32 bytes)? The guide's "expected output" `SCRAM-SHA-256$4096$...` is not. */
export function isScramVerifier(text: string): boolean {
  const match = VERIFIER.exec(text);
  return (
    match !== null &&
    Buffer.from(match[3]!, 'base64').length === KEY_BYTES &&
    Buffer.from(match[4]!, 'base64').length === KEY_BYTES
  );
}

/** Was this verifier made from this password? False for anything that is not a verifier. */
export function verifierMatches(password: Secret, verifier: string | Secret): boolean {
  const match = VERIFIER.exec(typeof verifier === 'string' ? verifier : verifier.reveal());
  const iterations = Number(match?.[1]);
  // A hostile userlist must not cost minutes: PostgreSQL's scram_iterations stays far below this.
  if (!match || iterations < 1 || iterations > 10_000_000) return false;
  const { stored, server } = keys(password.reveal(), Buffer.from(match[2]!, 'base64'), iterations);
  const theirs = Buffer.concat([Buffer.from(match[3]!, 'base64'), Buffer.from(match[4]!, 'base64')]);
  const ours = Buffer.concat([stored, server]);
  return theirs.length === ours.length && timingSafeEqual(theirs, ours);
}
