/**
 * Who is really connected to PostgreSQL: `pg_stat_activity` joined with the pods' addresses. The discovery reads what is
 * written; this is what happens, and tells of consumers that take their address from a place nobody can see.
 */
import { type CrossCheck, crossCheck, type DatabaseClient } from '../kube/discover.ts';
import type { Kube } from '../kube/types.ts';
import type { Discovery } from '../kube/workload-types.ts';
import { rolesOf } from '../plan/logins.ts';
import type { Plan } from '../plan/schema.ts';
import { fail, ok, type Result } from '../result.ts';
import type { Clock } from '../run/clock.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Secret } from '../secret.ts';
import { PoolerPorts } from './pooler-ports.ts';
import type { RoleSecrets } from './run-secrets.ts';

/** Sessions of clients by address. Those of other roles than the plan's are hidden from a role without `pg_read_all_stats`. */
export async function readClients(ports: Pick<PoolerPorts, 'inspectors'>): Promise<Result<DatabaseClient[]>> {
  const eyes = await ports.inspectors();
  if (!eyes.ok) return eyes;
  const counts = new Map<string, number>();
  for (const [index, { role, session }] of eyes.value.entries()) {
    const rows = await session.query(
      `select host(client_addr) as address, usename as role, count(*)::int as connections
         from pg_stat_activity
        where backend_type = 'client backend' and client_addr is not null and pid <> pg_backend_pid()
          and application_name not like 'pgb-wizard%'
        group by 1, 2`,
      [],
    );
    if (!rows.ok) return rows;
    for (const row of rows.value) {
      // Each role's from its own session; whatever else is seen, from the first.
      const own = role === undefined || row.role === role;
      if (!own && (index > 0 || eyes.value.some((one) => one.role === row.role))) continue;
      const address = String(row.address);
      counts.set(address, (counts.get(address) ?? 0) + Number(row.connections));
    }
  }
  return ok([...counts].map(([address, connections]) => ({ address, connections })));
}

/** What the discovery can't explain, in sentences: pods that connect although nothing in them names PostgreSQL. */
export function unexplainedClients(seen: CrossCheck, poolerName: string): string[] {
  const pods = seen.unexpected
    .filter((one) => one.workload !== `deployment/${poolerName}`)
    .map((one) => `${sanitiseLine(one.pod, 120)} (${whose(one.workload)}, ${inWords(one.connections)})`);
  // Loopback is the server's own pod, and the wizard's port-forward.
  const strangers = seen.strangers
    .filter((one) => !/^(127\.|::1$)/.test(one.address))
    .map((one) => `${sanitiseLine(one.address, 60)} (no pod of this namespace, ${inWords(one.connections)})`);
  return [...pods, ...strangers];
}

/** The template of a Job can't be changed, and it ends by itself: nothing is wrong with its being there. */
const whose = (workload: string): string =>
  workload.startsWith('job/') ? `${workload}: a Job stays direct until it ends` : workload;

const inWords = (connections: number): string => `${connections} ${connections === 1 ? 'connection' : 'connections'}`;

/** `without`: why the sessions of the plan's other roles are not among those seen. */
export type Look = CrossCheck & { readonly without?: string };

/**
 * For a plan that is being written: its own session, opened and closed. An address may hold a login that nobody uses any more:
 * where one of the other roles is let in no longer, the plan's own looks alone. Errors: those of the way to PostgreSQL.
 */
export async function lookAtClients(options: {
  readonly kube: Kube;
  readonly plan: Plan;
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<Result<Look>> {
  const { plan, discovery } = options;
  const role = passwordOf(discovery, plan.postgres.role);
  if (!role) return fail('secret-missing', `no address holds a password of ${plan.postgres.role}`);
  const others = new Map<string, RoleSecrets>();
  for (const name of rolesOf(plan).slice(1)) {
    const password = passwordOf(discovery, name);
    if (password) others.set(name, { password });
  }
  const seen = await lookWith(options, { role, others });
  if (seen.ok || others.size === 0) return seen;
  const { also: _, ...postgres } = plan.postgres;
  const alone = await lookWith({ ...options, plan: { ...plan, postgres } }, { role, others: new Map() });
  return alone.ok ? ok({ ...alone.value, without: seen.error.message }) : seen;
}

async function lookWith(
  options: Parameters<typeof lookAtClients>[0],
  secrets: { readonly role: Secret; readonly others: Map<string, RoleSecrets> },
): Promise<Result<CrossCheck>> {
  const { kube, plan, discovery, clock, signal } = options;
  const { namespace } = kube.ref;
  const ports = new PoolerPorts({
    kube,
    plan,
    namespace,
    secrets,
    clock,
    signal,
    everyMs: 1000,
    onSample: () => undefined,
  });
  try {
    const clients = await readClients(ports);
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
