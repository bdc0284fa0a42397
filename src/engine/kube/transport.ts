/**
 * The one way to the API server: per-request limits, the retry policy, 401 renewal, the rate limit. Connections are kept
 * with their credentials (held-credentials.ts), the books (health, counts, warnings) in books.ts. Why node:https and not
 * client-node's generated calls: docs/decisions/0006.
 */
import type { IncomingMessage } from 'node:http';
import { killPoint } from '../kill-point.ts';
import { type ErrorCode, err, fail, ok, type Result, type WizardError, wizardError } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { pause, unlessAborted } from './abort.ts';
import { Books } from './books.ts';
import { failureText, httpError, isTlsError, networkError, neverSent } from './errors.ts';
import { type ExchangeError, exchange, readBody } from './exchange.ts';
import { HeldCredentials } from './held-credentials.ts';
import type { LoadedConfig } from './kubeconfig.ts';
import { RateLimiter } from './rate-limit.ts';
import type { Json, KubeHealth, RequestCounts } from './types.ts';
import { wireJson } from './wire-json.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Record<string, string | number | boolean | undefined>;
  readonly body?: Json;
  readonly contentType?: string;
  /** For errors: `patch deployment/identity-service`. */
  readonly what: string;
  /** For the books: `PATCH deployments`. */
  readonly kind: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly auditId?: string;
  /** May the same write be sent twice without harm (JSON Patch with `test`, fixed name, uid precondition, apply)? */
  readonly resendSafe?: boolean;
  /** Asked before each try but the first; false ends it with the last error. */
  readonly again?: () => Promise<boolean>;
  readonly maxTries?: number;
  /** Told of each `Warning:` header of the answer. */
  readonly onWarning?: (text: string) => void;
}

export interface TransportOptions {
  readonly userAgent: string;
  readonly requestTimeoutMs?: number;
  readonly rate: { readonly perSecond: number; readonly burst: number };
  /** Random 0..1, for the jitter. */
  readonly random?: () => number;
}

const RATE_LIMITED_TRIES = 10;
const READ_TRIES = 6;
const WRITE_TRIES = 4;
const WEBHOOK_TRIES = 3;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MOST_MS = 15_000;
const RETRY_AFTER_MOST_MS = 60_000;

/** The server said 401; a plugin that fails by itself is another matter, and running it again would not help. */
const isRefused = (error: WizardError): boolean => error.details?.status === 401;

/** Answers that tell what the object is like now: they settle what became of an earlier try. */
const FROM_THE_OBJECT: ReadonlySet<ErrorCode> = new Set([
  'conflict',
  'already-exists',
  'precondition-failed',
  'not-found',
  'invalid-object',
]);

/** A write of which some try may have been carried out. The exit code is that of the error it ended with. */
const lost = (call: Call, error: WizardError): Result<never> =>
  fail('outcome-unknown', `no answer to ${call.what}: it may have happened, or may still happen`, {
    cause: error.message,
    next: ['The wizard reads the live state before it does anything else.'],
    exitCode: error.exitCode,
  });

export class Transport {
  readonly #config: LoadedConfig;
  readonly #options: TransportOptions;
  readonly #limiter: RateLimiter;
  readonly #closed = new AbortController();
  readonly #credentials: HeldCredentials;
  readonly #books = new Books();

  constructor(config: LoadedConfig, options: TransportOptions) {
    this.#config = config;
    this.#options = options;
    this.#credentials = new HeldCredentials(config);
    this.#limiter = new RateLimiter(options.rate.perSecond, options.rate.burst);
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** A call with a JSON answer. */
  async json(call: Call): Promise<Result<Json>> {
    const text = await this.text(call);
    if (!text.ok) return text;
    if (text.value === '') return ok({});
    try {
      return ok(JSON.parse(text.value));
    } catch {
      return fail('api-unavailable', `the answer to ${call.what} is not JSON`, {
        cause: sanitiseLine(text.value, 200),
        next: ['Is this address a Kubernetes API server, or a login page in front of it?'],
      });
    }
  }

  /** A call with a text answer (JSON, or a log). */
  async text(call: Call & { limitBytes?: number }): Promise<Result<string>> {
    const isRead = call.method === 'GET';
    const tries = call.maxTries ?? (isRead ? READ_TRIES : WRITE_TRIES);
    let renewed = false;
    let webhookTries = 0;
    // Some try may have been carried out without an answer: no later try takes that back, but one that was answered
    // from the live object.
    let open = false;
    const stopped = (message: string): Result<never> =>
      open ? fail('outcome-unknown', `stopped before the answer to ${call.what} came`) : fail('aborted', message);
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#once(call);
      if (outcome.ok) return outcome;
      const { error, waitMs, sent } = outcome;
      const webhook = /failed calling webhook/.test(error.message);
      const unknown = sent && !isRead && !webhook && error.code !== 'rate-limited';
      if (unknown && (error.retryable || error.code === 'aborted') && error.code !== 'conflict') open = true;
      if (error.code === 'aborted') return stopped(error.message);
      if (isRefused(error) && !renewed) {
        renewed = true;
        const again = await unlessAborted(this.renew(call.what), [call.signal, this.closed]);
        if (again === undefined) return stopped(`stopped: ${call.what}`);
        if (!again.ok) return open ? lost(call, again.error) : again;
        continue;
      }
      if (webhook) webhookTries += 1;
      const limit = webhook ? WEBHOOK_TRIES : error.code === 'rate-limited' ? RATE_LIMITED_TRIES : tries;
      const mayResend = isRead || !unknown || call.resendSafe === true;
      const stop = !error.retryable || !mayResend || attempt >= limit || (webhook && webhookTries >= WEBHOOK_TRIES);
      const giveUp = (): Result<never> => (open && !FROM_THE_OBJECT.has(error.code) ? lost(call, error) : err(error));
      if (stop || error.code === 'conflict') return giveUp();
      this.#books.countRetry();
      const backoff = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1));
      const pause = waitMs ?? backoff * (0.2 + 0.8 * (this.#options.random ?? Math.random)());
      if (!(await this.#wait(pause, call.signal))) return stopped(`stopped while waiting to ${call.what}`);
      if (call.again && !(await call.again())) return giveUp();
    }
  }

  /** A call with a streamed answer (watch, followed log). One try; the caller owns the body. */
  async open(call: Call): Promise<Result<IncomingMessage>> {
    for (let attempt = 1; ; attempt++) {
      const sent = await this.#send(call);
      if (!sent.ok) return sent;
      const response = sent.value;
      this.#books.note(response);
      if (response.statusCode === 200) {
        this.alive();
        return ok(response);
      }
      const error = await this.#readFailure(response, call);
      if (isRefused(error.error) && attempt === 1) {
        const again = await this.renew(call.what);
        if (!again.ok) return again;
        continue;
      }
      return { ok: false, error: error.error };
    }
  }

  /** Address and options for a WebSocket to `path`. */
  async webSocket(path: string): Promise<Result<{ url: string; headers: Record<string, string>; tls: Json }>> {
    const credentials = await this.#credentials.ready();
    if (!credentials.ok) return credentials;
    const url = `${this.#config.server.replace(/^http/, 'ws')}${path}`;
    const { headers, tls, agent } = credentials.value.value;
    return ok({
      url,
      headers: { ...headers, 'User-Agent': this.#options.userAgent },
      tls: { ...tls, ...this.#credentials.contextOf(credentials.value), ...(agent ? { agent } : {}) },
    });
  }

  /** After a 401: drops every cached credential and reads files and plugins again, once for all who ask at the same time. */
  renew(what: string): Promise<Result<void>> {
    return this.#credentials.renew(what);
  }

  /** Books a stream that was opened outside `text` and `open`. */
  count(kind: string): void {
    this.#books.count(kind);
  }

  countWatch(): void {
    this.#books.countWatch();
  }

  /** A sign of life: a read worked, a watch said something. */
  alive(): void {
    this.#books.alive();
  }

  health(): KubeHealth {
    return this.#books.health();
  }

  counts(): RequestCounts {
    return this.#books.counts();
  }

  warnings(): string[] {
    return this.#books.warnings();
  }

  close(): void {
    this.#closed.abort(new Error('closed'));
    this.#credentials.close();
  }

  async #once(
    call: Call & { limitBytes?: number },
  ): Promise<{ ok: true; value: string } | { ok: false; error: WizardError; waitMs?: number; sent: boolean }> {
    const sent = await this.#send(call);
    if (!sent.ok) return { ...sent, sent: sent.reachedServer };
    const response = sent.value;
    this.#books.note(response, call.onWarning);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) {
      const failure = await this.#readFailure(response, call);
      // 4xx answers and a 503 with Retry-After were refused before execution; other 5xx leave a write open.
      const refused = status < 500 || (status === 503 && failure.waitMs !== undefined);
      if (status >= 500) this.#books.failed(failure.error.message);
      else this.alive();
      return { ok: false, ...failure, sent: !refused };
    }
    try {
      const value = await readBody(response, {
        timeoutMs: this.#options.requestTimeoutMs ?? call.timeoutMs,
        signals: [call.signal, this.closed],
        ...(call.limitBytes === undefined ? {} : { limitBytes: call.limitBytes }),
      });
      this.alive();
      return { ok: true, value };
    } catch (error) {
      const mapped = this.#mapError(error as ExchangeError, call);
      return { ok: false, error: mapped, sent: true };
    }
  }

  async #send(
    call: Call,
  ): Promise<{ ok: true; value: IncomingMessage } | { ok: false; error: WizardError; reachedServer: boolean }> {
    const credentials = await unlessAborted(this.#credentials.ready(), [call.signal, this.closed]);
    if (!credentials)
      return { ok: false, error: wizardError('aborted', `stopped before ${call.what}`), reachedServer: false };
    if (!credentials.ok) return { ...credentials, reachedServer: false };
    if (!(await this.#wait(this.#limiter.take(), call.signal))) {
      return { ok: false, error: wizardError('aborted', `stopped before ${call.what}`), reachedServer: false };
    }
    this.count(call.kind);
    const url = new URL(this.#config.server + call.path);
    for (const [key, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    const headers: Record<string, string> = {
      ...credentials.value.value.headers,
      Accept: 'application/json',
      'User-Agent': this.#options.userAgent,
    };
    if (call.body !== undefined) headers['Content-Type'] = call.contentType ?? 'application/json';
    if (call.auditId !== undefined) headers['Audit-ID'] = call.auditId;
    const changes = call.method !== 'GET' && call.query?.dryRun === undefined && !call.path.endsWith('reviews');
    if (changes) killPoint(() => `send ${call.kind} ${call.what}`);
    try {
      const response = await exchange({
        url,
        method: call.method,
        headers,
        ...(call.body === undefined ? {} : { body: wireJson(call.body) }),
        agent: credentials.value.value.agent ?? credentials.value.agent,
        tls: credentials.value.value.tls,
        timeoutMs: this.#options.requestTimeoutMs ?? call.timeoutMs,
        signals: [call.signal, this.closed],
      });
      // It has happened (or was refused), and nobody here knows yet.
      if (changes) killPoint(() => `answer ${call.kind} ${call.what}`);
      return { ok: true, value: response };
    } catch (error) {
      const broken = error as ExchangeError;
      return {
        ok: false,
        error: this.#mapError(broken, call),
        reachedServer: !neverSent(broken.code) && !isTlsError(broken),
      };
    }
  }

  #mapError(error: ExchangeError, call: Call): WizardError {
    if (error.code === 'ABORTED') return wizardError('aborted', `stopped: ${call.what}`);
    const mapped = networkError(error, this.#config.server, call.what);
    this.#books.failed(mapped.message);
    return mapped;
  }

  async #readFailure(response: IncomingMessage, call: Call): Promise<{ error: WizardError; waitMs?: number }> {
    let text = '';
    try {
      text = await readBody(response, {
        timeoutMs: 10_000,
        limitBytes: 1_000_000,
        signals: [call.signal, this.closed],
      });
    } catch (error) {
      text = (error as Error).message;
    }
    let body: Json;
    try {
      body = JSON.parse(text);
    } catch {
      body = undefined;
    }
    const after = Number(response.headers['retry-after']);
    const failure = { status: response.statusCode ?? 0, body, text };
    const error = httpError(failure, call.what);
    if (error.retryable) this.#books.failed(failureText(failure));
    return {
      error,
      ...(Number.isFinite(after) && response.headers['retry-after'] !== undefined
        ? { waitMs: Math.min(RETRY_AFTER_MOST_MS, Math.max(0, after * 1000)) }
        : {}),
    };
  }

  #wait(ms: number, signal?: AbortSignal): Promise<boolean> {
    return pause(ms, [signal, this.closed]);
  }
}
