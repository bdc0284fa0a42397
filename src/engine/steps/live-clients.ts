/**
 * Who is really connected to PostgreSQL: `pg_stat_activity` joined with the pods' addresses. The discovery reads what is
 * written; this is what happens, and tells of consumers that take their address from a place nobody can see.
 */
import { type CrossCheck, crossCheck, type DatabaseClient } from '../kube/discover.ts';
import type { Kube } from '../kube/types.ts';
import type { Discovery } from '../kube/workload-types.ts';
import type { Plan } from '../plan/schema.ts';
import type { Postgres } from '../postgres/types.ts';
import { fail, ok, type Result } from '../result.ts';
import type { Clock } from '../run/clock.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Secret } from '../secret.ts';
import { PoolerPorts } from './pooler-ports.ts';

/** Sessions of clients by address. Those of other roles are hidden from a role without `pg_read_all_stats`. */
export async function readClients(session: Postgres): Promise<Result<DatabaseClient[]>> {
  const rows = await session.query(
    `select host(client_addr) as address, count(*)::int as connections
       from pg_stat_activity
      where backend_type = 'client backend' and client_addr is not null and pid <> pg_backend_pid()
      group by 1`,
    [],
  );
  if (!rows.ok) return rows;
  return ok(rows.value.map((row) => ({ address: String(row.address), connections: Number(row.connections) })));
}

/** What the discovery can't explain, in sentences: pods that connect although nothing in them names PostgreSQL. */
export function unexplainedClients(seen: CrossCheck, poolerName: string): string[] {
  const pods = seen.unexpected
    .filter((one) => one.workload !== `deployment/${poolerName}`)
    .map((one) => `${sanitiseLine(one.pod, 120)} (${one.workload}, ${one.connections} connections)`);
  // Loopback is the server's own pod, and the wizard's port-forward.
  const strangers = seen.strangers
    .filter((one) => !/^(127\.|::1$)/.test(one.address))
    .map((one) => `${sanitiseLine(one.address, 60)} (no pod of this namespace, ${one.connections} connections)`);
  return [...pods, ...strangers];
}

/** For a plan that is being written: its own session, opened and closed. Errors: those of the way to PostgreSQL. */
export async function lookAtClients(options: {
  readonly kube: Kube;
  readonly plan: Plan;
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<Result<CrossCheck>> {
  const { kube, plan, discovery, clock, signal } = options;
  const { namespace } = kube.ref;
  const role = passwordOf(discovery, plan.postgres.role);
  if (!role) return fail('secret-missing', `no address holds a password of ${plan.postgres.role}`);
  const ports = new PoolerPorts({
    kube,
    plan,
    namespace,
    secrets: { role },
    clock,
    signal,
    everyMs: 1000,
    onSample: () => undefined,
  });
  try {
    const session = await ports.postgres();
    if (!session.ok) return session;
    const clients = await readClients(session.value);
    return clients.ok ? await crossCheck(kube, namespace, discovery, clients.value, signal) : clients;
  } finally {
    await ports.close();
  }
}

function passwordOf(discovery: Discovery, role: string): Secret | undefined {
  for (const workload of discovery.workloads)
    for (const consumer of workload.consumers)
      if (consumer.user === role && consumer.password) return consumer.password;
  return undefined;
}
