/**
 * The door of a live run for other commands: a Unix socket (0600) beside the journal. One JSON line asks, one answers:
 * `{"v":1,"who":"alice@bastion","intent":{"kind":"hold","reason":"…"}}` or `{"v":1,"query":"snapshot"}`. It reaches the
 * same `send` that the keys of the screen reach, so nothing can be done here that a screen could not do.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, ok, type Result } from '../engine/result.ts';
import type { Intent, RunHandle, RunSnapshot } from '../engine/run/model.ts';

export interface ControlServer {
  readonly path: string;
  close(): Promise<void>;
}

type Request =
  | { readonly v: 1; readonly who: string; readonly intent: Intent }
  | { readonly v: 1; readonly query: 'snapshot' };

type Reply = { readonly ok: true; readonly snapshot: RunSnapshot } | { readonly ok: false; readonly message: string };

const INTENTS: readonly Intent['kind'][] = ['answer', 'rollback', 'hold', 'unhold', 'leave', 'export'];
const LONGEST_REQUEST = 64 * 1024;
const LONGEST_REPLY = 64 * 1024 * 1024;
const REPLY_LIMIT_MS = 5000;
/** `sun_path` holds 108 bytes on Linux and 104 on macOS. */
const LONGEST_PATH = 100;

/** Where the socket of a run is; in the temporary folder when the run's folder has too long a name for a socket. */
export function controlPath(runDir: string): string {
  const path = join(runDir, 'control.sock');
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  const name = createHash('sha256').update(runDir).digest('hex').slice(0, 20);
  return join(tmpdir(), `pgb-wizard-${name}.sock`);
}

/** Opens the door of a run of this process. Fails only when the socket cannot be made; the run goes on without it. */
export async function serveControl(runDir: string, handle: RunHandle): Promise<Result<ControlServer>> {
  const path = controlPath(runDir);
  // The journal's lock says that no other process drives this run, so an old socket is a leftover.
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    onLine(
      socket,
      (line) => {
        socket.end(`${JSON.stringify(answer(line, handle))}\n`);
      },
      LONGEST_REQUEST,
    );
  });
  const listening = await listen(server, path);
  if (!listening.ok) return listening;
  server.unref();
  return ok({
    path,
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => {
          rmSync(path, { force: true });
          resolve();
        });
      }),
  });
}

function listen(server: Server, path: string): Promise<Result<void>> {
  return new Promise((resolve) => {
    server.once('error', (error) => {
      resolve(fail('internal', `The control socket ${path} cannot be opened: ${error.message}.`));
    });
    // 0600 from its first instant on: chmod alone would leave a gap.
    const before = process.umask(0o177);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(ok(undefined));
    });
    process.umask(before);
  });
}

function answer(line: string, handle: RunHandle): Reply {
  const request = parseRequest(line);
  if (!request) return { ok: false, message: 'this request is not understood' };
  if ('intent' in request) {
    if (handle.snapshot().status === 'ended') return { ok: false, message: 'the run has ended' };
    handle.send(request.intent, request.who);
  }
  return { ok: true, snapshot: handle.snapshot() };
}

function parseRequest(line: string): Request | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || (value as { v?: unknown }).v !== 1) return undefined;
  const request = value as { query?: unknown; intent?: { kind?: unknown }; who?: unknown };
  if (request.query === 'snapshot') return { v: 1, query: 'snapshot' };
  if (typeof request.who !== 'string' || typeof request.intent !== 'object' || request.intent === null)
    return undefined;
  if (!INTENTS.includes(request.intent.kind as Intent['kind'])) return undefined;
  return value as Request;
}

/** Asks the process that drives a run. `undefined`: nobody drives it now. */
export async function askControl(
  runDir: string,
  request: { readonly who: string; readonly intent: Intent } | { readonly query: 'snapshot' },
): Promise<Result<RunSnapshot> | undefined> {
  const path = controlPath(runDir);
  if (!existsSync(path)) return undefined;
  return new Promise((resolve) => {
    const socket = connect(path);
    const finish = (result: Result<RunSnapshot> | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(
      () => finish(fail('timeout', 'The process that drives this run does not answer.', { retryable: true })),
      REPLY_LIMIT_MS,
    );
    // ECONNREFUSED: the socket of a process that died.
    socket.on('error', () => finish(undefined));
    socket.on('connect', () => socket.write(`${JSON.stringify({ v: 1, ...request })}\n`));
    onLine(socket, (line) => {
      const reply = JSON.parse(line) as Reply;
      finish(reply.ok ? ok(reply.snapshot) : fail('precondition-failed', `The run refused: ${reply.message}.`));
    });
  });
}

/** Calls back with the first line. A snapshot of a large fleet is long, a request is not. */
function onLine(socket: Socket, callback: (line: string) => void, limit = LONGEST_REPLY): void {
  let text = '';
  let done = false;
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    if (done) return;
    text += chunk;
    const end = text.indexOf('\n');
    if (end === -1 && text.length > limit) socket.destroy();
    if (end === -1) return;
    done = true;
    callback(text.slice(0, end));
  });
}
