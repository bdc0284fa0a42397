/**
 * Credentials that PgBouncer can really log in with: passwords, the check of them, and the choice of the arrangement
 * between userlist, `[databases]` and `pg_authid`. The choices were proved against PgBouncer 1.17 to 1.26; the tests
 * repeat them on real servers (credentials.real.test.ts).
 */
import { randomInt } from 'node:crypto';
import { fail, ok, type Result } from '../result.ts';
import { Secret } from '../secret.ts';
import type { Arrangement, ArrangementFacts, ArrangementKind } from './credential-types.ts';
import { atLeast } from './version.ts';

export { isScramVerifier, scramVerifier, verifierMatches } from './scram.ts';
export { parseUserlist, renderUserlist } from './userlist.ts';

// Letters and digits only: unreserved in a URL (RFC 3986), no quoting in an ini file, a userlist, a shell or a DSN.
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';
const GENERATED_LENGTH = 32;
const SHORTEST = 8;
const LONGEST = 1000;

/** A random password of 32 letters and digits (about 186 bits), the same in every driver's URL parser. */
export function generatePassword(): Secret {
  return new Secret(Array.from({ length: GENERATED_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join(''));
}

/**
 * Refuses what cannot work (`usage`): too short, too long, line feeds and NUL, a text PgBouncer would take for a
 * verifier. `warnings` says what will work and bite: characters that URL parsers of drivers read differently.
 */
export function checkPassword(secret: Secret): Result<{ readonly warnings: readonly string[] }> {
  const value = secret.reveal();
  const refuse = (why: string) =>
    fail('usage', `The password ${why}`, { next: ['Give another one, or let the wizard generate it'] });
  if (value === '') return refuse('is empty');
  if (/[\r\n]/.test(value)) return refuse('holds a line feed, which userlist.txt cannot hold');
  if (value.includes('\0')) return refuse('holds a NUL character');
  if ([...value].length < SHORTEST) return refuse(`is shorter than ${SHORTEST} characters`);
  if (value.length > LONGEST) return refuse(`is longer than ${LONGEST} characters`);
  if (/^md5[0-9a-f]{32}$/.test(value) || value.startsWith('SCRAM-SHA-256$')) {
    return refuse('looks like a stored verifier, and PgBouncer would treat it as one');
  }
  const warnings: string[] = [];
  if (/^\s|\s$/.test(value)) warnings.push('It begins or ends with a space: easily lost when it is copied.');
  if (/[^A-Za-z0-9._~-]/.test(value)) {
    warnings.push('It must be percent-encoded in a URL; drivers read @ / # ? % differently when it is not.');
  }
  if (/[^\x20-\x7e]/.test(value)) warnings.push('It is not plain ASCII: SASLprep may change what is hashed.');
  return ok({ warnings });
}

const EXPLAIN: Record<ArrangementKind, string> = {
  'plaintext-forced-user':
    'The clear password stands in the userlist, inside the Secret that only the pooler mounts, and the database entry forces the role. PgBouncer can always log in, also after RECONNECT and with a new salt, and from 1.21 on the pool is warm before the first client. The HBA file keeps other users of the list out of the database.',
  plaintext:
    'The clear password stands in the userlist, inside the Secret that only the pooler mounts. PgBouncer can always log in, whatever salt PostgreSQL stores; the pool fills with the first client.',
  'same-verifier':
    'The userlist holds the very verifier that PostgreSQL stores, byte for byte, read from pg_authid. PgBouncer logs in with the keys of the first client, so there is no warm pool before it, and the Secret must be changed together with every change of the password.',
  'auth-query':
    'PgBouncer asks PostgreSQL for the verifier through a SECURITY DEFINER function; only the password of its own lookup role stands in the Secret. New roles and new passwords need no change of the Secret.',
  'alter-role':
    'A new verifier is made from the known password, put into the userlist, and set on the role with ALTER ROLE, so that both are the same bytes. Direct logins go on with the same password; the change of the role and of the Secret belong together.',
};

/** Chooses by what the operator may do. `not-eligible` when nothing can work, with what is needed for each way. */
export function chooseArrangement(facts: ArrangementFacts): Result<Arrangement> {
  const rejected: { kind: Arrangement['rejected'][number]['kind']; why: string }[] = [
    {
      kind: 'fresh-verifier',
      why: 'The guide writes a newly salted verifier: PgBouncer accepts the client and PostgreSQL then refuses PgBouncer, in every version.',
    },
    {
      kind: 'verifier-forced-user',
      why: 'A verifier with a forced user gives PgBouncer no keys to log in with: "wrong password type".',
    },
  ];
  const refuse = (kind: ArrangementKind, why: string) => rejected.push({ kind, why });
  const plainAllowed = facts.plaintextInSecretAllowed ?? true;
  const choose = (kind: ArrangementKind, userlist: Arrangement['userlist']): Result<Arrangement> => {
    const forcedUser = kind === 'plaintext-forced-user';
    return ok({
      kind,
      recommended: forcedUser,
      explanation: EXPLAIN[kind],
      forcedUser,
      userlist,
      warmsBeforeClients: forcedUser && atLeast(facts.poolerVersion, 1, 21),
      rejected,
    });
  };

  const notAsked = (kind: NonNullable<ArrangementFacts['wanted']>): string | undefined =>
    facts.wanted !== undefined && facts.wanted !== kind ? `The plan asks for ${facts.wanted}.` : undefined;
  const plainProblem = notAsked('plaintext')
    ? notAsked('plaintext')
    : !facts.passwordKnown
      ? 'The clear password of the role is not known.'
      : plainAllowed
        ? undefined
        : 'The policy forbids a clear password in the Secret.';
  if (plainProblem) {
    refuse('plaintext-forced-user', plainProblem);
    refuse('plaintext', plainProblem);
  } else if (facts.serviceRoles > 1) {
    refuse(
      'plaintext-forced-user',
      'Services use more than one role in a database; a forced user would make them all the same.',
    );
    return choose('plaintext', 'plaintext');
  } else if (facts.hba === false) {
    refuse(
      'plaintext-forced-user',
      'Without the HBA file every user of the list, stats_user too, would become the forced role in the database.',
    );
    return choose('plaintext', 'plaintext');
  } else {
    return choose('plaintext-forced-user', 'plaintext');
  }

  const readable = facts.canReadVerifier && facts.storedAs === 'scram';
  if (readable && !notAsked('same-verifier')) return choose('same-verifier', 'verifier-of-postgres');
  refuse(
    'same-verifier',
    notAsked('same-verifier') && readable
      ? `The plan asks for ${facts.wanted}.`
      : facts.canReadVerifier
        ? `PostgreSQL stores ${facts.storedAs === 'md5' ? 'an md5 hash' : 'no SCRAM verifier'} for the role.`
        : 'pg_authid can be read by a superuser only.',
  );
  if (notAsked('auth-query')) {
    refuse('auth-query', `The plan asks for ${facts.wanted}.`);
  } else if (facts.rolePowerful) {
    refuse(
      'auth-query',
      'The role is a superuser or may replicate, and the lookup gives out no verifier of such a role.',
    );
  } else if (facts.canCreateAuthQuery) {
    if (facts.storedAs === 'scram' || facts.storedAs === undefined || facts.storedAs === 'unknown') {
      return choose('auth-query', 'none');
    }
    refuse('auth-query', 'The stored hash is not SCRAM; the HBA file asks for SCRAM.');
  } else {
    refuse('auth-query', 'Creating the SECURITY DEFINER function needs a superuser.');
  }
  if (facts.canAlterRole && facts.passwordKnown && !notAsked('alter-role'))
    return choose('alter-role', 'fresh-verifier');
  refuse(
    'alter-role',
    notAsked('alter-role')
      ? `The plan asks for ${facts.wanted}.`
      : facts.passwordKnown
        ? 'ALTER ROLE needs CREATEROLE or a superuser.'
        : 'The clear password is not known.',
  );
  return fail('not-eligible', 'No arrangement lets PgBouncer log in to PostgreSQL with what is known here', {
    cause: rejected.map(({ kind, why }) => `${kind}: ${why}`).join(' '),
    next: [
      'Give the clear password of the role (a file, a Secret, PGBOUNCER_NOVA_USER_PASS)',
      'Or log in to PostgreSQL as a superuser, so that the stored verifier can be copied',
    ],
  });
}
