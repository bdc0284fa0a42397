/**
 * The arithmetic of connections. PgBouncer's limits are per process and a roll adds a process, while PostgreSQL has one
 * budget for poolers, people, and the services that are not migrated yet:
 *
 *   (replicas + surge) x sum over databases of min(max_db_connections, roles x (pool_size + reserve)) <=
 *     max_connections - superuser_reserved - reserved - admin - others - peak of direct sessions
 *
 * A pool larger than the budget does not fail by itself: it takes every slot and starves the services that still
 * connect directly, with one line in the pooler's log.
 */
import type { PoolDemand, Sizing, SizingFacts } from './sizing-types.ts';
import type { Finding } from './types.ts';
import { atLeast } from './version.ts';

const DEFAULTS = { poolSize: 20, minPoolSize: 10, reservePool: 3, maxClientConn: 1000 } as const;
/** PgBouncer's own needs beside clients and servers: listeners, log, DNS, epoll. */
const OWN_DESCRIPTORS = 30;

/** `limit < 0` or absent means none, as in `rolconnlimit` and `datconnlimit`. */
const limited = (value: number, limit: number | undefined) =>
  limit === undefined || limit < 0 ? value : Math.min(value, limit);

const onlyPool = (facts: SizingFacts): PoolDemand => ({
  database: '',
  role: '',
  ...(facts.roleConnectionLimit === undefined ? {} : { roleConnectionLimit: facts.roleConnectionLimit }),
  ...(facts.databaseConnectionLimit === undefined ? {} : { databaseConnectionLimit: facts.databaseConnectionLimit }),
});

/** What a CONNECTION LIMIT of a role or a database leaves for each of its pools in each of `poolers`. */
function poolLimits(
  demands: readonly PoolDemand[],
  poolers: number,
): { readonly what: string; readonly limit: number; readonly room: number }[] {
  const caps = new Map<string, { what: string; limit: number; room: number }>();
  for (const demand of demands) {
    for (const kind of ['role', 'database'] as const) {
      const limit = kind === 'role' ? demand.roleConnectionLimit : demand.databaseConnectionLimit;
      if (limit === undefined || limit < 0) continue;
      const own = demands.filter((one) => one[kind] === demand[kind]);
      const roles = new Map(own.map((one) => [one.role, one.roleDirect ?? 0]));
      const direct = [...roles.values()].reduce((sum, count) => sum + count, 0);
      const what = `${kind} ${demand[kind]}`;
      caps.set(what, { what, limit, room: Math.max(0, Math.floor((limit - direct) / (poolers * own.length))) });
    }
  }
  return [...caps.values()];
}

/** Computes the pool numbers of one pooler from live facts, with every step of the arithmetic as a line of text. */
export function computeSizing(facts: SizingFacts): Sizing {
  const { poolerReplicas: replicas, maxConnections } = facts;
  const surge = facts.maxSurge ?? 1;
  const most = replicas + surge;
  const demands = facts.pools ?? [onlyPool(facts)];
  const pools = demands.length;
  const reserved = facts.reservedConnections ?? 0;
  const admin = facts.adminConnections ?? 5;
  const others = facts.otherSessions ?? 0;
  const arithmetic: string[] = [];
  const findings: Finding[] = [];

  const usable = maxConnections - facts.superuserReserved - reserved - admin - others;
  arithmetic.push(
    `PostgreSQL: max_connections ${maxConnections} - superuser_reserved ${facts.superuserReserved} - reserved ${reserved} - admin and monitoring ${admin} - others ${others} = ${usable}`,
  );
  // With one pool its limits are limits of the whole; with several each pool has its own (poolLimits).
  const [only] = demands;
  const allowed =
    pools === 1 ? limited(limited(usable, only?.roleConnectionLimit), only?.databaseConnectionLimit) : usable;
  if (allowed < usable) arithmetic.push(`CONNECTION LIMIT of role or database: ${allowed}`);
  const available = allowed - facts.peakDirect;
  arithmetic.push(`while services move: ${allowed} - ${facts.peakDirect} direct sessions at their peak = ${available}`);

  const share = Math.floor(available / most);
  arithmetic.push(`per pooler, ${replicas} replicas + ${surge} during a roll: ${available} / ${most} = ${share}`);

  // A plan that leaves a size open hands in `undefined`, which must not overwrite the default.
  const asked = Object.fromEntries(Object.entries(facts.wanted ?? {}).filter(([, value]) => value !== undefined));
  const want: Record<keyof typeof DEFAULTS, number> = { ...DEFAULTS, ...asked };
  const caps = pools === 1 ? [] : poolLimits(demands, most);
  // A pool of one still moves work; zero or less cannot run at all and is a blocking finding, not a number to render.
  const perPool = Math.max(
    1,
    Math.min(want.poolSize + want.reservePool, Math.floor(share / pools), ...caps.map((one) => one.room)),
  );
  const cut = facts.fixed === undefined && perPool < want.poolSize + want.reservePool;
  const reservePool = cut ? Math.min(want.reservePool, Math.floor(perPool / 5)) : want.reservePool;
  const poolSize = cut ? Math.max(1, perPool - reservePool) : want.poolSize;
  const minPoolSize = Math.min(want.minPoolSize, poolSize);
  const databases: Record<string, number> = {};
  for (const { database } of demands) {
    const users = demands.filter((one) => one.database === database).length;
    const own = facts.fixed?.get(database);
    databases[database] = own
      ? Math.min(own.maxDbConnections ?? Number.POSITIVE_INFINITY, users * (own.poolSize + own.reservePool))
      : users * (poolSize + reservePool);
  }
  const maxDbConnections = Object.values(databases).reduce((sum, count) => sum + count, 0);
  const expectedServerConnections = replicas * maxDbConnections;
  const surgeServerConnections = most * maxDbConnections;
  if (pools > 1)
    arithmetic.push(
      `${pools} pools, one for each role in each database: ${Object.entries(databases)
        .map(([name, count]) => `${name} ${count}`)
        .join(' + ')} = ${maxDbConnections} a pooler`,
    );
  arithmetic.push(
    facts.fixed
      ? `by the manifests: at most ${maxDbConnections} server connections a pooler`
      : `pool_size ${poolSize} + reserve ${reservePool}, ${pools} ${pools === 1 ? 'pool' : 'pools'}: max_db_connections ${maxDbConnections} a pooler`,
    `server connections: at most ${replicas} x ${maxDbConnections} = ${expectedServerConnections}, ${surgeServerConnections} during a roll`,
  );

  if (facts.fixed) judgeFixed();
  else if (share < pools) {
    findings.push({
      id: 'budget-exceeded',
      severity: 'block',
      title: 'PostgreSQL has no connections left for the poolers',
      detail: `${available} slots are left beside ${facts.peakDirect} direct sessions, for ${most} poolers${pools > 1 ? ` with ${pools} pools each` : ''}`,
      fix: 'Raise max_connections, or lower the pools of the applications before the migration',
    });
  } else if (cut) {
    findings.push({
      id: 'pool-cut-to-budget',
      severity: perPool < 5 ? 'block' : 'warn',
      title: `The pool is cut from ${want.poolSize} to ${poolSize} to stay within PostgreSQL's budget`,
      detail: `${surgeServerConnections} server connections during a roll, ${available} slots available while services still connect directly`,
      fix: 'It may grow with SET and RELOAD when the services have moved, or raise max_connections',
    });
  }
  if (only?.roleConnectionLimit !== undefined && only.roleConnectionLimit >= 0 && allowed < usable) {
    findings.push({
      id: 'role-connection-limit',
      severity: 'warn',
      title: 'The role or the database has a CONNECTION LIMIT below the budget',
      detail: `role ${only.roleConnectionLimit}, database ${only.databaseConnectionLimit ?? -1}, usable ${usable}`,
      fix: 'Raise the limit, or keep the smaller pool',
    });
  }
  for (const { what, limit, room } of caps.filter((one) => one.room < want.poolSize + want.reservePool)) {
    findings.push({
      id: 'role-connection-limit',
      severity: room < 5 ? 'block' : 'warn',
      title: `${what} has a CONNECTION LIMIT of ${limit}`,
      detail: `${room} server connections a pool are left of it for ${most} poolers, beside its direct sessions`,
      fix: 'Raise the limit, or keep the smaller pools',
    });
  }

  /** Nothing is rendered, so nothing can be cut: a file that does not fit has to be changed by its owner. */
  function judgeFixed(): void {
    const steady = replicas * maxDbConnections;
    if (surgeServerConnections <= available) return;
    findings.push({
      id: 'own-pools-exceed-budget',
      severity: steady > available ? 'block' : 'warn',
      title: 'The pools of the manifests do not fit beside the services that still connect directly',
      detail: `${steady} server connections, ${surgeServerConnections} during a roll, ${available} slots available`,
      fix: `Lower default_pool_size (or max_db_connections) to ${Math.max(1, Math.floor(share / pools))} a pool, or raise max_connections`,
    });
  }

  const clients = facts.services.reduce((sum, service) => sum + service.replicas * service.appPool, 0);
  // One pooler must carry everybody when the other one is gone, with room for a roll of the services.
  const needed = Math.ceil(clients * 1.25);
  const fixedClients = facts.fixed && Math.min(...[...facts.fixed.values()].map((one) => one.maxClientConn));
  const maxClientConn = fixedClients ?? Math.max(want.maxClientConn, needed);
  arithmetic.push(
    `clients: ${clients} from ${facts.services.length} services, x 1.25 on one pooler = ${needed}: max_client_conn ${maxClientConn}`,
  );
  if (fixedClients !== undefined && needed > fixedClients) {
    findings.push({
      id: 'own-max-client-conn',
      severity: 'warn',
      title: `max_client_conn of the manifests is ${fixedClients}, and ${needed} may be needed on one pooler`,
      detail: `${clients} client connections when every application keeps a pool of 16, and a quarter more during a roll`,
      fix: `Set max_client_conn = ${needed}`,
    });
  } else if (fixedClients === undefined && needed > want.maxClientConn) {
    findings.push({
      id: 'max-client-conn-raised',
      severity: 'info',
      title: `max_client_conn is raised from ${want.maxClientConn} to ${maxClientConn}`,
      detail: `${clients} client connections may meet on one pooler`,
    });
  }
  const fileDescriptors = maxClientConn + maxDbConnections + OWN_DESCRIPTORS;
  if (fileDescriptors > 1024) {
    findings.push({
      id: 'file-descriptors',
      severity: 'info',
      title: `Each pooler needs ${fileDescriptors} file descriptors`,
      detail: 'PgBouncer refuses clients beyond RLIMIT_NOFILE whatever max_client_conn says',
      fix: 'The limit of containers is usually far above; a limit of 1024 must be raised on the node',
    });
  }

  // A pool that belongs to a forced user is filled by maintenance alone since 1.21; before, only while clients are connected.
  const warms = Boolean(facts.forcedUser) && atLeast(facts.poolerVersion, 1, 21);
  const expectedAtRest = warms ? replicas * pools * minPoolSize : 0;
  arithmetic.push(
    warms
      ? `at rest, before any client: ${replicas} x ${pools * minPoolSize} = ${expectedAtRest} (idle and used together)`
      : `at rest, before any client: 0 (PgBouncer ${facts.poolerVersion.text}${facts.forcedUser ? '' : ' without a forced user'} fills a pool only while clients are connected)`,
  );

  return {
    poolSize,
    minPoolSize,
    reservePool,
    maxDbConnections,
    databases,
    maxClientConn,
    expectedServerConnections,
    expectedAtRest,
    surgeServerConnections,
    available,
    fileDescriptors,
    arithmetic,
    findings,
  };
}
