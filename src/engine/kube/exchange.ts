/** One HTTP exchange with node:https: our own timeout, abort, and no surprises from half-dead sockets. */
import http, { type IncomingMessage } from 'node:http';
import https, { type RequestOptions } from 'node:https';
import { isAborted, onAbort, type Signals } from './abort.ts';

export interface ExchangeOptions {
  readonly url: URL;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly agent: RequestOptions['agent'];
  readonly tls: RequestOptions;
  readonly timeoutMs: number;
  readonly signals: Signals;
}

/** The error of an exchange without a response. `code` is Node's, or `ETIMEDOUT` for our limit, or `ABORTED`. */
export class ExchangeError extends Error {
  readonly code: string;
  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Sends the request and resolves with the response once its headers are there; the limit covers that part only.
 * Rejects with an ExchangeError.
 */
export function exchange(options: ExchangeOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    if (isAborted(options.signals)) {
      reject(new ExchangeError('aborted', 'ABORTED'));
      return;
    }
    const headers: Record<string, string | number> = { ...options.headers };
    if (options.body !== undefined) headers['Content-Length'] = Buffer.byteLength(options.body);
    const send = options.url.protocol === 'http:' ? http.request : https.request;
    const request = send(options.url, { ...options.tls, method: options.method, headers, agent: options.agent });
    const timer = setTimeout(() => {
      request.destroy(new ExchangeError(`no answer within ${Math.round(options.timeoutMs / 1000)} s`, 'ETIMEDOUT'));
    }, options.timeoutMs);
    const off = onAbort(options.signals, () => request.destroy(new ExchangeError('aborted', 'ABORTED')));
    const release = () => {
      clearTimeout(timer);
      off();
    };
    request.on('response', (response) => {
      release();
      resolve(response);
    });
    // Stays for the whole life of the socket: an error after the response is the body's concern, never an uncaught one.
    request.on('error', (error: NodeJS.ErrnoException) => {
      release();
      reject(error instanceof ExchangeError ? error : new ExchangeError(error.message, error.code ?? 'EUNKNOWN'));
    });
    request.end(options.body);
  });
}

/** Reads a body to its end. Rejects with an ExchangeError when it breaks off, stalls, or the signal aborts. */
export function readBody(
  response: IncomingMessage,
  options: { timeoutMs: number; signals: Signals; limitBytes?: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => stop(new ExchangeError('the answer stalled', 'ETIMEDOUT')), options.timeoutMs);
    let off = () => {};
    const release = () => {
      clearTimeout(timer);
      off();
    };
    const stop = (error: ExchangeError) => {
      release();
      response.destroy();
      reject(error);
    };
    off = onAbort(options.signals, () => stop(new ExchangeError('aborted', 'ABORTED')));
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (options.limitBytes !== undefined && size > options.limitBytes) {
        release();
        response.destroy();
        resolve(Buffer.concat(chunks).toString('utf8'));
      }
    });
    response.on('end', () => {
      release();
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
    response.on('error', (error: NodeJS.ErrnoException) =>
      stop(new ExchangeError(error.message, error.code ?? 'ECONNRESET')),
    );
    response.on('close', () => {
      if (!response.complete) stop(new ExchangeError('the answer broke off', 'ECONNRESET'));
    });
  });
}
