/**
 * What in the live database will not survive transaction pooling, and which service does it. Everything is read from
 * catalogues and views (nothing is set, nothing is written). What could not be looked at is said (`looked`), because
 * silence is not health: prepared statements of other sessions and startup parameters are visible in no view at all, the
 * canary (canary.ts) and the drivers' habits (drivers.ts) stand in for them.
 */
import { normaliseAddress } from '../pgbouncer/pools.ts';
import type { Severity } from '../pgbouncer/types.ts';
import { ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { DRIVERS, driverAdvice, keepsPreparedStatements } from './drivers.ts';
import { type StatementHazard, statementHazards } from './hazard-statements.ts';
import type { Finding, HazardOptions, HazardReport, Postgres, SqlRow } from './types.ts';

const SESSIONS = `
select host(a.client_addr) as address, coalesce(a.application_name, '') as application_name, a.pid, a.backend_type,
       a.state, left(a.query, 2000) as query, a.usename as role, a.datname as database,
       extract(epoch from now() - a.xact_start)::float8 as transaction_seconds,
       extract(epoch from now() - a.state_change)::float8 as state_seconds,
       coalesce((select s.ssl from pg_stat_ssl s where s.pid = a.pid), false) as tls,
       exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory' and l.granted
               and a.state = 'idle') as session_lock
from pg_stat_activity a
where a.pid <> pg_backend_pid() and a.backend_type in ('client backend', 'walsender')
  and a.application_name not like 'pgb-wizard%'`;

// A temporary table's schema carries the number of its backend; the number is readable from 16 on, and with it the pid.
const TEMPORARY = `
select n.nspname as schema, c.relname as name, c.relowner::regrole::text as owner,
       case when current_setting('server_version_num')::int >= 160000 then
         (select pg_stat_get_backend_pid(b) from pg_stat_get_backend_idset() b where 'pg_temp_' || b = n.nspname) end as pid
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relpersistence = 't' and c.relkind = 'r'`;

const STATEMENTS = `
select left(s.query, 2000) as query, sum(s.calls)::float8 as calls
from pg_stat_statements s join pg_roles r on r.oid = s.userid join pg_database d on d.oid = s.dbid
where r.rolname = $1 and d.datname = $2 and s.query not like '%pgb\\_wizard%'
group by 1 order by 2 desc limit 2000`;

const SLOTS = `select slot_name, plugin, active from pg_replication_slots where slot_type = 'logical' and database = $1`;

interface Draft {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  readonly fix: string;
  readonly seen: string[];
  readonly services: Set<string>;
}

/** Looks once. Run it a few times over a busy period: a session shows only the last statement it ran. */
export async function findHazards(pg: Postgres, options: HazardOptions): Promise<Result<HazardReport>> {
  const drafts = new Map<string, Draft>();
  const looked: { check: string; state: 'done' | 'not-possible'; note: string }[] = [];
  const put = (hazard: Pick<StatementHazard, 'id' | 'severity' | 'title' | 'fix'>, seen: string, service?: string) => {
    const draft = drafts.get(hazard.id) ?? { ...hazard, seen: [], services: new Set<string>() };
    if (draft.seen.length < 5 && !draft.seen.includes(seen)) draft.seen.push(seen);
    if (service) draft.services.add(service);
    drafts.set(hazard.id, draft);
  };

  const sessions = await pg.query(SESSIONS);
  if (!sessions.ok) return sessions;
  const all = await pg.query(
    'select count(*)::int as hidden from pg_stat_activity where usesysid is not null and datid is not null and backend_type is null',
  );
  const hidden = all.ok ? Number(all.value[0]?.hidden) : 0;
  looked.push({
    check: 'pg_stat_activity',
    state: 'done',
    note:
      hidden > 0 ? `${hidden} sessions of other roles are hidden from this role` : `${sessions.value.length} sessions`,
  });

  const serviceOf = (row: SqlRow): string | undefined =>
    row.address === null ? undefined : options.podIps.get(normaliseAddress(String(row.address)))?.service;
  const isPooler = (row: SqlRow) =>
    row.address !== null && options.podIps.get(normaliseAddress(String(row.address)))?.pooler === true;
  const pidService = new Map<number, string>();
  for (const row of sessions.value) {
    // A session of the pooler carries statements of anybody; what leaks there shows in the clients, not here.
    if (isPooler(row)) continue;
    const service = serviceOf(row);
    if (service) pidService.set(Number(row.pid), service);
    const mine = row.role === options.role && row.database === options.database;
    if (service || mine) inspectSession(row, service, options, put);
  }

  const temporary = await pg.query(TEMPORARY);
  if (temporary.ok) {
    for (const row of temporary.value) {
      put(
        TEMPORARY_TABLE,
        sanitiseLine(`${row.schema}.${row.name} of ${row.owner}`, 200),
        pidService.get(Number(row.pid)),
      );
    }
    looked.push({ check: 'temporary tables', state: 'done', note: `${temporary.value.length} exist now` });
  } else looked.push({ check: 'temporary tables', state: 'not-possible', note: temporary.error.message });

  const statements = await pg.query(STATEMENTS, [options.role, options.database]);
  if (statements.ok) {
    for (const row of statements.value) {
      for (const hazard of statementHazards(String(row.query))) {
        // One PREPARE gives its text to every later call of the same statement: a hint, not a proof.
        const hint = hazard.id === 'sql-prepare' ? { ...hazard, severity: 'warn' as const } : hazard;
        put(hint, `${row.calls} calls: ${sanitiseLine(row.query, 90)}`);
      }
    }
    looked.push({
      check: 'pg_stat_statements',
      state: 'done',
      note: `${statements.value.length} statements of ${options.role}`,
    });
  } else {
    looked.push({
      check: 'pg_stat_statements',
      state: 'not-possible',
      note:
        statements.error.details?.sqlstate === '42P01'
          ? 'the extension is not installed in this database'
          : statements.error.message,
    });
  }

  const slots = await pg.query(SLOTS, [options.database]);
  if (slots.ok) {
    for (const row of slots.value.filter((slot) => slot.active === true))
      put(REPLICATION, `slot ${sanitiseLine(row.slot_name, 60)} (${sanitiseLine(row.plugin, 60)})`);
    looked.push({
      check: 'logical replication slots',
      state: 'done',
      note: `${slots.value.length} in ${options.database}`,
    });
  } else looked.push({ check: 'logical replication slots', state: 'not-possible', note: slots.error.message });

  inspectDrivers(options, put, looked);
  looked.push({
    check: 'startup parameters',
    state: 'not-possible',
    note: "no view shows them; the canary logs in with each service's own URL instead",
  });

  const findings: Finding[] = [...drafts.values()].map(({ id, severity, title, fix, seen, services }) => {
    const names = [...services].sort();
    const advice = names
      .map((name) => [name, options.drivers?.get(name)] as const)
      .filter(([, driver]) => driver !== undefined && driver !== 'unknown');
    const hints = advice
      .map(([name, driver]) => `${name}: ${driverAdvice(driver!, options.poolerVersion).advice.join(' ')}`)
      .filter((text) => !text.endsWith(': '));
    return { id, severity, title, detail: seen.join('; '), fix: [fix, ...hints].join(' '), services: names };
  });
  const rank: Record<Severity, number> = { block: 0, warn: 1, info: 2 };
  findings.sort((a, b) => rank[a.severity] - rank[b.severity] || a.id.localeCompare(b.id));
  return ok({ findings, looked });
}

type Put = (hazard: Pick<StatementHazard, 'id' | 'severity' | 'title' | 'fix'>, seen: string, service?: string) => void;

const TEMPORARY_TABLE = {
  id: 'temporary-table',
  severity: 'block',
  title: 'Temporary tables outlive their transaction',
  fix: 'CREATE TEMP TABLE … ON COMMIT DROP inside one transaction, or an unlogged table; else keep this connection direct.',
} as const;
const REPLICATION = {
  id: 'logical-replication',
  severity: 'block',
  title: 'A consumer of logical replication',
  fix: 'Replication connections cannot go through a transaction pool: keep this connection direct.',
} as const;

function inspectSession(row: SqlRow, service: string | undefined, options: HazardOptions, put: Put): void {
  const where = sanitiseLine(`${row.application_name || 'a session'} at ${row.address ?? 'local'}`, 120);
  if (row.backend_type === 'walsender') {
    put(REPLICATION, where, service);
    return;
  }
  if (/^pg_(dump|dumpall|restore|basebackup)/.test(String(row.application_name))) {
    put(
      {
        id: 'pg-dump',
        severity: 'warn',
        title: 'pg_dump or pg_restore runs',
        fix: 'Leave the dump on the direct URL: it sets session parameters and holds one transaction for its whole run.',
      },
      where,
      service,
    );
  }
  if (row.session_lock === true) {
    put(
      {
        id: 'session-advisory-lock',
        severity: 'block',
        title: 'Advisory locks are held by sessions, not transactions',
        fix: 'Use pg_advisory_xact_lock, or run it (migrations, schedulers, leader election) on the direct URL: behind the pooler two clients can hold the same lock.',
      },
      where,
      service,
    );
  }
  if (row.tls === true) {
    put(
      {
        id: 'client-tls',
        severity: 'warn',
        title: 'Services connect with TLS',
        fix: 'With sslmode=require they cannot connect to a pooler without a certificate: give it one (client_tls_*), or use sslmode=prefer inside the cluster.',
      },
      where,
      service,
    );
  }
  const long = options.longTransactionSeconds ?? 60;
  const transaction = Number(row.transaction_seconds ?? 0);
  const idle = row.state === 'idle in transaction' || row.state === 'idle in transaction (aborted)';
  if (idle && Number(row.state_seconds ?? 0) >= IDLE_SECONDS) {
    put(
      {
        id: 'idle-in-transaction',
        severity: 'warn',
        title: 'Sessions stay idle inside a transaction',
        fix: 'Each holds a server connection of the pool for that long: end transactions before other work (HTTP calls, user input).',
      },
      `${where}, ${Math.round(Number(row.state_seconds))} s`,
      service,
    );
  }
  if (!idle && row.transaction_seconds !== null && transaction >= long) {
    put(
      {
        id: 'long-transaction',
        severity: 'warn',
        title: `Transactions run longer than ${long} s`,
        fix: 'Each holds a server connection of the pool; query_wait_timeout and the pool size must allow for it, or keep such jobs direct.',
      },
      `${where}, ${Math.round(transaction)} s`,
      service,
    );
  }
  for (const hazard of statementHazards(String(row.query ?? '')))
    put(hazard, `${where}: ${sanitiseLine(row.query, 90)}`, service);
}

/** A pause inside a transaction that no ordinary request makes. */
const IDLE_SECONDS = 2;

function inspectDrivers(
  options: HazardOptions,
  put: Put,
  looked: { check: string; state: 'done' | 'not-possible'; note: string }[],
): void {
  const known = [...(options.drivers ?? [])].filter(([, driver]) => driver !== 'unknown');
  for (const [service, driver] of known) {
    if (!driverAdvice(driver, options.poolerVersion).breaks) continue;
    put(
      {
        id: 'named-prepared-statements',
        severity: 'block',
        title: `Drivers use prepared statements, which PgBouncer ${options.poolerVersion.text} does not keep`,
        fix: 'Run PgBouncer 1.21 or later, or turn them off in the driver.',
      },
      `${service} uses ${DRIVERS[driver].title}`,
      service,
    );
  }
  looked.push({
    check: 'prepared statements of the protocol',
    state: known.length > 0 ? 'done' : 'not-possible',
    note: keepsPreparedStatements(options.poolerVersion, 200)
      ? `PgBouncer ${options.poolerVersion.text} keeps them`
      : `${known.length} services with a known driver; no view shows other sessions' statements`,
  });
}
