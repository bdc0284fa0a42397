/**
 * PgBouncer's admin console (https://www.pgbouncer.org/usage.html#admin-console). It speaks the simple query protocol
 * only, its columns differ by version (so they are read by name), and each pooler process has a console of its own.
 */
import { openSession } from '../postgres/session.ts';
import { fail, ok, type Result } from '../result.ts';
import type { AdminConsole, ConsoleOptions, ConsoleRow } from './console-types.ts';
import { parseVersion } from './version.ts';

// int8, int4 and numeric (the counters of SHOW STATS).
const NUMBERS = new Set([20, 23, 1700]);

function parse(oid: number, text: string): string | number {
  if (!NUMBERS.has(oid) || !/^-?\d+(\.\d+)?$/.test(text)) return text;
  const value = Number(text);
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? text : value;
}

/** Verbs the console knows; anything else is refused here, before it is sent. */
const VERBS = /^(RELOAD|RECONNECT|PAUSE|RESUME|ENABLE|DISABLE|KILL|SET|WAIT_CLOSE|KILL_CLIENT)\b/i;

/** Logs in to the console of one pooler process (database `pgbouncer`). */
export async function openConsole(options: ConsoleOptions): Promise<Result<AdminConsole>> {
  const session = await openSession({
    connect: options.connect,
    user: options.user,
    password: options.password,
    database: 'pgbouncer',
    timeoutMs: options.timeoutMs ?? 5000,
    applicationName: 'pgb-wizard',
    ...(options.signal ? { signal: options.signal } : {}),
    unreachable: 'pooler-unreachable',
    parse,
  });
  if (!session.ok) return session;
  const { query, close } = session.value;
  const show: AdminConsole['show'] = (command) => query(`SHOW ${command}`) as Promise<Result<readonly ConsoleRow[]>>;
  return ok({
    show,
    close,
    get open() {
      return session.value.open;
    },
    async command(text) {
      if (!VERBS.test(text) || /[;\r\n]/.test(text))
        return fail('usage', `Not a console command: ${text.slice(0, 40)}`);
      const answer = await query(text);
      return answer.ok ? ok(undefined) : answer;
    },
    async version() {
      const rows = await show('VERSION');
      if (!rows.ok) return rows;
      return parseVersion(String(Object.values(rows.value[0] ?? {})[0] ?? ''));
    },
    async config() {
      const rows = await show('CONFIG');
      if (!rows.ok) return rows;
      return ok(new Map(rows.value.map((row) => [String(row.key), row.value === null ? '' : String(row.value)])));
    },
  });
}
