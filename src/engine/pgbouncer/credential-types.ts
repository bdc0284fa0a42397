/** The nouns of credentials: what a userlist holds, and how PgBouncer can be let into PostgreSQL. */
import type { Secret } from '../secret.ts';
import type { PgBouncerVersion } from './types.ts';

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
  /** A role is a superuser or may replicate: the lookup function gives nobody its verifier. */
  readonly rolePowerful?: boolean;
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
