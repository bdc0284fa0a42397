/** An API server nobody should trust: the rehearsal's, with names, errors and warnings that no real one would let in. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import selfsigned from 'selfsigned';
import { parse, stringify } from 'yaml';
import type { Json } from '../src/rehearsal/contract.ts';
import { LINES, NAME } from './hostile.ts';

export interface HostileApi {
  /** Path of a kubeconfig that goes through it. */
  readonly kubeconfig: string;
  close(): Promise<void>;
}

/** Lists get one more item, whose every text is hostile; one kind is refused with hostile words. */
function poison(path: string, body: Json): void {
  if (path === '/version') body.gitVersion = `v1.30.0${NAME}`;
  // A selector would not have let it in.
  if (path.includes('Selector=')) return;
  if (body.kind === 'DeploymentList') body.items.push(workload(body.items[0]));
  if (body.kind === 'PodList') body.items.push(pod());
}

const workload = (like: Json): Json => ({
  ...structuredClone(like),
  metadata: { name: NAME, namespace: 'nova', uid: NAME, annotations: { note: LINES[1] }, generation: 1 },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: NAME } },
    template: {
      metadata: { labels: { app: NAME } },
      spec: {
        containers: [
          {
            name: NAME,
            image: NAME,
            env: [{ name: 'DATABASE_URL', value: 'postgres://nova_user:x@postgres:5432/nova' }],
          },
        ],
      },
    },
  },
  status: { conditions: [{ type: 'Available', status: 'False', reason: NAME, message: LINES[0] }] },
});

const pod = (): Json => ({
  metadata: { name: NAME, namespace: 'nova', uid: `${NAME}-pod`, labels: { app: NAME } },
  spec: { containers: [{ name: NAME, image: NAME }], nodeName: NAME },
  status: {
    phase: 'Running',
    podIP: NAME,
    message: LINES[0],
    conditions: [{ type: 'Ready', status: 'False', message: LINES[1] }],
    containerStatuses: [{ name: NAME, state: { waiting: { reason: NAME, message: LINES[2] } }, restartCount: 7 }],
  },
});

const REFUSED = /\/apis\/batch\/v1\/namespaces\/nova\/cronjobs/;

export async function openHostileApi(kubeconfig: string, to: string): Promise<HostileApi> {
  const config = parse(readFileSync(kubeconfig, 'utf8'));
  const target = new URL(config.clusters[0].cluster.server);
  const pems = await selfsigned.generate([{ name: 'commonName', value: '127.0.0.1' }], { keySize: 2048 });
  const upstream = { host: target.hostname, port: Number(target.port), rejectUnauthorized: false };
  const server = createServer({ key: pems.private, cert: pems.cert }, (asked, answer) => {
    const path = asked.url ?? '/';
    if (REFUSED.test(path)) {
      const status = { kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403, message: LINES[1] };
      answer.writeHead(403, { 'content-type': 'application/json' });
      answer.end(JSON.stringify(status));
      return;
    }
    const sent = httpsRequest({ ...upstream, method: asked.method, path, headers: asked.headers }, (got) => {
      const { 'content-length': _, ...headers } = got.headers;
      const whole = asked.method === 'GET' && !/[?&]watch=|\/log\b|follow=/.test(path);
      answer.writeHead(got.statusCode ?? 502, { ...headers, warning: '299 - "\u009b31m hostile-7f3a"' });
      if (!whole || !/json/.test(String(headers['content-type']))) {
        got.pipe(answer);
        return;
      }
      const chunks: Buffer[] = [];
      got.on('data', (chunk: Buffer) => chunks.push(chunk));
      got.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
        poison(path, body);
        answer.end(JSON.stringify(body));
      });
    });
    sent.on('error', () => answer.destroy());
    answer.on('close', () => sent.destroy());
    asked.pipe(sent);
  });
  // exec and port-forward: passed through as they are.
  server.on('upgrade', (asked, near, head) => {
    const far = connect(upstream, () => {
      const lines = [`${asked.method} ${asked.url} HTTP/1.1`];
      for (let i = 0; i < asked.rawHeaders.length; i += 2)
        lines.push(`${asked.rawHeaders[i]}: ${asked.rawHeaders[i + 1]}`);
      far.write(`${lines.join('\r\n')}\r\n\r\n`);
      far.write(head);
      near.pipe(far);
      far.pipe(near);
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  config.clusters[0].cluster = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  writeFileSync(to, stringify(config), { mode: 0o600 });
  return {
    kubeconfig: to,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
