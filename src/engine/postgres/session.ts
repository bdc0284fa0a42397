/**
 * One PostgreSQL-protocol session over a byte stream that is already open (a port-forward), for PostgreSQL itself and for
 * PgBouncer's console. One query at a time, every wait bounded, every failure a `Result`. A query that times out closes
 * the session: over a port-forward nobody can tell a slow server from a dead stream.
 */
import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { type ErrorCode, err, fail, ok, type Result, type WizardError, wizardError } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Secret } from '../secret.ts';
import type { Connect } from './types.ts';

export interface SessionOptions {
  readonly connect: Connect;
  /** Over a network that others can read: TLS first. */
  readonly encrypted?: boolean;
  readonly user: string;
  readonly password: Secret;
  readonly database: string;
  readonly timeoutMs: number;
  readonly applicationName: string;
  readonly signal?: AbortSignal;
  /** Code of a stream that cannot be opened or ends. */
  readonly unreachable: Extract<ErrorCode, 'postgres-unreachable' | 'pooler-unreachable'>;
  /** By type OID; text as it came when there is none. */
  readonly parse: (oid: number, text: string) => string | number | boolean;
}

type Value = string | number | boolean | null;
type SessionRow = Readonly<Record<string, Value>>;

export interface Session {
  /** Without values the simple protocol is used; with `name` a named prepared statement of the protocol. */
  query(text: string, values?: readonly unknown[], name?: string): Promise<Result<readonly SessionRow[]>>;
  /** Asynchronous notifications (LISTEN), channel names. */
  onNotification(listener: (channel: string) => void): void;
  /** Did the server ask for the password? Where it trusts the address, whatever was given was let in. */
  readonly passwordAsked: boolean;
  readonly open: boolean;
  close(): Promise<void>;
}

/** The few methods of `net.Socket` that pg calls on the stream it is given. */
interface SocketLike {
  connect(): unknown;
  setNoDelay(): unknown;
  setKeepAlive(): unknown;
  ref(): unknown;
  unref(): unknown;
}

/** pg opens its stream itself; ours is open already, so `connect` only says so. */
function asSocket(stream: Duplex): Duplex {
  const self = () => stream;
  const socket: SocketLike = {
    connect: () => {
      process.nextTick(() => stream.emit('connect'));
      return stream;
    },
    setNoDelay: self,
    setKeepAlive: self,
    ref: self,
    unref: self,
  };
  return Object.assign(stream, socket);
}

/** What pg calls the server's ways to ask for a password; without one of them `AuthenticationOk` comes first. */
const PASSWORD_REQUESTS = ['authenticationCleartextPassword', 'authenticationMD5Password', 'authenticationSASL'];

const AUTH =
  /authentication failed|login rejected|^not allowed$|no pg_hba\.conf entry|wrong password type|role ".*" does not exist|is not permitted to log in|no such user|bouncer config error/i;

/** What pg rejects with, as one of ours. The server's own words are kept: they are what a diagnosis reads. */
export function sessionError(thrown: unknown, unreachable: SessionOptions['unreachable']): WizardError {
  const error = thrown as { message?: unknown; code?: unknown; severity?: unknown; hint?: unknown };
  const message = sanitiseLine(error?.message ?? thrown, 500);
  const sqlstate = typeof error?.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
  const fromServer = typeof error?.severity === 'string';
  const details = { ...(sqlstate ? { sqlstate } : {}), ...(fromServer ? { severity: String(error.severity) } : {}) };
  if (AUTH.test(message) || sqlstate?.startsWith('28')) return wizardError('auth-failed', message, { details });
  if (fromServer && error.severity !== 'FATAL') return wizardError('query-failed', message, { details });
  return wizardError(unreachable, message, { details, retryable: true });
}

/** Waits for a promise, at most `ms` and no longer than the signal; `onLost` runs when it was given up. */
async function bounded<T>(
  work: Promise<T>,
  ms: number,
  signal: AbortSignal | undefined,
  onLost: () => void,
): Promise<{ kind: 'done'; value: T } | { kind: 'timeout' } | { kind: 'aborted' }> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const lost = new Promise<{ kind: 'timeout' } | { kind: 'aborted' }>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'timeout' }), ms);
    onAbort = () => resolve({ kind: 'aborted' });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    const outcome = await Promise.race([work.then((value) => ({ kind: 'done' as const, value })), lost]);
    if (outcome.kind !== 'done') {
      // Nobody waits for it any more; its later failure is the consequence of our closing the stream.
      work.catch(() => undefined);
      onLost();
    }
    return outcome;
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}

const gaveUp = (kind: 'timeout' | 'aborted', what: string, ms: number): WizardError =>
  kind === 'timeout'
    ? wizardError('timeout', `${what} did not answer within ${ms} ms`, { retryable: true })
    : wizardError('aborted', `${what} was given up`);

/** Opens the stream and logs in. Errors: `auth-failed`, the `unreachable` code, `timeout`, `aborted`, and those of `connect`. */
export async function openSession(options: SessionOptions): Promise<Result<Session>> {
  if (options.encrypted) {
    const first = await attempt(options, true);
    if (first.ok || !/does not support SSL/i.test(first.error.message)) return first;
  }
  const plain = await attempt(options, false);
  if (plain.ok || options.encrypted) return plain;
  // `hostssl` lines only: the server's own words say that a plain connection is what it refuses. The certificate is not
  // checked: the stream is a port-forward to a pod that the API server named.
  if (!/no pg_hba\.conf entry.*no encryption|SSL required/i.test(plain.error.message)) return plain;
  const secured = await attempt(options, true);
  // Without TLS on the server its first answer is the one to show.
  return !secured.ok && /does not support SSL/i.test(secured.error.message) ? plain : secured;
}

async function attempt(options: SessionOptions, tls: boolean): Promise<Result<Session>> {
  const { timeoutMs, signal, unreachable } = options;
  if (signal?.aborted) return err(gaveUp('aborted', 'The connection', timeoutMs));
  const opening = options.connect();
  const streamOutcome = await bounded(opening, timeoutMs, signal, () => {
    void opening.then((late) => late.ok && late.value.destroy());
  });
  if (streamOutcome.kind !== 'done') return err(gaveUp(streamOutcome.kind, 'The connection', timeoutMs));
  if (!streamOutcome.value.ok) return streamOutcome.value;
  const stream = streamOutcome.value.value;

  const { Client } = await import('./pg-client.ts');
  const client = new Client({
    // The port-forward is the address; these are what the server sees and what an error would name.
    host: 'port-forward',
    port: 5432,
    user: options.user,
    password: options.password.reveal(),
    database: options.database,
    application_name: options.applicationName,
    ssl: tls ? { rejectUnauthorized: false } : false,
    stream: () => asSocket(stream) as never,
    types: { getTypeParser: (oid: number) => (text: string) => options.parse(oid, text) } as never,
  });
  // pg adds PGOPTIONS of the operator's shell to the startup packet, which PgBouncer refuses ("unsupported startup parameter").
  (client as unknown as { connectionParameters: { options?: string } }).connectionParameters.options = undefined;

  let passwordAsked = false;
  for (const request of PASSWORD_REQUESTS)
    (client as unknown as { connection: EventEmitter }).connection.once(request, () => {
      passwordAsked = true;
    });

  let alive = true;
  let lastError: unknown;
  client.on('error', (error) => {
    alive = false;
    lastError = error;
  });
  client.on('end', () => {
    alive = false;
  });
  const drop = () => {
    alive = false;
    stream.destroy();
  };

  try {
    const login = await bounded(client.connect(), timeoutMs, signal, drop);
    if (login.kind !== 'done') return err(gaveUp(login.kind, 'The login', timeoutMs));
  } catch (thrown) {
    drop();
    return err(sessionError(thrown, unreachable));
  }

  let queue: Promise<unknown> = Promise.resolve();
  const run = async (
    text: string,
    values?: readonly unknown[],
    name?: string,
  ): Promise<Result<readonly SessionRow[]>> => {
    if (!alive) {
      return fail(unreachable, lastError ? sanitiseLine((lastError as Error).message) : 'The connection is closed', {
        retryable: true,
      });
    }
    try {
      // Without values pg uses the simple protocol, the only one the console of PgBouncer speaks.
      const work = values ? client.query({ text, values: [...values], ...(name ? { name } : {}) }) : client.query(text);
      const outcome = await bounded(work, timeoutMs, signal, drop);
      if (outcome.kind !== 'done') return err(gaveUp(outcome.kind, 'The query', timeoutMs));
      const last = Array.isArray(outcome.value) ? outcome.value.at(-1) : outcome.value;
      return ok((last?.rows ?? []) as SessionRow[]);
    } catch (thrown) {
      return err(sessionError(thrown, unreachable));
    }
  };
  return ok({
    query(text, values, name) {
      const result = queue.then(() => run(text, values, name));
      queue = result;
      return result;
    },
    onNotification(listener) {
      client.on('notification', (message) => listener(message.channel));
    },
    passwordAsked,
    get open() {
      return alive;
    },
    async close() {
      if (alive) {
        alive = false;
        await bounded(client.end(), 1000, undefined, drop);
      }
      stream.destroy();
    },
  });
}
