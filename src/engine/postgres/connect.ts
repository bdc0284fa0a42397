/** Sessions in PostgreSQL itself, direct or through a pooler. */
import { ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { openSession } from './session.ts';
import type { Postgres, PostgresOptions } from './types.ts';

const INTEGERS = new Set([20, 21, 23, 26]);
const FLOATS = new Set([700, 701]);
const BOOLEAN = 16;

/** Integers within 2^53, floats and booleans; everything else stays the text PostgreSQL sent (no local time zones). */
function parse(oid: number, text: string): string | number | boolean {
  if (oid === BOOLEAN) return text === 't';
  if (FLOATS.has(oid)) return Number(text);
  if (INTEGERS.has(oid)) return Number.isSafeInteger(Number(text)) ? Number(text) : text;
  return text;
}

/** Opens one session. Errors: `auth-failed`, `postgres-unreachable`, `timeout`, `aborted`, and those of `connect`. */
export async function openPostgres(options: PostgresOptions): Promise<Result<Postgres>> {
  const session = await openSession({
    connect: options.connect,
    ...(options.encrypted ? { encrypted: true } : {}),
    user: options.user,
    password: options.password,
    database: options.database,
    timeoutMs: options.timeoutMs ?? 10_000,
    applicationName: options.applicationName ?? 'pgb-wizard',
    ...(options.signal ? { signal: options.signal } : {}),
    unreachable: 'postgres-unreachable',
    parse,
  });
  if (!session.ok) return session;
  const { query, close, onNotification, passwordAsked } = session.value;
  return ok({
    query,
    onNotification,
    close,
    passwordAsked,
    get open() {
      return session.value.open;
    },
    async version() {
      const rows = await query("select version() as text, current_setting('server_version_num')::int as number");
      if (!rows.ok) return rows;
      return ok({ text: sanitiseLine(rows.value[0]?.text ?? ''), number: Number(rows.value[0]?.number) });
    },
  });
}
