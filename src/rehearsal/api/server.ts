/**
 * The API server of the rehearsal cluster: HTTPS with a generated authority, token users, the routes, streams and faults.
 * It speaks to `kubectl` and to client libraries as a Kubernetes 1.36 does.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json, PodRuntime } from '../contract.ts';
import { createAccess, type JudgedRequest, type RehearsalUser } from './access.ts';
import { Audit, type RequestBook, type RequestNote } from './audit.ts';
import { createCertificates } from './certificates.ts';
import { createDispatcher } from './dispatch.ts';
import { failure, isApiStatusError } from './errors.ts';
import { createFaultInjector, type FaultInjector, faultStatus } from './faults.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import type { Personality } from './personality.ts';
import { personalityOf } from './personality.ts';
import type { Identity } from './rbac.ts';
import { bootstrapRbac } from './rbac-bootstrap.ts';
import { type ApiRequest, type Reply, readBody } from './request.ts';
import type { RehearsalStore } from './store.ts';
import { serveUpgrade } from './streams/upgrade.ts';

export interface ApiServerOptions {
  store: RehearsalStore;
  runtime: PodRuntime;
  /** 0 or absent: a free one. */
  port?: number;
  address?: string;
  /** The first one is the kubeconfig's; a cluster admin with a random token unless given. */
  users?: readonly RehearsalUser[];
  /** The version the server claims: `1.36` unless given. kubectl's dispatcher picks its client by it. */
  personality?: Partial<Personality>;
  /** Default namespace of the kubeconfig's contexts. */
  namespace?: string;
  /** Where to write the kubeconfig (mode 0600); nowhere unless given. */
  dir?: string;
}

/** A JSON endpoint outside Kubernetes' own paths. Returns the body of a 200, or throws an `ApiStatusError`. */
export type Extension = (request: {
  method: string;
  path: string;
  query: URLSearchParams;
  body: Json;
}) => Json | Promise<Json>;

export interface ApiServer {
  /** `https://127.0.0.1:40123` */
  url: string;
  port: number;
  /** YAML text with the authority and a token: a secret. */
  kubeconfig: string;
  /** The file in `dir`, when one was asked for. */
  kubeconfigPath: string | undefined;
  /** PEM of the authority. */
  ca: string;
  faults: FaultInjector;
  /** Requests so far, refused ones included. */
  requestCounts(): RequestCounts;
  /** The same by client and by what was asked. */
  requestBook(): RequestBook;
  /** The newest requests one by one. */
  requestNotes(): readonly RequestNote[];
  /** Mounts a handler at a path and everything below it. */
  extend(path: string, handler: Extension): void;
  /** Makes a token expired (401), or valid again. */
  revoke(token: string): void;
  restore(token: string): void;
  /** Told of every request after it was handled, for tests of what a client sends. Returns the unsubscribe function. */
  observe(listener: (request: ObservedRequest) => void): () => void;
  /** Told of what each request wanted, who asked, and whether they may, for tests of permissions. */
  observeAccess(listener: (judged: JudgedRequest) => void): () => void;
  close(): Promise<void>;
}

export interface ObservedRequest {
  readonly at: number;
  readonly method: string;
  /** Path with query. */
  readonly url: string;
  readonly auditId: string | undefined;
  readonly userAgent: string | undefined;
  readonly body: Buffer;
  /** Of the answer; undefined when the request was cut off before it was carried out. */
  readonly code: number | undefined;
}

export interface RequestCounts {
  total: number;
  /** How many of them were watches: an engine may hold those open without cost. */
  watches: number;
  /** By HTTP method. */
  byVerb: Record<string, number>;
}

/** Starts the server; resolves when it listens. Rejects with `EADDRINUSE` when the port is taken. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, runtime } = options;
  const address = options.address ?? '127.0.0.1';
  const users = options.users ?? [
    { name: 'rehearsal-admin', token: randomBytes(24).toString('base64url'), groups: ['system:masters'], admin: true },
  ];
  const personality = personalityOf(options.personality);
  bootstrapRbac(store);
  const access = createAccess(users, store);
  const certificates = await createCertificates(address);
  const extensions = new Map<string, Extension>();
  const sockets = new Set<Socket>();
  const observers = new Set<(request: ObservedRequest) => void>();
  const audit = new Audit();
  const counts: RequestCounts = { total: 0, watches: 0, byVerb: {} };
  const faults = createFaultInjector({
    compactHistory: () => store.compact(),
    restart: () => {
      for (const socket of sockets) socket.destroy();
    },
  });
  const server = createServer({ cert: certificates.cert, key: certificates.key, keepAlive: true });
  // A watch may live for hours.
  server.requestTimeout = 0;
  server.timeout = 0;
  server.keepAliveTimeout = 120_000;
  server.headersTimeout = 30_000;
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A client that resets its connection is no news.
    socket.on('error', () => socket.destroy());
  });

  const dispatch = createDispatcher({
    store,
    runtime,
    access,
    personality,
    extensions,
    faults,
    address: () => `${address}:${(server.address() as AddressInfo).port}`,
  });

  /** What every request goes through before it is handled. `undefined` when a fault has already dealt with it. */
  async function admit(raw: IncomingMessage, target: Duplex | Socket): Promise<ApiRequest | undefined> {
    counts.total += 1;
    const method = raw.method ?? 'GET';
    counts.byVerb[method] = (counts.byVerb[method] ?? 0) + 1;
    const url = new URL(raw.url ?? '/', 'https://rehearsal');
    if (['true', '1'].includes(url.searchParams.get('watch') ?? '')) counts.watches += 1;
    audit.note(method, url, raw.headers['user-agent']);
    const actions = url.pathname.startsWith('/rehearsal/') ? [] : faults.decide(method, raw.url ?? '/');
    for (const action of actions) {
      if (action.type === 'delay') await sleep(action.milliseconds, undefined, { ref: false });
      if (action.type === 'drop' && action.when === 'before') {
        target.destroy();
        return undefined;
      }
      if (action.type === 'status') throw faultStatus(action);
    }
    const open = /^\/(healthz|livez|readyz|version)(\/|$)/.test(url.pathname);
    const user = open && raw.headers.authorization === undefined ? ANONYMOUS : access.authenticate(raw);
    return {
      method,
      path: url.pathname,
      query: url.searchParams,
      raw,
      body: Buffer.alloc(0),
      user,
      faults: actions,
      warnings: [],
    };
  }

  function tell(raw: IncomingMessage, body: Buffer | undefined, code: number | undefined): void {
    if (observers.size === 0) return;
    const header = (name: string) => raw.headers[name] as string | undefined;
    const request: ObservedRequest = {
      at: Date.now(),
      method: raw.method ?? 'GET',
      url: raw.url ?? '/',
      auditId: header('audit-id'),
      userAgent: header('user-agent'),
      body: body ?? Buffer.alloc(0),
      code,
    };
    for (const observer of observers) observer(request);
  }

  server.on('request', (raw, response) => {
    void (async () => {
      response.setHeader('Audit-Id', raw.headers['audit-id'] ?? randomUUID());
      response.setHeader('Cache-Control', 'no-cache, private');
      let request: ApiRequest | undefined;
      let reply: Reply | undefined;
      try {
        request = await admit(raw, raw.socket);
        if (request === undefined) return tell(raw, undefined, undefined);
        request.body = await readBody(raw);
        const late = request.faults.find((one) => one.type === 'drop' && one.when === 'late');
        if (late?.type === 'drop') {
          // The client sees a cut connection; the server still has the request in its hands.
          raw.socket.destroy();
          await sleep(late.milliseconds ?? 1000, undefined, { ref: false });
        }
        reply = await dispatch(request, response);
      } catch (error) {
        reply = refused(error);
      }
      tell(raw, request?.body, reply?.code);
      if (reply === undefined) return;
      // The write has landed; only its answer gets lost.
      if (request?.faults.some((one) => one.type === 'drop')) raw.socket.destroy();
      else send(response, reply, request?.warnings ?? []);
    })();
  });

  server.on('upgrade', (raw: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    void (async () => {
      try {
        const request = await admit(raw, socket);
        if (request !== undefined) await serveUpgrade({ store, runtime, access, personality }, request, socket, head);
      } catch (error) {
        refuseUpgrade(socket, refused(error));
      }
    })();
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const port = (server.address() as AddressInfo).port;
  const url = `https://${address}:${port}`;
  const kubeconfig = renderKubeconfig({ url, ca: certificates.ca, users, namespace: options.namespace ?? 'nova' });
  const kubeconfigPath = options.dir === undefined ? undefined : join(options.dir, 'kubeconfig');
  if (kubeconfigPath !== undefined) writeFileSync(kubeconfigPath, kubeconfig, { mode: 0o600 });

  return {
    url,
    port,
    kubeconfig,
    kubeconfigPath,
    ca: certificates.ca,
    faults,
    requestCounts: () => ({ ...counts, byVerb: { ...counts.byVerb } }),
    requestBook: () => audit.book(),
    requestNotes: () => audit.notes(),
    extend: (path, handler) => {
      extensions.set(path.replace(/\/$/, ''), handler);
    },
    revoke: access.revoke,
    restore: access.restore,
    observe: (listener) => {
      observers.add(listener);
      return () => observers.delete(listener);
    },
    observeAccess: access.observe,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const ANONYMOUS: Identity = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** The reply to an error: its Status, or a 500 for a fault of the rehearsal cluster itself. */
function refused(error: unknown): Reply {
  if (isApiStatusError(error)) return { code: error.code, body: error.status };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const bug = failure(500, 'InternalError', `Internal error occurred: ${text}`, { causes: [{ message: text }] });
  return { code: 500, body: bug.status };
}

function send(response: ServerResponse, reply: Reply, warnings: readonly string[]): void {
  if (response.headersSent) {
    response.end();
    return;
  }
  const text = reply.contentType === undefined ? `${JSON.stringify(reply.body)}\n` : String(reply.body);
  const retry = reply.body?.details?.retryAfterSeconds;
  if (retry !== undefined) response.setHeader('Retry-After', String(retry));
  // RFC 7234 warnings, agent `-`: kubectl prints them as `Warning: …`.
  if (warnings.length > 0)
    response.setHeader(
      'Warning',
      warnings.map((text) => `299 - ${JSON.stringify(text)}`),
    );
  response.writeHead(reply.code, {
    'Content-Type': reply.contentType ?? 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

function refuseUpgrade(socket: Socket, reply: Reply): void {
  const text = `${JSON.stringify(reply.body)}\n`;
  socket.end(
    `HTTP/1.1 ${reply.code} ${reply.body.reason ?? 'Error'}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  );
}
