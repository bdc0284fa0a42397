import { beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, type TestAuthority } from '../testing/certificates.ts';
import { checkAuthority, checkServingCertificate } from './certificates.ts';

let authority: TestAuthority;
beforeAll(async () => {
  authority = await createAuthority('an authority');
});
const now = new Date();

describe('the certificate of the poolers', () => {
  test('with its key, its name and time left has nothing to say', async () => {
    const good = await authority.issue(['pgbouncer', 'pgbouncer.nova.svc']);
    expect(checkServingCertificate(good, ['pgbouncer'], now)).toEqual([]);
  });

  test('that is over, or not yet valid, is refused', async () => {
    const over = await authority.issue(['pgbouncer'], -1);
    expect(checkServingCertificate(over, ['pgbouncer'], now)).toMatchObject([
      { severity: 'block', text: expect.stringMatching(/^it was valid until /) },
    ]);
    const good = await authority.issue(['pgbouncer']);
    expect(checkServingCertificate(good, ['pgbouncer'], new Date('2020-01-01'))).toMatchObject([
      { severity: 'block', text: expect.stringMatching(/^it is not valid before /) },
    ]);
  });

  test('whose key is another’s, or no key, is refused', async () => {
    const [one, two] = [await authority.issue(['pgbouncer']), await authority.issue(['pgbouncer'])];
    expect(checkServingCertificate({ cert: one.cert, key: two.key }, ['pgbouncer'], now)).toEqual([
      { severity: 'block', text: 'its key belongs to another certificate' },
    ]);
    expect(checkServingCertificate({ cert: one.cert, key: 'no key' }, ['pgbouncer'], now)[0]?.text).toMatch(
      /^its key cannot be read: /,
    );
    expect(checkServingCertificate({ cert: 'no certificate', key: one.key }, ['pgbouncer'], now)).toMatchObject([
      { severity: 'block', text: expect.stringMatching(/^it is no certificate: /) },
    ]);
  });

  test('for another name, or for a few days more, is worth a word', async () => {
    const other = await authority.issue(['postgres.nova.svc'], 5);
    expect(checkServingCertificate(other, ['pgbouncer'], now)).toEqual([
      { severity: 'warn', text: expect.stringMatching(/^it is valid for [45] more days$/) },
      {
        severity: 'warn',
        about: 'names',
        text: expect.stringMatching(/^it is not for pgbouncer \(DNS:postgres\.nova\.svc\)/),
      },
    ]);
  });
});

describe('the authority that the poolers verify PostgreSQL with', () => {
  test('that is valid has nothing to say, and a bundle is as good as the best of it', async () => {
    expect(checkAuthority(authority.ca, now)).toEqual([]);
    const over = await authority.issue(['an old authority'], -1);
    expect(checkAuthority(`${over.cert}\n${authority.ca}`, now)).toEqual([]);
    expect(checkAuthority(`${authority.ca}\n${over.cert}`, now)).toEqual([]);
  });

  test('of which nothing is valid, or part of which is no certificate, is refused', async () => {
    const over = await authority.issue(['an old authority'], -1);
    expect(checkAuthority(`${over.cert}\n${over.cert}`, now)).toMatchObject([
      { severity: 'block', text: expect.stringMatching(/^it was valid until /) },
    ]);
    expect(checkAuthority('no certificate', now)).toMatchObject([
      { severity: 'block', text: expect.stringMatching(/^it is no certificate: /) },
    ]);
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    expect(checkAuthority(`${authority.ca}\n${broken}`, now)).toMatchObject([{ severity: 'block' }]);
  });

  test('that is a server’s certificate is worth a word', async () => {
    const server = await authority.issue(['postgres']);
    expect(checkAuthority(server.cert, now)).toEqual([
      { severity: 'warn', text: 'nothing in it is marked as an authority' },
    ]);
  });
});
