/**
 * What a service will meet behind the pooler, tried with its own role: a read, a write that is rolled back, and the
 * constructs that break in a transaction pool. The write is rolled back; the lock has a key of its own and is given back
 * until pg_locks shows none; the one setting it changes is its own (`pgb_wizard.canary`) and means nothing to anybody.
 */

import { randomBytes } from 'node:crypto';
import type { PgBouncerVersion } from '../pgbouncer/types.ts';
import { ok, type Result, type WizardError } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { keepsPreparedStatements } from './drivers.ts';
import type { CanaryCheck, Postgres } from './types.ts';

export type OpenSession = () => Promise<Result<Postgres>>;

/** Reads `version()`, then writes inside a transaction that is rolled back. Errors of the login are returned as such. */
export async function runCanary(
  open: OpenSession,
  expected: { readonly role: string; readonly database: string },
): Promise<Result<readonly CanaryCheck[]>> {
  const session = await open();
  if (!session.ok) return session;
  const pg = session.value;
  try {
    const checks: CanaryCheck[] = [];
    const version = await pg.query(
      'select version() as version, current_user as role, current_database() as database, pg_is_in_recovery() as standby',
    );
    if (!version.ok) return version;
    const row = version.value[0]!;
    checks.push({
      id: 'version',
      title: 'SELECT version()',
      verdict: 'pass',
      observed: sanitiseLine(row.version, 120),
      expected: 'an answer of PostgreSQL',
    });
    checks.push({
      id: 'identity',
      title: 'role and database',
      verdict: row.role === expected.role && row.database === expected.database ? 'pass' : 'fail',
      observed: sanitiseLine(`${row.role} in ${row.database}`, 120),
      expected: `${expected.role} in ${expected.database}`,
    });
    checks.push(await writeCanary(pg, row.standby === true));
    return ok(checks);
  } finally {
    await pg.close();
  }
}

async function writeCanary(pg: Postgres, standby: boolean): Promise<CanaryCheck> {
  const base = {
    id: 'write',
    title: 'a write in a rolled-back transaction',
    expected: 'the row is read back and gone after ROLLBACK',
  };
  if (standby) return { ...base, verdict: 'fail', observed: 'the server is a standby (pg_is_in_recovery)' };
  const steps = [
    'begin',
    'create temporary table pgb_wizard_canary (n int) on commit drop',
    'insert into pgb_wizard_canary values (42)',
  ];
  for (const step of steps) {
    const done = await pg.query(step);
    if (!done.ok) {
      await pg.query('rollback');
      // Without TEMP on the database nothing can be written without touching a table of the team; a transaction id still
      // proves that the server takes writes.
      if (done.error.details?.sqlstate !== '42501') return { ...base, verdict: 'fail', observed: done.error.message };
      const id = await pg.query('select txid_current()::text as id');
      return id.ok
        ? {
            ...base,
            verdict: 'pass',
            observed: `transaction id ${id.value[0]?.id} (the role may not create temporary tables)`,
          }
        : { ...base, verdict: 'fail', observed: id.error.message };
    }
  }
  const read = await pg.query('select n from pgb_wizard_canary');
  const back = await pg.query('rollback');
  const gone = await pg.query("select to_regclass('pg_temp.pgb_wizard_canary') is null as gone");
  const good = read.ok && read.value[0]?.n === 42 && back.ok && gone.ok && gone.value[0]?.gone === true;
  return {
    ...base,
    verdict: good ? 'pass' : 'fail',
    observed: good ? 'written, read back, rolled back' : 'the row was not read back, or did not go',
  };
}

/**
 * pg_stat_statements remembers the canary: the mark keeps the next preflight from taking it for a service's statement, and
 * the constants beside the call keep it from standing in for a service's own statement of the same shape.
 */
const MARK = "/* pgb_wizard canary */ 1, 'pgb', 'wizard', ";

/** A number no application uses by chance. */
const LOCK_KEY = 7_402_516_432;

/**
 * Tries the constructs through the pooler with two sessions: the second one takes the server connection that the first
 * one used, so that what the first one left there shows. `pass` means: behaves as this version of PgBouncer should; the
 * observed text says what a service that uses the construct would see.
 */
export async function runConstructs(
  open: OpenSession,
  version: PgBouncerVersion,
  maxPreparedStatements?: number,
): Promise<Result<readonly CanaryCheck[]>> {
  const first = await open();
  if (!first.ok) return first;
  const second = await open();
  if (!second.ok) {
    await first.value.close();
    return second;
  }
  const [a, b] = [first.value, second.value];
  try {
    return ok([
      await prepared(a, b, keepsPreparedStatements(version, maxPreparedStatements)),
      await setting(a, b),
      await advisory(a, b),
    ]);
  } finally {
    await a.close();
    await b.close();
  }
}

/** Runs `work` while `b` holds the server connection that `a` used last (PgBouncer hands out the most recently used one). */
async function displaced<T>(b: Postgres, work: () => Promise<T>): Promise<T> {
  await b.query('begin');
  await b.query('select 1');
  try {
    return await work();
  } finally {
    await b.query('rollback');
  }
}

/** Whose turn it is in a pool is up to the pooler: once on the same connection is chance, so often is not. */
const TRIES = 5;

async function prepared(a: Postgres, b: Postgres, keeps: boolean): Promise<CanaryCheck> {
  let seen = await preparedOnce(a, b, keeps);
  for (let tried = 1; tried < TRIES && !keeps && seen.worked; tried++) seen = await preparedOnce(a, b, keeps);
  return seen.check;
}

async function preparedOnce(
  a: Postgres,
  b: Postgres,
  keeps: boolean,
): Promise<{ readonly check: CanaryCheck; readonly worked?: true }> {
  // A name of its own: what an earlier look left on a server connection would look like a statement that was kept.
  const name = `pgb_wizard_canary_${randomBytes(6).toString('hex')}`;
  const base = {
    id: 'prepared-statements',
    title: 'prepared statements of the protocol',
    expected: keeps ? 'they work on any server connection' : 'this pooler cannot keep them',
  };
  const firstUse = await a.query('select $1::int as n', [1], name);
  const again = await displaced(b, () => a.query('select $1::int as n', [2], name));
  if (firstUse.ok && again.ok && again.value[0]?.n === 2) {
    const observed = 'a statement prepared on one server connection ran on another';
    const check: CanaryCheck = keeps
      ? { ...base, verdict: 'pass', observed }
      : { ...base, verdict: 'inconclusive', observed: `${observed} this time; this version does not promise it` };
    return { check, worked: true };
  }
  const { error } = (firstUse.ok ? again : firstUse) as { error?: WizardError };
  const seen = sanitiseLine(error?.message ?? 'a wrong answer', 200);
  // A pool of one connection, or one that others keep busy, gives no second connection to try it on.
  if (error?.code === 'timeout' || /query_wait_timeout/.test(seen))
    return {
      check: { ...base, verdict: 'inconclusive', observed: `no second server connection to try it on: ${seen}` },
    };
  const forgotten = ['26000', '42P05'].includes(String(error?.details?.sqlstate));
  return {
    check: {
      ...base,
      verdict: keeps ? 'fail' : forgotten ? 'pass' : 'inconclusive',
      observed: `${seen}: services whose driver prepares statements will fail`,
    },
  };
}

async function setting(a: Postgres, b: Postgres): Promise<CanaryCheck> {
  await a.query(`select ${MARK}set_config('pgb_wizard.canary', 'mine', false)`);
  const leaked = await b.query("select coalesce(current_setting('pgb_wizard.canary', true), '') as value");
  // Reset on the same server connection, which is still the one most recently used.
  await b.query(`select ${MARK}set_config('pgb_wizard.canary', '', false)`);
  const value = leaked.ok ? String(leaked.value[0]?.value) : '';
  return {
    id: 'session-settings',
    title: 'SET without LOCAL',
    verdict: leaked.ok ? 'pass' : 'inconclusive',
    observed:
      value === 'mine'
        ? 'a setting of one client was seen by another: use SET LOCAL'
        : 'the other client did not see it this time; it is not guaranteed',
    expected: 'settings of a session are shared in a transaction pool',
  };
}

/** Under live traffic the lock may be on any server connection of the pool: ask until no session holds it any more. */
async function giveBack(a: Postgres): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const held = await a.query(
      `select count(*)::int as n from pg_locks where locktype = 'advisory' and (classid::bigint << 32 | objid::bigint) = ${LOCK_KEY}`,
    );
    if (!held.ok) return false;
    if (held.value[0]?.n === 0) return true;
    await a.query(`select ${MARK}pg_advisory_unlock(${LOCK_KEY})`);
  }
  return false;
}

async function advisory(a: Postgres, b: Postgres): Promise<CanaryCheck> {
  const taken = await a.query(`select ${MARK}pg_try_advisory_lock(${LOCK_KEY}) as got`);
  const also = await b.query(`select ${MARK}pg_try_advisory_lock(${LOCK_KEY}) as got`);
  const clean = await giveBack(a);
  const both = taken.ok && also.ok && taken.value[0]?.got === true && also.value[0]?.got === true;
  const seen = both
    ? 'two clients held the same "exclusive" lock: migrations need the direct URL'
    : 'the second client was refused this time; it is not guaranteed';
  return {
    id: 'session-advisory-locks',
    title: 'session advisory locks',
    verdict: taken.ok && also.ok ? 'pass' : 'inconclusive',
    observed: clean ? seen : `${seen} (the canary's own lock stays until RECONNECT)`,
    expected: 'locks of a session are shared in a transaction pool',
  };
}
