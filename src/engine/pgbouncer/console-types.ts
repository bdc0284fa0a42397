/** The nouns of the admin console and of what is read there: rows, pools, who is connected. */
import type { Result } from '../result.ts';
import type { Secret } from '../secret.ts';
import type { Connect, PgBouncerVersion } from './types.ts';

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
