/**
 * The certificates that the plan gives the poolers, checked before anything is written: a pooler with a certificate that
 * cannot be used starts, and refuses every client or every login in PostgreSQL.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { ref } from '../kube/refs.ts';
import type { Discovery } from '../kube/workload-types.ts';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { verifiesCertificates } from './eligibility.ts';
import type { StepContext, StepFailure } from './types.ts';

const DAY_MS = 86_400_000;
/** A certificate that ends sooner than this is worth a word before a migration. */
const SOON_DAYS = 30;

export interface CertificateFinding {
  readonly severity: 'block' | 'warn';
  readonly text: string;
  /** It is about the hosts that it names: whether that matters depends on who looks at them. */
  readonly about?: 'names';
}

/** Everything about the poolers' own certificate that services would stumble over. `names`: as they will call it. */
export function checkServingCertificate(
  pem: { readonly cert: string; readonly key: string },
  names: readonly string[],
  now: Date,
): CertificateFinding[] {
  const read = parse(pem.cert);
  if (!read.ok) return [{ severity: 'block', text: read.error.message }];
  const cert = read.value;
  const findings: CertificateFinding[] = datesOf(cert, now);
  try {
    if (!cert.checkPrivateKey(createPrivateKey(pem.key)))
      findings.push({ severity: 'block', text: 'its key belongs to another certificate' });
  } catch (error) {
    findings.push({
      severity: 'block',
      text: `its key cannot be read: ${sanitiseLine((error as Error).message, 120)}`,
    });
  }
  const missing = names.filter((name) => cert.checkHost(name) === undefined);
  if (missing.length > 0)
    findings.push({
      severity: 'warn',
      about: 'names',
      text: `it is not for ${missing.join(', ')} (${sanitiseLine(cert.subjectAltName ?? 'it names no host', 200)}): services with sslmode=verify-full would refuse it`,
    });
  return findings;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The authorities that poolers verify PostgreSQL with, as OpenSSL takes a file of several: one that is valid is enough. */
export function checkAuthority(pem: string, now: Date): CertificateFinding[] {
  const certs: X509Certificate[] = [];
  for (const one of pem.match(CERTIFICATE) ?? [pem]) {
    const read = parse(one);
    if (!read.ok) return [{ severity: 'block', text: read.error.message }];
    certs.push(read.value);
  }
  certs.sort((a, b) => Date.parse(b.validTo) - Date.parse(a.validTo));
  const dates = certs.map((cert) => datesOf(cert, now));
  const valid = dates.find((one) => one.every(({ severity }) => severity !== 'block'));
  if (!valid) return dates[0]!;
  return certs.some((cert) => cert.ca)
    ? valid
    : [...valid, { severity: 'warn', text: 'nothing in it is marked as an authority' }];
}

function parse(pem: string): Result<X509Certificate> {
  try {
    return ok(new X509Certificate(pem));
  } catch (error) {
    return fail('secret-missing', `it is no certificate: ${sanitiseLine((error as Error).message, 120)}`);
  }
}

function datesOf(cert: X509Certificate, now: Date): CertificateFinding[] {
  const [from, to] = [Date.parse(cert.validFrom), Date.parse(cert.validTo)];
  if (now.getTime() > to) return [{ severity: 'block', text: `it was valid until ${cert.validTo}` }];
  if (now.getTime() < from) return [{ severity: 'block', text: `it is not valid before ${cert.validFrom}` }];
  const days = Math.floor((to - now.getTime()) / DAY_MS);
  return days < SOON_DAYS ? [{ severity: 'warn', text: `it is valid for ${days} more days` }] : [];
}

/** Evidence of each certificate of the plan; the failure names those that cannot be used. */
export async function checkCertificates(
  ctx: StepContext,
  found: Discovery | undefined,
): Promise<StepFailure | undefined> {
  const { tls, name } = ctx.plan.pooler;
  const blocks: string[] = [];
  const tell = (check: string, findings: readonly CertificateFinding[], expected: string) => {
    const bad = findings.filter((one) => one.severity === 'block').map((one) => one.text);
    ctx.evidence({
      check,
      verdict: bad.length > 0 ? 'fail' : 'pass',
      observed: findings.map((one) => one.text).join('; ') || 'it can be read and is valid',
      expected,
    });
    for (const one of findings) if (one.severity === 'warn') ctx.message('warn', `${check}: ${one.text}`);
    blocks.push(...bad.map((text) => `${check}: ${text}`));
  };
  const now = new Date();
  if (tls?.client) {
    const keys = await secretKeys(ctx, tls.client.secret, ['tls.crt', 'tls.key']);
    // Services that verify name the host they connect to; others never look at the names.
    const verifying = (found?.workloads ?? []).filter(verifiesCertificates).map((one) => one.ref.name);
    const findings = keys.ok
      ? checkServingCertificate({ cert: keys.value[0]!, key: keys.value[1]! }, [name], now)
      : [{ severity: 'block' as const, text: keys.error.message }];
    const named = findings.map((one) =>
      one.about === 'names' && verifying.length > 0
        ? { ...one, severity: 'block' as const, text: `${one.text} (${verifying.join(', ')})` }
        : one,
    );
    tell(`certificate of the poolers (Secret ${tls.client.secret})`, named, `a certificate for ${name}, with its key`);
    if (verifying.length > 0)
      ctx.message(
        'warn',
        `${verifying.join(', ')}: the authority that they trust has to be the one of the poolers' certificate; it can't be seen from here`,
      );
  }
  const ca = tls?.server?.ca;
  if (ca) {
    const keys = await secretKeys(ctx, ca.name, [ca.key]);
    const findings = keys.ok
      ? checkAuthority(keys.value[0]!, now)
      : [{ severity: 'block' as const, text: keys.error.message }];
    tell(`authority of PostgreSQL (Secret ${ca.name})`, findings, 'a certificate authority that is valid');
  }
  if (blocks.length === 0) return undefined;
  return { cause: blocks.join('; '), hint: 'Correct the Secret, or pooler.tls in the plan; then start again.' };
}

async function secretKeys(ctx: StepContext, name: string, keys: readonly string[]): Promise<Result<string[]>> {
  const secret = await ctx.kube.get(ref('Secret', ctx.fleet.namespace, name), { signal: ctx.signal });
  if (!secret.ok) return secret;
  const values: string[] = [];
  for (const key of keys) {
    const data: unknown = secret.value.data?.[key];
    if (typeof data !== 'string') return fail('secret-missing', `the Secret ${name} has no key ${key}`);
    values.push(Buffer.from(data, 'base64').toString('utf8'));
  }
  return ok(values);
}
