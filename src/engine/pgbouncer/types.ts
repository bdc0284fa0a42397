/**
 * The nouns of the PgBouncer and PostgreSQL knowledge: plain data, no behaviour. Functions live in the modules named in
 * the comments; they return `Result` where a server, a stream or an operator's text can be wrong.
 */
import type { Duplex } from 'node:stream';
import type { Result } from '../result.ts';
import type { Secret } from '../secret.ts';

/** Opens one byte stream to a pod's port (a port-forward); called again for each reconnect. */
export type Connect = () => Promise<Result<Duplex>>;

/** `block`: the change must not go on · `warn`: a human decides · `info`: worth knowing. */
export type Severity = 'info' | 'warn' | 'block';

/** Something found by a check; plain data, sanitised, for screens and the record. */
export interface Finding {
  /** Stable, kebab-case: `named-prepared-statements`, `budget-exceeded`. */
  readonly id: string;
  readonly severity: Severity;
  /** One line. */
  readonly title: string;
  /** What was seen. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
  /** Services it was attributed to; empty or absent: could not be attributed to one. */
  readonly services?: readonly string[];
}

// ─── versions ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** From `parseVersion` (config.ts); compare with `atLeast(version, 1, 21)`. */
export interface PgBouncerVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** `1.18.0` */
  readonly text: string;
}

// ─── credentials (credentials.ts) ──────────────────────────────────────────────────────────────────────────────────

/** `SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>`, as in `pg_authid.rolpassword`. Enough to impersonate: keep it in a Secret. */
export interface UserlistEntry {
  readonly user: string;
  /** Plain password or verifier; both are secrets. */
  readonly secret: Secret;
}

export interface ParsedUserlistEntry {
  readonly user: string;
  readonly kind: 'plaintext' | 'scram' | 'md5' | 'malformed-scram' | 'empty';
  readonly secret: Secret;
}

export type ArrangementKind = 'same-verifier' | 'plaintext' | 'plaintext-forced-user' | 'auth-query' | 'alter-role';

/** What the operator may do and knows about the role the services log in with. */
export interface ArrangementFacts {
  /** Version of the pooler that will run. */
  readonly poolerVersion: PgBouncerVersion;
  /** The clear password of the role is at hand (from a Secret, a file, a prompt) and was proved by a direct login. */
  readonly passwordKnown: boolean;
  /** The operator's own role may read `pg_authid` (superuser). */
  readonly canReadVerifier: boolean;
  /** Prefix of `pg_authid.rolpassword`, when it could be read. */
  readonly storedAs?: 'scram' | 'md5' | 'none' | 'unknown';
  /** Superuser or CREATEROLE. */
  readonly canAlterRole: boolean;
  /** May create a SECURITY DEFINER function owned by a superuser. */
  readonly canCreateAuthQuery: boolean;
  /** Policy of the team: may the clear password stand in a Kubernetes Secret that only the pooler mounts? Default true. */
  readonly plaintextInSecretAllowed?: boolean;
  /** Most roles that the services use in one database; more than one makes a forced user wrong. */
  readonly serviceRoles: number;
  /** The one the team asks for; the others are not considered. */
  readonly wanted?: 'plaintext' | 'same-verifier' | 'auth-query' | 'alter-role';
  /** The HBA form of the configuration is used (it is what makes a forced user safe). Default true. */
  readonly hba?: boolean;
}

export interface Arrangement {
  readonly kind: ArrangementKind;
  readonly recommended: boolean;
  /** Two or three sentences for the screen. */
  readonly explanation: string;
  /** Write `user=<role>` into `[databases]`. */
  readonly forcedUser: boolean;
  /** What goes into the userlist for the role. */
  readonly userlist: 'plaintext' | 'verifier-of-postgres' | 'fresh-verifier' | 'none';
  /** Server connections exist before the first client (1.21 and later with a forced user). */
  readonly warmsBeforeClients: boolean;
  readonly rejected: readonly {
    readonly kind: ArrangementKind | 'fresh-verifier' | 'verifier-forced-user';
    readonly why: string;
  }[];
}

// ─── sizing (sizing.ts) ────────────────────────────────────────────────────────────────────────────────────────────

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

// ─── configuration (config.ts) ─────────────────────────────────────────────────────────────────────────────────────

export interface PoolerDatabase {
  /** The name clients ask for. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  /** Roles that may log in to it; `clientUsers` of the settings when left out. */
  readonly users?: readonly string[];
  /** Forced user (`user=`). */
  readonly forcedUser?: string;
  readonly poolSize: number;
  readonly minPoolSize: number;
  readonly reservePool: number;
  readonly maxDbConnections: number;
}

export interface PoolerSettings {
  readonly databases: readonly PoolerDatabase[];
  /** Roles that services log in with; each gets an HBA line per database that does not name its own. */
  readonly clientUsers: readonly string[];
  readonly adminUser: string;
  readonly statsUser: string;
  readonly maxClientConn: number;
  /** Default 0.0.0.0. */
  readonly listenAddr?: string;
  /** Default 6432. */
  readonly listenPort?: number;
  /** Default /etc/pgbouncer-auth/userlist.txt. */
  readonly authFile?: string;
  /** Default /etc/pgbouncer/pg_hba.conf. */
  readonly hbaFile?: string;
  readonly authQuery?: { readonly user: string; readonly query?: string; readonly database?: string };
  /** Default 200; written for 1.21 and later only. */
  readonly maxPreparedStatements?: number;
  /** Seconds. Defaults: 15, 3, 5, 15, 1800, 600. */
  readonly queryWaitTimeout?: number;
  readonly serverLoginRetry?: number;
  readonly serverConnectTimeout?: number;
  readonly clientLoginTimeout?: number;
  readonly serverLifetime?: number;
  readonly serverIdleTimeout?: number;
  /** Default extra_float_digits only: everything named here is dropped silently. */
  readonly ignoreStartupParameters?: readonly string[];
  readonly serverTls?: {
    readonly mode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
    readonly caFile?: string;
  };
  readonly clientTls?: {
    readonly mode: 'disable' | 'allow' | 'prefer' | 'require';
    readonly keyFile: string;
    readonly certFile: string;
  };
  /** Where the admin console may be reached from. Default 127.0.0.1/32 (a port-forward, the exporter beside it). */
  readonly consoleFrom?: readonly string[];
  /** Further `key = value` lines of `[pgbouncer]`; they win over the defaults. */
  readonly extra?: Readonly<Record<string, string | number>>;
}

// ─── manifests (manifests.ts) ──────────────────────────────────────────────────────────────────────────────────────

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes objects are open JSON here on purpose.
export type KubeJson = any;

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: KubeJson;
}

export interface PoolerManifestOptions {
  readonly namespace: string;
  /** Default `pgbouncer`: Deployment, Service, PDB … and the label `app`. */
  readonly name?: string;
  readonly image: string;
  /** Absent: no exporter side-car. */
  readonly exporterImage?: string;
  readonly replicas: number;
  readonly version: PgBouncerVersion;
  readonly ini: string;
  readonly hba: string;
  /** Secret with the key `userlist.txt` (and, with an exporter, the key of `exporterSecret`). */
  readonly userlistSecretName: string;
  /** Secret and key of the exporter's connection string. Default: the userlist Secret, key `exporter-connection`. */
  readonly exporterSecret?: { readonly name: string; readonly key: string };
  /** Default 6432. */
  readonly port?: number;
  /** Longest life of a client connection in the applications' pools, seconds: the drain waits for it. Default 60. */
  readonly clientMaxLifetimeSeconds?: number;
  /** Default 15, and before 1.23 the clients' lifetime on top. */
  readonly preStopSeconds?: number;
  /** `native` needs Kubernetes 1.30 or later; `shell` a `sleep` in the image; `none` for neither. Default `native`. */
  readonly preStop?: 'native' | 'shell' | 'none';
  /** `restricted` (default) sets what the Pod Security Standard asks for; `baseline` leaves uid and read-only root alone. */
  readonly podSecurity?: 'restricted' | 'baseline';
  /** Default 70 (Debian, Alpine `postgres` uid of common images); only with `restricted`. */
  readonly runAsUser?: number;
  readonly networkPolicy?: {
    /** Labels of pods that may connect; empty: every pod of the namespace. Metrics without a namespace: the whole cluster. */
    readonly clientLabels?: Record<string, string>;
    readonly prometheusNamespace?: string;
    /** `ports`: those PostgreSQL listens on, which a policy sees after the Service has been resolved. Empty: any port. */
    readonly postgres?: {
      readonly labels?: Record<string, string>;
      readonly cidr?: string;
      readonly ports?: readonly number[];
    };
  };
  readonly serviceMonitor?: boolean;
  readonly resources?: KubeJson;
  /** Secret and key of the authority that PostgreSQL's certificate is verified with; mounted at PATHS.serverCa. */
  readonly serverCa?: { readonly name: string; readonly key: string };
  /** Secret of type kubernetes.io/tls with the pooler's own certificate; mounted at PATHS.clientTlsDir. */
  readonly clientTlsSecret?: string;
  /** Extra annotations on every object (ownership, run id). */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly imagePullSecrets?: readonly string[];
}

// ─── console (console.ts) ──────────────────────────────────────────────────────────────────────────────────────────

type ShowCommand =
  | 'POOLS'
  | 'STATS'
  | 'STATS_TOTALS'
  | 'STATS_AVERAGES'
  | 'CLIENTS'
  | 'SERVERS'
  | 'LISTS'
  | 'CONFIG'
  | 'DATABASES'
  | 'USERS'
  | 'VERSION'
  | 'STATE'
  | 'TOTALS'
  | 'DNS_HOSTS'
  | 'MEM';

/** One row by column name; whole numbers as numbers (bigint columns above 2^53 stay text), the rest as text or null. */
export type ConsoleRow = Readonly<Record<string, string | number | null>>;

export interface ConsoleOptions {
  readonly connect: Connect;
  readonly user: string;
  readonly password: Secret;
  /** Of the login and of each command. Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The admin console of one pooler process, over one stream. Errors: `auth-failed`, `pooler-unreachable`, `query-failed`, `timeout`, `aborted`. */
export interface AdminConsole {
  show(command: ShowCommand): Promise<Result<readonly ConsoleRow[]>>;
  /** `RELOAD`, `RECONNECT nova`, `PAUSE nova`, `SET query_wait_timeout=15` … Values must not hold secrets. */
  command(text: string): Promise<Result<void>>;
  version(): Promise<Result<PgBouncerVersion>>;
  /** `SHOW CONFIG` as a map. */
  config(): Promise<Result<ReadonlyMap<string, string>>>;
  /** False once the stream has ended. */
  readonly open: boolean;
  close(): Promise<void>;
}

// ─── pools (pools.ts) ──────────────────────────────────────────────────────────────────────────────────────────────

export interface PoolerEndpoint {
  readonly pod: string;
  readonly connect: Connect;
}

/** Counts of client connections of the poolers by service; `unknown` are addresses no pod has. */
export interface ClientAttribution {
  readonly byService: ReadonlyMap<string, number>;
  readonly unknown: readonly { readonly address: string; readonly applicationName: string; readonly count: number }[];
}

/** Who has an address of the pod network. */
export interface PodOwner {
  readonly pod: string;
  readonly service?: string;
  readonly pooler?: boolean;
  /** The pod had the address earlier in this run and is gone; nobody has it now. */
  readonly gone?: boolean;
}

/** What the consoles of the poolers said at one moment about who is connected. */
export interface PoolerClients {
  /** Rows of `SHOW CLIENTS` and `SHOW SERVERS` of each pooler that answered. */
  readonly poolers: readonly {
    readonly pod: string;
    readonly clients: readonly ConsoleRow[];
    readonly servers: readonly ConsoleRow[];
  }[];
  /** Ready poolers that did not answer: a client may be on one of them. */
  readonly silent: readonly string[];
}

// ─── log scan and diagnosis (log-scan.ts, diagnosis.ts) ────────────────────────────────────────────────────────────

export interface PoolerLogEntry {
  /** Id of the diagnosis row, or `unclassified`. */
  readonly id: string;
  readonly level: 'LOG' | 'WARNING' | 'ERROR' | 'FATAL' | 'NOTICE' | 'unknown';
  readonly severity: Severity;
  /** Sanitised. */
  readonly text: string;
  readonly count: number;
  /** 0-based index of the first line among those given. */
  readonly firstLine: number;
}

export interface PoolerLogScan {
  readonly lines: number;
  /** Lines that are errors whatever their level says. */
  readonly errors: number;
  readonly entries: readonly PoolerLogEntry[];
}

export interface Diagnosis {
  readonly id: string;
  readonly symptom: readonly RegExp[];
  /** All of these must be found too (in other lines). */
  readonly also?: readonly RegExp[];
  readonly severity: Severity;
  readonly title: string;
  readonly cause: string;
  readonly check: string;
  readonly fix: string;
  /** Console command that helps, sent to every pooler pod. */
  readonly command?: string;
}

/** What is known beside the texts; each makes a diagnosis sharper, none is required. */
export interface DiagnosisFacts {
  readonly poolerVersion?: PgBouncerVersion;
  readonly config?: ReadonlyMap<string, string>;
  readonly pools?: readonly ConsoleRow[];
  readonly databases?: readonly ConsoleRow[];
  readonly storedAs?: 'scram' | 'md5' | 'none' | 'unknown';
  readonly verifierMatches?: boolean;
}
