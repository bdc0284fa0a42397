/**
 * exec and port-forward over WebSocket. `ws` is used directly: client-node's handler loses the Status body of a refusal,
 * never reports a dead socket, and throws where nobody can catch. Frames: [channel][bytes]
 * (recordings/kubernetes-1.36/15).
 */
import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { onAbort, type Signals } from './abort.ts';
import { httpError, isTlsError, networkError } from './errors.ts';
import { objectPath, ref } from './refs.ts';
import type { Transport } from './transport.ts';
import type { CallOptions, ExecOptions, ExecResult } from './types.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const CLOSE = 255;
const OPEN_LIMIT_MS = 20_000;
const OUTPUT_LIMIT = 8 * 1024 * 1024;

/** Opens the socket; a refusal keeps the server's own words. */
async function open(
  transport: Transport,
  path: string,
  protocols: string[],
  what: string,
  kind: string,
  signals: Signals,
  limitMs: number,
  renew = true,
): Promise<Result<WebSocket>> {
  const address = await transport.webSocket(path);
  if (!address.ok) return address;
  transport.count(kind);
  const { url, headers, tls } = address.value;
  const opened = await new Promise<Result<WebSocket>>((resolve) => {
    const socket = new WebSocket(url, protocols, {
      ...tls,
      headers,
      handshakeTimeout: limitMs,
      perMessageDeflate: false,
    });
    const off = onAbort(signals, () => {
      resolve(fail('aborted', `stopped: ${what}`));
      socket.terminate();
    });
    const settle = (result: Result<WebSocket>) => {
      off();
      resolve(result);
    };
    socket.on('open', () => settle(ok(socket)));
    // Stays for good: an `error` event without a listener would end the process.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const mapped = isTlsError(error) || error.code ? networkError(error, url.split('/api')[0]!, what) : undefined;
      settle(
        mapped
          ? { ok: false, error: mapped }
          : fail('stream-failed', `cannot ${what}: ${sanitiseLine(error.message, 300)}`, { retryable: true }),
      );
    });
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.length < 100_000) text += chunk;
      });
      response.on('close', () => {
        let body: { kind?: string } | undefined;
        try {
          body = JSON.parse(text);
        } catch {
          body = undefined;
        }
        const status = response.statusCode ?? 0;
        settle({ ok: false, error: httpError({ status, body, text }, what) });
        socket.terminate();
      });
    });
    socket.on('close', () =>
      settle(fail('stream-failed', `the connection closed before it could ${what}`, { retryable: true })),
    );
  });
  if (!opened.ok && opened.error.details?.status === 401 && renew) {
    const renewed = await transport.renew(what);
    if (!renewed.ok) return renewed;
    return open(transport, path, protocols, what, kind, signals, limitMs, false);
  }
  return opened;
}

const toBuffer = (data: unknown): Buffer =>
  Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer);

export async function execInPod(
  transport: Transport,
  namespace: string,
  pod: string,
  container: string | undefined,
  command: readonly string[],
  options: ExecOptions = {},
): Promise<Result<ExecResult>> {
  const query = new URLSearchParams({
    stdout: 'true',
    stderr: 'true',
    stdin: String(options.stdin !== undefined),
    tty: 'false',
  });
  if (container !== undefined) query.set('container', container);
  for (const word of command) query.append('command', word);
  const path = `${objectPath(ref('Pod', namespace, pod))}/exec?${query}`;
  const what = `exec in pod/${pod}`;
  const signals: Signals = [options.signal, transport.closed];
  const began = performance.now();
  const limitMs = options.timeoutMs ?? 60_000;
  // v5 alone can close stdin; the older ones serve everything else.
  const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
  const opened = await open(
    transport,
    path,
    protocols,
    what,
    'EXEC pods/exec',
    signals,
    Math.min(limitMs, OPEN_LIMIT_MS),
  );
  if (!opened.ok) return opened;
  const socket = opened.value;
  return new Promise((resolve) => {
    const out: Record<number, Buffer[]> = { [STDOUT]: [], [STDERR]: [] };
    let size = 0;
    let exitCode: number | 'unknown' = 'unknown';
    let failure: string | undefined;
    let done = false;
    const finish = (result?: Result<ExecResult>) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      off();
      socket.close();
      // The server's closing frame may never come.
      setTimeout(() => socket.terminate(), 2000).unref();
      const text = (channel: number) => Buffer.concat(out[channel]!).toString('utf8');
      resolve(
        result ??
          (failure === undefined
            ? ok({ stdout: text(STDOUT), stderr: text(STDERR), exitCode })
            : fail('stream-failed', `cannot ${what}: ${failure}`)),
      );
    };
    const timer = setTimeout(
      () =>
        finish(
          fail('timeout', `${what} takes longer than ${Math.round(limitMs / 1000)} s: ${command[0]}`, {
            retryable: true,
          }),
        ),
      Math.max(0, limitMs - (performance.now() - began)),
    );
    const off = onAbort(signals, () => finish(fail('aborted', `stopped: ${what}`)));
    socket.on('message', (data) => {
      const frame = toBuffer(data);
      const channel = frame[0];
      if (channel === STDOUT || channel === STDERR) {
        size += frame.length;
        if (size < OUTPUT_LIMIT) out[channel]!.push(frame.subarray(1));
      } else if (channel === STATUS) {
        const status = readStatus(frame.subarray(1));
        exitCode = status.exitCode ?? 'unknown';
        failure = status.failure;
      }
    });
    socket.on('close', () => finish());
    if (options.stdin !== undefined) {
      const bytes = Buffer.from(options.stdin);
      for (let at = 0; at < bytes.length; at += 32_768) {
        socket.send(Buffer.concat([Buffer.from([STDIN]), bytes.subarray(at, at + 32_768)]));
      }
      if (socket.protocol === 'v5.channel.k8s.io') socket.send(Buffer.from([CLOSE, STDIN]));
    }
  });
}

/** Channel 3: `Success`, or `Failure` with the exit code among the causes. */
function readStatus(bytes: Buffer): { exitCode?: number; failure?: string } {
  try {
    const status = JSON.parse(bytes.toString('utf8'));
    if (status.status === 'Success') return { exitCode: 0 };
    const cause = (status.details?.causes ?? []).find((c: { reason: string }) => c.reason === 'ExitCode');
    if (status.reason === 'NonZeroExitCode' && cause) return { exitCode: Number(cause.message) };
    return { failure: sanitiseLine(status.message ?? 'the command could not be started', 500) };
  } catch {
    return {};
  }
}

/**
 * One port-forward is one WebSocket is one TCP connection (the kubelet speaks v4: channel 0 data, channel 1 errors, the
 * first frame of each is the port, two bytes, little endian).
 */
export async function forwardPort(
  transport: Transport,
  namespace: string,
  pod: string,
  port: number,
  options: CallOptions = {},
): Promise<Result<Duplex>> {
  const path = `${objectPath(ref('Pod', namespace, pod))}/portforward?ports=${port}`;
  const what = `forward a port to pod/${pod}:${port}`;
  const signals: Signals = [options.signal, transport.closed];
  const limit = options.timeoutMs ?? OPEN_LIMIT_MS;
  const opened = await open(
    transport,
    path,
    ['v4.channel.k8s.io'],
    what,
    'PORTFORWARD pods/portforward',
    signals,
    limit,
  );
  if (!opened.ok) return opened;
  return ok(new ForwardedSocket(opened.value, `pod/${pod}:${port}`, transport.closed));
}

/** The Duplex: has what pg asks of a socket (`connect`, `setNoDelay`, `ref` …), and dies when the WebSocket does. */
class ForwardedSocket extends Duplex {
  readonly #socket: WebSocket;
  readonly #where: string;
  readonly #headers = new Set<number>();
  #errorText = '';
  #errorTimer: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, where: string, closed: AbortSignal) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#where = where;
    // Without a listener an `error` event would end the process; the user's own listener still hears it.
    this.on('error', () => undefined);
    const off = onAbort([closed], () => this.destroy(new Error(`the connection to ${where} was closed`)));
    socket.on('message', (data) => this.#frame(toBuffer(data)));
    socket.on('close', (code) => {
      off();
      clearTimeout(this.#errorTimer);
      if (this.destroyed) return;
      if (this.#errorText !== '') this.destroy(new Error(`${where}: ${this.#errorText}`));
      else if (code === 1000 || code === 1005) {
        this.push(null);
        this.end();
      } else this.destroy(new Error(`the connection to ${where} broke off`));
    });
  }

  #frame(frame: Buffer): void {
    const channel = frame[0]!;
    const bytes = frame.subarray(1);
    if (!this.#headers.has(channel)) {
      this.#headers.add(channel);
      if (bytes.length === 2) return;
    }
    if (bytes.length === 0) return;
    if (channel === 0) {
      if (!this.push(bytes)) this.#socket.pause();
    } else {
      this.#errorText = sanitiseLine(`${this.#errorText} ${bytes.toString('utf8')}`.trim(), 500);
      // The dial inside the pod failed; the server may keep the socket open, the connection is dead all the same.
      this.#errorTimer ??= setTimeout(() => this.destroy(new Error(`${this.#where}: ${this.#errorText}`)), 50);
    }
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      done(new Error(this.#errorText || `the connection to ${this.#where} is closed`));
      return;
    }
    this.#socket.send(Buffer.concat([Buffer.from([0]), chunk]), (error) => done(error ?? null));
  }

  override _final(done: (error?: Error | null) => void): void {
    // v4 has no half-close: the end of our side is the end.
    this.#socket.close();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#errorTimer);
    this.#socket.close();
    setTimeout(() => this.#socket.terminate(), 1000).unref();
    done(error);
  }

  /** pg calls it on the stream it is given; the connection already stands, so say so on the next turn. */
  connect(): this {
    setImmediate(() => {
      if (!this.destroyed) this.emit('connect');
    });
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
