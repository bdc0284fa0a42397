/**
 * The passwords of a run, in memory only. They come from the operator, from the services' own addresses, or from the
 * Secret of an earlier session; they go to the cluster's Secret and onto the wire.
 */
import { rolesOf } from '../plan/logins.ts';
import type { Plan } from '../plan/schema.ts';
import type { Secret } from '../secret.ts';

export interface RunSecrets {
  /** Of the plan's own role. */
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
  /** The same of the plan's other roles (`postgres.also`). */
  readonly others?: Map<string, RoleSecrets>;
}

export interface RoleSecrets {
  password?: Secret;
  from?: string;
  verifier?: Secret;
}

/** What is known of a role, to read; an empty one when nothing is. */
export function secretsOf(secrets: RunSecrets, plan: Pick<Plan, 'postgres'>, role: string): Readonly<RoleSecrets> {
  if (role !== plan.postgres.role) return secrets.others?.get(role) ?? {};
  return {
    ...(secrets.role ? { password: secrets.role } : {}),
    ...(secrets.roleFrom === undefined ? {} : { from: secrets.roleFrom }),
    ...(secrets.verifier ? { verifier: secrets.verifier } : {}),
  };
}

/** Adds to what is known of a role. A secrets object without a place for other roles keeps nothing of them. */
export function learn(secrets: RunSecrets, plan: Pick<Plan, 'postgres'>, role: string, known: RoleSecrets): void {
  if (role !== plan.postgres.role) {
    secrets.others?.set(role, { ...secrets.others.get(role), ...known });
    return;
  }
  if (known.password) secrets.role = known.password;
  if (known.from !== undefined) secrets.roleFrom = known.from;
  if (known.verifier) secrets.verifier = known.verifier;
}

/** Roles of the plan whose clear password is not known. */
export const rolesWithout = (secrets: RunSecrets, plan: Pick<Plan, 'postgres'>): string[] =>
  rolesOf(plan).filter((role) => secretsOf(secrets, plan, role).password === undefined);
