/**
 * The passwords of a run, in memory only. They come from the operator, from the services' own addresses, or from the
 * Secret of an earlier session; they go to the cluster's Secret and onto the wire.
 */
import type { Secret } from '../secret.ts';

export interface RunSecrets {
  /** Of the role that the services log in with. */
  role?: Secret;
  /** Where `role` came from, for the evidence: `the address in deployment/identity-service`. */
  roleFrom?: string;
  admin?: Secret;
  adminFrom?: string;
  stats?: Secret;
  statsFrom?: string;
  /** What the userlist holds for the role where it is no clear password. */
  verifier?: Secret;
  /** Of the lookup role of auth_query. */
  lookup?: Secret;
}
