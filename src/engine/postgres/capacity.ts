/** What PostgreSQL allows: connection limits, the role, its password's form, and what this session may do about it. */
import type { Finding } from '../pgbouncer/types.ts';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { Secret } from '../secret.ts';
import type { CapacityFacts, Postgres } from './types.ts';

const FACTS = `
select current_setting('max_connections')::int as max_connections,
       current_setting('superuser_reserved_connections')::int as superuser_reserved,
       coalesce(current_setting('reserved_connections', true), '0')::int as reserved,
       current_setting('server_version_num')::int as server_version,
       current_setting('ssl')::bool as ssl,
       (select count(*)::int from pg_stat_activity where usesysid is not null and datid is not null) as current,
       (select rolsuper from pg_roles where rolname = current_user) as superuser,
       (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as may_alter,
       has_table_privilege('pg_catalog.pg_authid', 'select') as may_read`;

const ROLE = `
select r.rolconnlimit::int as role_limit, r.rolvaliduntil::text as valid_until, r.rolcanlogin as can_login,
       r.rolsuper or r.rolreplication as powerful,
       coalesce(r.rolvaliduntil < now(), false) as expired
from pg_roles r where r.rolname = $1`;

const DATABASE =
  'select datconnlimit::int as database_limit, datallowconn as allowed from pg_database where datname = $1';

const PREFIXES: Record<string, CapacityFacts['storedAs']> = { 'SCRAM-SHA-256': 'scram', none: 'none' };

/** Reads the facts for one role and database. `query-failed` when role or database does not exist. */
export async function readCapacity(
  pg: Postgres,
  options: { role: string; database: string },
): Promise<Result<CapacityFacts>> {
  const facts = await pg.query(FACTS);
  if (!facts.ok) return facts;
  const role = await pg.query(ROLE, [options.role]);
  if (!role.ok) return role;
  const database = await pg.query(DATABASE, [options.database]);
  if (!database.ok) return database;
  const missing =
    role.value.length === 0
      ? `role ${options.role}`
      : database.value.length === 0
        ? `database ${options.database}`
        : undefined;
  if (missing) return fail('query-failed', `PostgreSQL has no ${sanitiseLine(missing, 80)}`);
  const row = facts.value[0]!;
  let storedAs: CapacityFacts['storedAs'];
  if (row.may_read === true) {
    // Only the prefix leaves the server here; readVerifier reads the whole.
    const stored = await pg.query(
      `select coalesce(case when rolpassword like 'md5%' then 'md5' else split_part(rolpassword, '$', 1) end, 'none') as prefix from pg_authid where rolname = $1`,
      [options.role],
    );
    if (!stored.ok) return stored;
    const prefix = String(stored.value[0]?.prefix);
    storedAs = prefix === 'md5' ? 'md5' : (PREFIXES[prefix] ?? 'unknown');
  }
  const validUntil = role.value[0]!.valid_until;
  return ok({
    maxConnections: Number(row.max_connections),
    superuserReserved: Number(row.superuser_reserved),
    reservedConnections: Number(row.reserved),
    current: Number(row.current),
    serverVersion: Number(row.server_version),
    ssl: row.ssl === true,
    canReadVerifier: row.may_read === true,
    canAlterRole: row.may_alter === true,
    canCreateAuthQuery: row.superuser === true,
    roleConnectionLimit: Number(role.value[0]!.role_limit),
    databaseConnectionLimit: Number(database.value[0]!.database_limit),
    roleIsPowerful: role.value[0]!.powerful === true,
    roleCanLogin: role.value[0]!.can_login === true,
    roleExpired: role.value[0]!.expired === true,
    databaseAllowsConnections: database.value[0]!.allowed === true,
    ...(storedAs ? { storedAs } : {}),
    ...(validUntil === null ? {} : { validUntil: String(validUntil) }),
  });
}

/** The verifier that PostgreSQL stores, byte for byte; `not-authorised` for anybody but a superuser. */
export async function readVerifier(pg: Postgres, role: string): Promise<Result<Secret | undefined>> {
  const rows = await pg.query('select rolpassword as verifier from pg_authid where rolname = $1', [role]);
  if (!rows.ok) {
    return rows.error.details?.sqlstate === '42501'
      ? fail('not-authorised', 'pg_authid can be read by a superuser only', {
          next: ['Log in as a superuser, or give the clear password'],
        })
      : rows;
  }
  const verifier = rows.value[0]?.verifier;
  return ok(verifier === undefined || verifier === null ? undefined : new Secret(String(verifier)));
}

/** Sets a verifier (never a clear password: this statement may be logged by the server). */
export async function setVerifier(pg: Postgres, role: string, verifier: string): Promise<Result<void>> {
  if (!/^SCRAM-SHA-256\$[\d:$A-Za-z0-9+/=]+$/.test(verifier)) return fail('usage', 'This is not a SCRAM verifier');
  const done = await pg.query(`alter role "${role.replaceAll('"', '""')}" password '${verifier}'`);
  return done.ok ? ok(undefined) : done;
}

/** What about role and database stops a pooler, before any arithmetic. */
export function capacityFindings(facts: CapacityFacts): Finding[] {
  const findings: Finding[] = [];
  if (!facts.roleCanLogin) {
    findings.push({
      id: 'role-cannot-login',
      severity: 'block',
      title: 'The role may not log in',
      detail: 'rolcanlogin is false',
      fix: 'ALTER ROLE … LOGIN',
    });
  }
  if (facts.roleExpired) {
    findings.push({
      id: 'role-expired',
      severity: 'block',
      title: 'The password of the role has expired',
      detail: `valid until ${facts.validUntil}`,
      fix: "ALTER ROLE … VALID UNTIL 'infinity'",
    });
  }
  if (!facts.databaseAllowsConnections) {
    findings.push({
      id: 'database-closed',
      severity: 'block',
      title: 'The database allows no connections',
      detail: 'datallowconn is false',
    });
  }
  if (facts.storedAs === 'md5') {
    findings.push({
      id: 'role-md5',
      severity: 'warn',
      title: 'PostgreSQL stores an md5 hash for the role',
      detail: 'the pooler can use it with the clear password only, and PostgreSQL deprecates md5',
      fix: 'Set the password again with password_encryption = scram-sha-256',
    });
  }
  return findings;
}

/** One line of arithmetic and its verdict: do so many further sessions fit now? `what` says whose they are. */
export function headroom(
  facts: Pick<CapacityFacts, 'maxConnections' | 'superuserReserved' | 'reservedConnections' | 'current'>,
  wanted: number,
  what?: string,
): { fits: boolean; free: number; text: string } {
  const free = facts.maxConnections - facts.superuserReserved - facts.reservedConnections - facts.current;
  return {
    fits: wanted <= free,
    free,
    text: `max_connections ${facts.maxConnections} - reserved ${facts.superuserReserved + facts.reservedConnections} - in use ${facts.current} = ${free} free, ${wanted} wanted${what ? ` (${what})` : ''}`,
  };
}
