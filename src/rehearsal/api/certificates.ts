/** A certificate authority and a server certificate for one rehearsal, made afresh at each start. */
import { generate } from 'selfsigned';

export interface Certificates {
  /** PEM. */
  ca: string;
  cert: string;
  key: string;
}

/** Certificates for 127.0.0.1, ::1, localhost and `address`. They hold for a day: a rehearsal doesn't last longer. */
export async function createCertificates(address: string, now: Date = new Date()): Promise<Certificates> {
  const notBeforeDate = new Date(now.getTime() - 3_600_000);
  const notAfterDate = new Date(now.getTime() + 7 * 86_400_000);
  const authority = await generate([{ name: 'commonName', value: 'rehearsal-ca' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate,
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
    ],
  });
  const server = await generate([{ name: 'commonName', value: 'kube-apiserver' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate,
    notAfterDate,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 2, value: 'kubernetes.default.svc' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
          ...(address === '127.0.0.1' ? [] : [{ type: 7 as const, ip: address }]),
        ],
      },
    ],
  });
  return { ca: authority.cert, cert: server.cert, key: server.private };
}
