/** The nouns of what is written for a pooler: its configuration and its manifests. */
import type { PgBouncerVersion } from './types.ts';

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
  /** Further labels and annotations of every object and of the pods; the wizard's own labels stay. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly imagePullSecrets?: readonly string[];
}
