/** The nouns of the PostgreSQL side: plain data. See the modules named in the comments for the functions. */
import type { PodOwner } from '../pgbouncer/console-types.ts';
import type { Connect, Finding } from '../pgbouncer/types.ts';
import type { Result } from '../result.ts';
import type { Secret } from '../secret.ts';

export type { Connect, Finding } from '../pgbouncer/types.ts';

// ─── connect.ts ────────────────────────────────────────────────────────────────────────────────────────────────────

export interface PostgresOptions {
  readonly connect: Connect;
  /** TLS is tried first (not verified, like `sslmode=prefer`); otherwise only where the server insists. */
  readonly encrypted?: boolean;
  readonly user: string;
  readonly password: Secret;
  readonly database: string;
  /** Of the login and of each query. Default 10000. */
  readonly timeoutMs?: number;
  /** Default `pgb-wizard`. */
  readonly applicationName?: string;
  readonly signal?: AbortSignal;
}

type SqlValue = string | number | boolean | null | readonly string[];
/** Integers (int2, int4, and int8 within 2^53), floats and booleans are parsed; everything else is text. */
export type SqlRow = Readonly<Record<string, string | number | boolean | null>>;

/** One session. Errors: `auth-failed`, `postgres-unreachable`, `query-failed` (details.sqlstate), `timeout`, `aborted`. */
export interface Postgres {
  /** Without values the simple protocol is used; with `name` a named prepared statement of the protocol. */
  query(sql: string, values?: readonly SqlValue[], name?: string): Promise<Result<readonly SqlRow[]>>;
  onNotification(listener: (channel: string) => void): void;
  /** `version()` and `server_version_num`. */
  version(): Promise<Result<{ readonly text: string; readonly number: number }>>;
  /** Did the server ask for the password? Where pg_hba.conf trusts the address, any password was let in. */
  readonly passwordAsked: boolean;
  readonly open: boolean;
  close(): Promise<void>;
}

// ─── activity.ts ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface ActivityOptions {
  readonly podIps: ReadonlyMap<string, PodOwner>;
  /** What the services log in as, and where. */
  readonly logins: readonly { readonly role: string; readonly database: string }[];
}

export interface Activity {
  /** Direct sessions of services, by the role they use. */
  readonly directByRole: ReadonlyMap<string, number>;
  /** Client backends, ours included. */
  readonly total: number;
  readonly maxConnections: number;
  /** superuser_reserved_connections + reserved_connections. */
  readonly reserved: number;
  /** Direct sessions of each service in `podIps` (0 when it has none). */
  readonly direct: ReadonlyMap<string, number>;
  readonly directTotal: number;
  /** Sessions that come from pooler pods. */
  readonly pooled: number;
  readonly byPooler: ReadonlyMap<string, number>;
  /** Sessions of other roles and databases, of this tool, and those whose columns are hidden from this role. */
  readonly other: number;
  /** Sessions whose columns this role may not see; > 0 means that direct counts are a lower bound. */
  readonly hidden: number;
  /** Sessions whose pod is gone: PostgreSQL has not noticed yet, or a node that is cut off still runs it. */
  readonly gone: readonly { readonly service: string; readonly pod: string; readonly count: number }[];
  /** Sessions of the role whose address belongs to no known pod. */
  readonly unexplained: readonly {
    readonly address: string;
    readonly applicationName: string;
    readonly count: number;
  }[];
}

// ─── capacity.ts ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface CapacityFacts {
  readonly maxConnections: number;
  readonly superuserReserved: number;
  readonly reservedConnections: number;
  readonly current: number;
  readonly roleConnectionLimit: number;
  readonly databaseConnectionLimit: number;
  readonly serverVersion: number;
  /** Role facts; undefined where this session may not see them. */
  readonly storedAs?: 'scram' | 'md5' | 'none' | 'unknown';
  readonly validUntil?: string;
  readonly canReadVerifier: boolean;
  readonly canAlterRole: boolean;
  /** Superuser: may create the SECURITY DEFINER function of auth_query. */
  readonly canCreateAuthQuery: boolean;
  /** A superuser, as the first role of PostgreSQL's official image is, or one that may replicate: auth_query serves neither. */
  readonly roleIsPowerful: boolean;
  readonly roleCanLogin: boolean;
  readonly roleExpired: boolean;
  readonly databaseAllowsConnections: boolean;
  readonly ssl: boolean;
}

// ─── hazards.ts ────────────────────────────────────────────────────────────────────────────────────────────────────

export type Driver =
  | 'sqlx'
  | 'pgx'
  | 'pgjdbc'
  | 'npgsql'
  | 'asyncpg'
  | 'psycopg'
  | 'node-pg'
  | 'postgres.js'
  | 'prisma'
  | 'rails'
  | 'django'
  | 'libpq'
  | 'unknown';

export interface HazardOptions {
  readonly podIps: ReadonlyMap<string, PodOwner>;
  /** Whose statements are looked at, and where; the session looks at this database. */
  readonly role: string;
  readonly database: string;
  readonly poolerVersion: {
    readonly major: number;
    readonly minor: number;
    readonly patch: number;
    readonly text: string;
  };
  /** Of each service, when known (image, environment, URL scheme). */
  readonly drivers?: ReadonlyMap<string, Driver>;
  /** Seconds after which a transaction counts as long. Default 60. */
  readonly longTransactionSeconds?: number;
}

export interface HazardReport {
  readonly findings: readonly Finding[];
  /** What was looked at and how: `pg_stat_statements`: `not installed`, … so that silence is never mistaken for health. */
  readonly looked: readonly {
    readonly check: string;
    readonly state: 'done' | 'not-possible';
    readonly note: string;
  }[];
}

// ─── baseline.ts ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface BaselineOptions {
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Where the password comes from: never the object itself. */
  readonly passwordSecret: { readonly name: string; readonly key: string };
  /** Default 10. */
  readonly clients?: number;
  /** Seconds, default 20. */
  readonly seconds?: number;
  /** `simple` and `extended` work everywhere; `prepared` needs max_prepared_statements. Default `extended`. */
  readonly protocol?: 'simple' | 'extended' | 'prepared';
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface BaselineResult {
  readonly tps: number;
  readonly latencyAverageMs: number;
  readonly latencyStddevMs?: number;
  readonly initialConnectionMs?: number;
  readonly transactions: number;
  readonly failed: number;
  readonly failedPercent: number;
  readonly aborted: boolean;
  readonly progress: readonly { readonly seconds: number; readonly tps: number; readonly latencyMs: number }[];
}

export interface BaselineComparison {
  readonly verdict: 'pass' | 'fail' | 'inconclusive';
  readonly summary: string;
  readonly latencyChangePercent: number;
  readonly tpsChangePercent: number;
}

// ─── canary.ts ─────────────────────────────────────────────────────────────────────────────────────────────────────

export interface CanaryCheck {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'pass' | 'fail' | 'inconclusive';
  /** Sanitised, one line. */
  readonly observed: string;
  readonly expected: string;
}
