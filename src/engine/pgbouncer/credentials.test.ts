import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../secret.ts';
import { parseVersion } from './config.ts';
import type { ArrangementFacts } from './credential-types.ts';
import {
  checkPassword,
  chooseArrangement,
  generatePassword,
  isScramVerifier,
  parseUserlist,
  renderUserlist,
  scramVerifier,
  verifierMatches,
} from './credentials.ts';

function version(text: string) {
  const parsed = parseVersion(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

describe('verifiers', () => {
  test('the example of RFC 7677 gives its keys', () => {
    // RFC 7677 section 3: user "user", password "pencil", 4096 iterations. StoredKey and ServerKey follow from its exchange.
    const verifier = scramVerifier(new Secret('pencil'), { salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64') });
    expect(verifier).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
  });
  test('two verifiers of one password differ and both match', () => {
    const password = new Secret('securepass123!');
    const [one, two] = [scramVerifier(password), scramVerifier(password)];
    expect(one).not.toBe(two);
    expect(verifierMatches(password, one) && verifierMatches(password, two)).toBe(true);
    expect(verifierMatches(new Secret('securepass123'), one)).toBe(false);
  });
  test('forms that SASLprep makes equal are one password', () => {
    const verifier = scramVerifier(new Secret('I\u00adX-password'), { iterations: 64 });
    expect(verifierMatches(new Secret('IX-password'), verifier)).toBe(true);
  });
  test.each(['SCRAM-SHA-256$4096$...', 'SCRAM-SHA-256$4096:c2FsdA==$YQ==:YQ==', 'md5abc', ''])(
    '%s is no verifier',
    (text) => {
      expect(isScramVerifier(text)).toBe(false);
      expect(verifierMatches(new Secret('whatever-it-is'), text)).toBe(false);
    },
  );
});

describe('userlist', () => {
  test('whatever can be written is read back', () => {
    const text = fc
      .string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
      .filter((value) => !/[\r\n\0]/.test(value));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 4 }), (pairs) => {
        const rendered = renderUserlist(pairs.map(([user, value]) => ({ user, secret: new Secret(value) })));
        const parsed = parseUserlist(rendered.reveal());
        expect(parsed.ok && parsed.value.map((entry) => [entry.user, entry.secret.reveal()])).toEqual(pairs);
      }),
      { numRuns: 60 },
    );
  });
  test('comments and kinds are read', () => {
    const verifier = scramVerifier(new Secret('a-password-1'), { iterations: 16 });
    const parsed = parseUserlist(
      `; a comment\n\n"a" "${verifier}"\n"b" "md5${'0'.repeat(32)}"\n"c" "SCRAM-SHA-256$4096$..."\n"d" ""\n"e" "plain"\n`,
    );
    expect(parsed.ok && parsed.value.map((entry) => entry.kind)).toEqual([
      'scram',
      'md5',
      'malformed-scram',
      'empty',
      'plaintext',
    ]);
  });
  test('a bad line is named by its number and not by its content', () => {
    const parsed = parseUserlist('"a" "secret-one-1"\nb secret-two-2\n');
    expect(parsed).toMatchObject({
      ok: false,
      error: { code: 'pooler-config', message: expect.stringContaining('Line 2') },
    });
    expect(JSON.stringify(parsed)).not.toContain('secret-two');
  });
  test('a line feed is never written', () => {
    expect(() => renderUserlist([{ user: 'a', secret: new Secret('one\n"admin" "x"') }])).toThrow();
  });
});

describe('passwords', () => {
  test('a generated one is long, different and unreserved in URLs', () => {
    const [one, two] = [generatePassword().reveal(), generatePassword().reveal()];
    expect(one).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(one).not.toBe(two);
    expect(checkPassword(new Secret(one))).toEqual({ ok: true, value: { warnings: [] } });
  });
  test.each([
    '',
    'short',
    'with\nline-feed',
    'nul\0inside-it',
    'SCRAM-SHA-256$4096$x',
    `md5${'a'.repeat(32)}`,
    'x'.repeat(1001),
  ])('%j is refused', (text) => {
    expect(checkPassword(new Secret(text))).toMatchObject({ ok: false, error: { code: 'usage' } });
  });
  test('the guide’s password works and is warned about', () => {
    expect(checkPassword(new Secret('securepass123!'))).toMatchObject({
      ok: true,
      value: { warnings: [expect.stringContaining('percent-encoded')] },
    });
  });
});

describe('the choice of the arrangement', () => {
  const facts: ArrangementFacts = {
    poolerVersion: version('1.24.1'),
    passwordKnown: true,
    canReadVerifier: false,
    canAlterRole: false,
    canCreateAuthQuery: false,
    serviceRoles: 1,
  };
  const kind = (more: Partial<ArrangementFacts>) => {
    const chosen = chooseArrangement({ ...facts, ...more });
    return chosen.ok ? chosen.value.kind : chosen.error.code;
  };
  test('a known password and one role: plain text with a forced user', () => {
    expect(chooseArrangement(facts)).toMatchObject({
      ok: true,
      value: { kind: 'plaintext-forced-user', recommended: true, forcedUser: true, warmsBeforeClients: true },
    });
    expect(chooseArrangement({ ...facts, poolerVersion: version('1.18.0') })).toMatchObject({
      value: { warmsBeforeClients: false },
    });
  });
  test('more roles or no HBA: plain text', () => {
    expect(kind({ serviceRoles: 2 })).toBe('plaintext');
    expect(kind({ hba: false })).toBe('plaintext');
  });
  test('no password: the stored verifier, then auth_query', () => {
    expect(kind({ passwordKnown: false, canReadVerifier: true, storedAs: 'scram' })).toBe('same-verifier');
    expect(kind({ passwordKnown: false, canCreateAuthQuery: true })).toBe('auth-query');
    expect(kind({ passwordKnown: false, canCreateAuthQuery: true, rolePowerful: true })).toBe('not-eligible');
  });
  test('no plain text allowed, role may be changed: ALTER ROLE', () => {
    expect(kind({ plaintextInSecretAllowed: false, canAlterRole: true })).toBe('alter-role');
  });
  test('nothing possible is an error that lists every way', () => {
    const chosen = chooseArrangement({ ...facts, passwordKnown: false });
    expect(chosen).toMatchObject({ ok: false, error: { code: 'not-eligible' } });
    if (!chosen.ok)
      for (const way of ['plaintext', 'same-verifier', 'auth-query', 'alter-role'])
        expect(chosen.error.cause).toContain(way);
  });
  test('the guide’s own way is always among the rejected', () => {
    const chosen = chooseArrangement(facts);
    expect(chosen.ok && chosen.value.rejected.map((each) => each.kind)).toContain('fresh-verifier');
  });
});
