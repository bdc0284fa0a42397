/**
 * Why PostgreSQL lets the role in or not. PostgreSQL answers a wrong password, an expired one and a missing role with the
 * same words on purpose; with the admin's session (postgres.adminSecret) they are told apart, without it all are named.
 */

import { verifierMatches } from '../pgbouncer/credentials.ts';
import { type Login, loginsOf } from '../plan/logins.ts';
import { capacityFindings, readCapacity, readVerifier } from '../postgres/capacity.ts';
import type { CapacityFacts } from '../postgres/types.ts';
import type { Secret } from '../secret.ts';
import { secretsOf } from './run-secrets.ts';
import type { LookContext, StepFailure } from './types.ts';

export interface RoleFacts {
  readonly capacity?: CapacityFacts;
  /** As PostgreSQL stores it; present only where this run may read pg_authid. */
  readonly verifier?: Secret;
  /** Was the verifier made from the password the run has? */
  readonly matches?: boolean;
  /** Why the admin's session could not be used, when the plan names one. */
  readonly problem?: string;
}

/** Of one role; of the plan's own unless told otherwise. */
export async function readRoleFacts(ctx: LookContext, login: Login = loginsOf(ctx.plan)[0]!): Promise<RoleFacts> {
  const session = await ctx.pooler.admin();
  if (!session) return {};
  if (!session.ok) return { problem: session.error.message };
  const { role, database } = login;
  const capacity = await readCapacity(session.value, { role, database });
  if (!capacity.ok) return { problem: capacity.error.message };
  if (!capacity.value.canReadVerifier) return { capacity: capacity.value };
  const verifier = await readVerifier(session.value, role);
  if (!verifier.ok || !verifier.value) return { capacity: capacity.value };
  const { password } = secretsOf(ctx.secrets, ctx.plan, role);
  return {
    capacity: capacity.value,
    verifier: verifier.value,
    ...(password && capacity.value.storedAs === 'scram' ? { matches: verifierMatches(password, verifier.value) } : {}),
  };
}

export const NOT_THE_ONE =
  'Give the password that the role really has (--role-password-file), or set it with ALTER ROLE; then retry.';

/** The failure to show when PostgreSQL refused the role (`said` are its words). */
export async function explainRefusal(
  ctx: LookContext,
  said: string,
  login: Login = loginsOf(ctx.plan)[0]!,
): Promise<StepFailure> {
  const { role } = login;
  const facts = await readRoleFacts(ctx, login);
  const blocks = facts.capacity ? capacityFindings(facts.capacity).filter((one) => one.severity === 'block') : [];
  const failure = (cause: string, hint: string): StepFailure => ({
    cause: `PostgreSQL refuses ${role}: ${cause}`,
    hint,
    symptoms: [said],
  });
  const [block] = blocks;
  if (block)
    return failure(`${lower(block.title)} (${block.detail})`, `${block.fix ?? 'Mend it in PostgreSQL'}; then retry.`);
  if (facts.matches === false) {
    return failure(
      `the password ${secretsOf(ctx.secrets, ctx.plan, role).from ?? 'at hand'} is not the one whose verifier pg_authid holds`,
      NOT_THE_ONE,
    );
  }
  if (facts.problem && /has no role/i.test(facts.problem)) {
    return failure('the role does not exist', `CREATE ROLE ${role} LOGIN, or correct postgres.role in the plan.`);
  }
  const known = KNOWN.find(([pattern]) => pattern.test(said));
  if (known) return failure(known[1], known[2]);
  const { from } = secretsOf(ctx.secrets, ctx.plan, role);
  return failure(
    `${said}${from === undefined ? '' : ` (the one ${from})`}. PostgreSQL says the same for a wrong password, one whose VALID UNTIL has passed, and a role that does not exist`,
    "Compare the password in the services' addresses with the role (select rolvaliduntil from pg_roles); postgres.adminSecret in the plan lets the wizard tell which it is.",
  );
}

const KNOWN: readonly (readonly [RegExp, string, string])[] = [
  [/is not permitted to log in/i, 'the role may not log in (NOLOGIN)', 'ALTER ROLE … LOGIN, then retry.'],
  [
    /no pg_hba\.conf entry/i,
    'pg_hba.conf has no line for the address it comes from',
    'Add a line for the pod network to pg_hba.conf and pg_reload_conf(), then retry.',
  ],
  [/role ".*" does not exist/i, 'the role does not exist', 'Create it, or correct postgres.role in the plan.'],
  [
    /too many connections|remaining connection slots|too many clients/i,
    'no connection slot is left',
    'Raise the limit of the role, the database or the server, or end sessions; then retry.',
  ],
];

const lower = (text: string) => `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
