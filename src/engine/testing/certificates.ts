/** Certificates for the tests: an authority, and whatever it signs. */
import { generate } from 'selfsigned';

export interface TestAuthority {
  readonly ca: string;
  /** A server's certificate for these host names and addresses, valid for so many days from now on (less than 0: over). */
  issue(names: readonly string[], days?: number): Promise<{ readonly cert: string; readonly key: string }>;
}

const DAY_MS = 86_400_000;
const KIND = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;
const isAddress = (name: string) => /^[\d.]+$/.test(name);

export async function createAuthority(name: string): Promise<TestAuthority> {
  const now = Date.now();
  const authority = await generate([{ name: 'commonName', value: name }], {
    ...KIND,
    notBeforeDate: new Date(now - 90 * DAY_MS),
    notAfterDate: new Date(now + 365 * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
    ],
  });
  return {
    ca: authority.cert,
    async issue(names, days = 90) {
      const made = await generate([{ name: 'commonName', value: names[0] ?? 'nobody' }], {
        ...KIND,
        notBeforeDate: new Date(now - 60 * DAY_MS),
        notAfterDate: new Date(now + days * DAY_MS),
        ca: { key: authority.private, cert: authority.cert },
        extensions: [
          { name: 'basicConstraints', cA: false },
          { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
          { name: 'extKeyUsage', serverAuth: true },
          {
            name: 'subjectAltName',
            altNames: names.map((one) =>
              isAddress(one) ? { type: 7 as const, ip: one } : { type: 2 as const, value: one },
            ),
          },
        ],
      });
      return { cert: made.cert, key: made.private };
    },
  };
}
