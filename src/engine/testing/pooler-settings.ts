/** Settings of a pooler for tests that render them and start nothing. */
import type { PoolerSettings } from '../pgbouncer/config-types.ts';
import { parseVersion } from '../pgbouncer/version.ts';

/** A version of PgBouncer by its text. */
export function version(text: string) {
  const parsed = parseVersion(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

/** One database and one role, as the plan of the guide has them. */
export const settings: PoolerSettings = {
  databases: [
    {
      name: 'nova',
      host: 'postgres.nova.svc.cluster.local',
      port: 5432,
      dbname: 'nova',
      forcedUser: 'nova_user',
      poolSize: 20,
      minPoolSize: 10,
      reservePool: 3,
      maxDbConnections: 23,
    },
  ],
  clientUsers: ['nova_user'],
  adminUser: 'admin',
  statsUser: 'stats_user',
  maxClientConn: 1000,
};
