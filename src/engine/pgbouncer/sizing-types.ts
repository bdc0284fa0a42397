/** The nouns of the arithmetic: who wants connections, and how many the poolers get. */
import type { Finding, PgBouncerVersion } from './types.ts';

export interface SizingFacts {
  readonly maxConnections: number;
  readonly superuserReserved: number;
  /** `reserved_connections`, PostgreSQL 16 and later; 0 before. */
  readonly reservedConnections?: number;
  /** Kept free for people and monitoring. Default 5. */
  readonly adminConnections?: number;
  readonly poolerReplicas: number;
  /** Pooler pods above `poolerReplicas` that may exist during a roll. Default 1. */
  readonly maxSurge?: number;
  readonly poolerVersion: PgBouncerVersion;
  /** Pools a pooler will keep, one for each role in each database. Default: one, with the limits below. */
  readonly pools?: readonly PoolDemand[];
  /** Sizes that a file of the operator's own gives, by database: taken as they are, and judged. */
  readonly fixed?: ReadonlyMap<string, FixedSizes>;
  /** A forced user warms pools before the first client on 1.21 and later. */
  readonly forcedUser?: boolean;
  /** Sessions that services hold directly at their peak, while none is migrated (pg_stat_activity, or pods x application pool). */
  readonly peakDirect: number;
  /** Sessions of others that stay (exporters, cron, replication counts on its own). Default 0. */
  readonly otherSessions?: number;
  /** Service pods and the size of their application pool, for max_client_conn. */
  readonly services: readonly { readonly name: string; readonly replicas: number; readonly appPool: number }[];
  /** Limits of role and database (-1 or absent: none). */
  readonly roleConnectionLimit?: number;
  readonly databaseConnectionLimit?: number;
  /** What the plan asks for; it is kept when it fits and cut (with a finding) when not. */
  readonly wanted?: {
    readonly poolSize?: number;
    readonly minPoolSize?: number;
    readonly reservePool?: number;
    readonly maxClientConn?: number;
  };
}

/** One pool: PgBouncer keeps its sizes for each pair of database and user. */
export interface PoolDemand {
  readonly database: string;
  readonly role: string;
  /** `rolconnlimit` and `datconnlimit`; -1 or absent: none. */
  readonly roleConnectionLimit?: number;
  readonly databaseConnectionLimit?: number;
  /** Sessions that the role holds directly now: they count against its limit too. */
  readonly roleDirect?: number;
}

export interface FixedSizes {
  readonly poolSize: number;
  readonly minPoolSize: number;
  readonly reservePool: number;
  /** Absent: no limit. */
  readonly maxDbConnections?: number;
  readonly maxClientConn: number;
}

export interface Sizing {
  /** Per pooler pod, and per pool where there are several. */
  readonly poolSize: number;
  readonly minPoolSize: number;
  readonly reservePool: number;
  /** Of all databases together. */
  readonly maxDbConnections: number;
  /** Of each database, per pooler pod. */
  readonly databases: Readonly<Record<string, number>>;
  readonly maxClientConn: number;
  /** Most server connections that all poolers open together in the steady state (replicas, no surge). */
  readonly expectedServerConnections: number;
  /** At rest, after min_pool_size was reached. */
  readonly expectedAtRest: number;
  /** The same as `expectedServerConnections` during a roll of the poolers. */
  readonly surgeServerConnections: number;
  /** Slots left for pooler and not yet migrated services. */
  readonly available: number;
  /** File descriptors each pooler needs (RLIMIT_NOFILE). */
  readonly fileDescriptors: number;
  /** One line a step of the calculation, for the screen. */
  readonly arithmetic: readonly string[];
  readonly findings: readonly Finding[];
}
