/**
 * Who is connected to PostgreSQL: by the pod that a session's address belongs to. A session from a pooler pod is pooled; a
 * session from a service pod is direct, whatever role it uses (a migrator beside the application is found this way). With
 * SNAT or a mesh every address is the same, and the sessions show up as unexplained with their application_name.
 */
import { normaliseAddress } from '../pgbouncer/pools.ts';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Activity, ActivityOptions, Postgres, SqlRow } from './types.ts';

// A role that is no superuser and not in pg_read_all_stats sees pid, role and database of others and nothing else
// (pgstatfuncs.c, HAS_PGSTAT_PERMISSIONS): backend_type is null then, and "hidden" is said instead of a wrong zero.
const ACTIVITY = `
select host(client_addr) as address, coalesce(application_name, '') as application_name, usename as role, datname as database,
       backend_type, (pid = pg_backend_pid()) as own, count(*)::int as sessions
from pg_stat_activity
where usesysid is not null and datid is not null and (backend_type is null or backend_type = 'client backend')
group by 1, 2, 3, 4, 5, 6`;

const LIMITS = `
select current_setting('max_connections')::int as max_connections,
       current_setting('superuser_reserved_connections')::int
         + coalesce(current_setting('reserved_connections', true), '0')::int as reserved`;

const TOOL = 'pgb-wizard';

/** Counts from rows of `ACTIVITY`; separate from the query so that every case can be tested. */
export function countActivity(
  rows: readonly SqlRow[],
  options: ActivityOptions,
): Omit<Activity, 'maxConnections' | 'reserved'> {
  const direct = new Map<string, number>();
  const directByRole = new Map<string, number>();
  const byPooler = new Map<string, number>();
  const unexplained = new Map<string, { address: string; applicationName: string; count: number }>();
  const gone = new Map<string, { service: string; pod: string; count: number }>();
  for (const owner of options.podIps.values()) {
    if (owner.gone) continue;
    if (owner.pooler) byPooler.set(owner.pod, 0);
    else if (owner.service) direct.set(owner.service, 0);
  }
  let total = 0;
  let other = 0;
  let hidden = 0;
  for (const row of rows) {
    const sessions = Number(row.sessions);
    total += sessions;
    if (row.backend_type === null) {
      hidden += sessions;
      other += sessions;
      continue;
    }
    const address = row.address === null ? 'local' : normaliseAddress(String(row.address));
    const owner = options.podIps.get(address);
    const ours = options.logins.some((one) => row.role === one.role && row.database === one.database);
    if (owner?.gone && owner.service && ours) {
      const entry = gone.get(owner.pod) ?? { service: owner.service, pod: owner.pod, count: 0 };
      entry.count += sessions;
      gone.set(owner.pod, entry);
    } else if (owner?.gone && !owner.pooler) other += sessions;
    else if (owner?.pooler) byPooler.set(owner.pod, (byPooler.get(owner.pod) ?? 0) + sessions);
    else if (owner?.service) {
      direct.set(owner.service, (direct.get(owner.service) ?? 0) + sessions);
      const role = String(row.role);
      directByRole.set(role, (directByRole.get(role) ?? 0) + sessions);
    } else if (row.own === true || String(row.application_name).startsWith(TOOL)) other += sessions;
    else if (!ours) other += sessions;
    else {
      const applicationName = sanitiseLine(row.application_name, 64);
      const key = `${address} ${applicationName}`;
      const entry = unexplained.get(key) ?? { address, applicationName, count: 0 };
      entry.count += sessions;
      unexplained.set(key, entry);
    }
  }
  const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
  return {
    total,
    direct,
    directByRole,
    directTotal: sum(direct.values()),
    pooled: sum(byPooler.values()),
    byPooler,
    other,
    hidden,
    gone: [...gone.values()],
    unexplained: [...unexplained.values()],
  };
}

/** A session to look with; `role` when it sees that role's sessions only, and of the others no more than that they are there. */
export interface Eye {
  readonly role?: string;
  readonly session: Postgres;
}

/**
 * Reads `pg_stat_activity` once through each of the sessions. What a role can't see of another's sessions is taken from
 * that other role's own session. Errors are those of `query`.
 */
export async function readActivity(eyes: readonly Eye[], options: ActivityOptions): Promise<Result<Activity>> {
  const [first] = eyes;
  if (!first) return fail('internal', 'nobody looks at pg_stat_activity');
  const limits = await first.session.query(LIMITS);
  if (!limits.ok) return limits;
  const rows: SqlRow[] = [];
  const seeing = new Set(eyes.map((one) => one.role));
  for (const [index, { role, session }] of eyes.entries()) {
    const seen = await session.query(ACTIVITY);
    if (!seen.ok) return seen;
    // Each role's rows come from its own session; all that is left comes from the first.
    rows.push(
      ...seen.value.filter((row) =>
        seeing.has(undefined) ? index === 0 : row.role === role || (index === 0 && !seeing.has(String(row.role))),
      ),
    );
  }
  return ok({
    ...countActivity(rows, options),
    maxConnections: Number(limits.value[0]?.max_connections),
    reserved: Number(limits.value[0]?.reserved),
  });
}

/** Sessions of pods that are gone, in words, with what can be done about them. */
export function goneText(gone: Activity['gone']): string {
  const count = gone.reduce((sum, one) => sum + one.count, 0);
  const pods = [...new Set(gone.map((one) => one.pod))].map((pod) => sanitiseLine(pod, 120));
  return `${count} sessions of pods that are gone (${pods.join(', ')}) are still open: PostgreSQL has not noticed (it does with tcp_keepalives_idle, or pg_terminate_backend), or a node that is cut off still runs them`;
}
