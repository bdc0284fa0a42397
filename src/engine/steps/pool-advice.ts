/** What each application's own pool should come down to, from the connections the run saw it use, in its driver's words. */
import type { Driver } from '../postgres/types.ts';

/** Where the size of the application's pool is set. */
const SETTING: Readonly<Record<Driver, string>> = {
  sqlx: 'PgPoolOptions::max_connections',
  pgx: 'pool_max_conns',
  pgjdbc: 'maximumPoolSize (HikariCP)',
  npgsql: 'Maximum Pool Size',
  asyncpg: 'max_size of create_pool',
  psycopg: 'max_size of ConnectionPool',
  'node-pg': 'max of Pool',
  'postgres.js': 'max',
  prisma: 'connection_limit in the URL',
  rails: 'pool in database.yml',
  django: 'CONN_MAX_AGE = 0, or max_size of its pool',
  libpq: 'the size of its own pool',
  unknown: 'the maximum of its own pool',
};

export interface PoolAdvice {
  readonly pods: number;
  /** The most server connections of the poolers that the service was seen to use at one moment, all pods together. */
  readonly peakInUse: number;
  /** Client connections a pod holds now. */
  readonly clientsPerPod: number;
  readonly suggestedPoolSize: number;
  readonly setting: string;
}

/** The guide's "4 to 8" is the range; what was seen decides where in it. A service that was never busy gets 4. */
const LEAST = 4;

/**
 * Twice the peak a pod was seen at: looks are moments, and a burst between two of them is not seen. A peak above eight
 * keeps its room, never more than the pod holds now.
 */
export function advise(facts: {
  readonly pods: number;
  readonly peakInUse: number;
  readonly clients: number;
  readonly driver?: string;
}): PoolAdvice {
  const pods = Math.max(1, facts.pods);
  const clientsPerPod = Math.ceil(facts.clients / pods);
  const wanted = Math.max(LEAST, Math.ceil(facts.peakInUse / pods) * 2);
  // An application whose pool is smaller already keeps it.
  const suggestedPoolSize = clientsPerPod > 0 ? Math.min(wanted, Math.max(clientsPerPod, 2)) : wanted;
  return {
    pods,
    peakInUse: facts.peakInUse,
    clientsPerPod,
    suggestedPoolSize,
    setting: SETTING[(facts.driver ?? 'unknown') as Driver] ?? SETTING.unknown,
  };
}

/** What stays behind after a migration and may go when nobody wants the way back any more. */
export const leftovers = (runId: string): readonly string[] => [
  `Secret pgb-wizard-run-${runId}: the original addresses, with their passwords; without it there is no exact way back`,
  'old ReplicaSets of the services (revisionHistoryLimit): their templates hold the direct address',
  'rules that let the services reach PostgreSQL directly (NetworkPolicy, pg_hba.conf), except for migrations and LISTEN',
  'CONNECTION LIMIT and max_connections that were raised for the direct pools',
];
