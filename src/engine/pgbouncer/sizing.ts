/**
 * The arithmetic of connections. PgBouncer's limits are per process and a roll adds a process, while PostgreSQL has one
 * budget for poolers, people, and the services that are not migrated yet:
 *
 *   (replicas + surge) x min(max_db_connections, pools x (pool_size + reserve)) <=
 *     max_connections - superuser_reserved - reserved - admin - others - peak of direct sessions
 *
 * A pool larger than the budget does not fail by itself: it takes every slot and starves the services that still
 * connect directly, with one line in the pooler's log.
 */
import type { Finding, Sizing, SizingFacts } from './types.ts';
import { atLeast } from './version.ts';

const DEFAULTS = { poolSize: 20, minPoolSize: 10, reservePool: 3, maxClientConn: 1000 } as const;
/** PgBouncer's own needs beside clients and servers: listeners, log, DNS, epoll. */
const OWN_DESCRIPTORS = 30;

/** `limit < 0` or absent means none, as in `rolconnlimit` and `datconnlimit`. */
const limited = (value: number, limit: number | undefined) =>
  limit === undefined || limit < 0 ? value : Math.min(value, limit);

/** Computes the pool numbers of one pooler from live facts, with every step of the arithmetic as a line of text. */
export function computeSizing(facts: SizingFacts): Sizing {
  const { poolerReplicas: replicas, maxConnections } = facts;
  const surge = facts.maxSurge ?? 1;
  const pools = Math.max(1, facts.pools ?? 1);
  const reserved = facts.reservedConnections ?? 0;
  const admin = facts.adminConnections ?? 5;
  const others = facts.otherSessions ?? 0;
  const arithmetic: string[] = [];
  const findings: Finding[] = [];

  const usable = maxConnections - facts.superuserReserved - reserved - admin - others;
  arithmetic.push(
    `PostgreSQL: max_connections ${maxConnections} - superuser_reserved ${facts.superuserReserved} - reserved ${reserved} - admin and monitoring ${admin} - others ${others} = ${usable}`,
  );
  const allowed = limited(limited(usable, facts.roleConnectionLimit), facts.databaseConnectionLimit);
  if (allowed < usable) arithmetic.push(`CONNECTION LIMIT of role or database: ${allowed}`);
  const available = allowed - facts.peakDirect;
  arithmetic.push(`while services move: ${allowed} - ${facts.peakDirect} direct sessions at their peak = ${available}`);

  const share = Math.floor(available / (replicas + surge));
  arithmetic.push(
    `per pooler, ${replicas} replicas + ${surge} during a roll: ${available} / ${replicas + surge} = ${share}`,
  );

  // A plan that leaves a size open hands in `undefined`, which must not overwrite the default.
  const asked = Object.fromEntries(Object.entries(facts.wanted ?? {}).filter(([, value]) => value !== undefined));
  const want: Record<keyof typeof DEFAULTS, number> = { ...DEFAULTS, ...asked };
  const wantedPerPooler = pools * (want.poolSize + want.reservePool);
  // A pool of one still moves work; zero or less cannot run at all and is a blocking finding, not a number to render.
  const maxDbConnections = Math.max(1, Math.min(wantedPerPooler, share));
  let reservePool = want.reservePool;
  let poolSize = want.poolSize;
  if (maxDbConnections < wantedPerPooler) {
    const perPool = Math.max(1, Math.floor(maxDbConnections / pools));
    reservePool = Math.min(want.reservePool, Math.floor(perPool / 5));
    poolSize = Math.max(1, perPool - reservePool);
  }
  const minPoolSize = Math.min(want.minPoolSize, poolSize);
  const expectedServerConnections = replicas * maxDbConnections;
  const surgeServerConnections = (replicas + surge) * maxDbConnections;
  arithmetic.push(
    `pool_size ${poolSize} + reserve ${reservePool}, ${pools} ${pools === 1 ? 'pool' : 'pools'}: max_db_connections ${maxDbConnections} a pooler`,
    `server connections: at most ${replicas} x ${maxDbConnections} = ${expectedServerConnections}, ${surgeServerConnections} during a roll`,
  );

  if (share < 1) {
    findings.push({
      id: 'budget-exceeded',
      severity: 'block',
      title: 'PostgreSQL has no connections left for the poolers',
      detail: `${available} slots are left beside ${facts.peakDirect} direct sessions, for ${replicas + surge} poolers`,
      fix: 'Raise max_connections, or lower the pools of the applications before the migration',
    });
  } else if (maxDbConnections < wantedPerPooler) {
    findings.push({
      id: 'pool-cut-to-budget',
      severity: share < pools * 5 ? 'block' : 'warn',
      title: `The pool is cut from ${want.poolSize} to ${poolSize} to stay within PostgreSQL's budget`,
      detail: `${surgeServerConnections} server connections during a roll, ${available} slots available while services still connect directly`,
      fix: 'It may grow with SET and RELOAD when the services have moved, or raise max_connections',
    });
  }
  if (facts.roleConnectionLimit !== undefined && facts.roleConnectionLimit >= 0 && allowed < usable) {
    findings.push({
      id: 'role-connection-limit',
      severity: 'warn',
      title: 'The role or the database has a CONNECTION LIMIT below the budget',
      detail: `role ${facts.roleConnectionLimit}, database ${facts.databaseConnectionLimit ?? -1}, usable ${usable}`,
      fix: 'Raise the limit, or keep the smaller pool',
    });
  }

  const clients = facts.services.reduce((sum, service) => sum + service.replicas * service.appPool, 0);
  // One pooler must carry everybody when the other one is gone, with room for a roll of the services.
  const needed = Math.ceil(clients * 1.25);
  const maxClientConn = Math.max(want.maxClientConn, needed);
  arithmetic.push(
    `clients: ${clients} from ${facts.services.length} services, x 1.25 on one pooler = ${needed}: max_client_conn ${maxClientConn}`,
  );
  if (needed > want.maxClientConn) {
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
