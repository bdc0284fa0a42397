/**
 * Which passwords PostgreSQL takes. pg_authid tells where it can be read; else a login does, but only one in which the
 * server asked for the password: PostgreSQL's official image trusts connections from inside of its pod, and a port-forward
 * is one.
 */
import { isScramVerifier, verifierMatches } from '../pgbouncer/credentials.ts';
import type { Login } from '../plan/logins.ts';
import { readVerifier } from '../postgres/capacity.ts';
import type { Postgres } from '../postgres/types.ts';
import type { Secret } from '../secret.ts';
import type { LookContext } from './types.ts';

/** `unknown`: PostgreSQL could not be asked, or it lets everybody in who comes this way. */
export type PasswordProof = 'taken' | 'refused' | 'unknown';

/** SQLSTATE invalid_password: a wrong one, or one that has expired. */
const INVALID_PASSWORD = '28P01';

/** Opens a session of its own where pg_authid can't be read otherwise. */
export async function provePassword(
  ctx: Pick<LookContext, 'pooler'>,
  login: Login,
  password: Secret,
): Promise<PasswordProof> {
  const admin = await ctx.pooler.admin();
  const told = admin?.ok ? await byVerifier(admin.value, login.role, password) : 'unknown';
  if (told !== 'unknown') return told;
  const session = await ctx.pooler.sessionWith(login, password);
  if (!session.ok) return session.error.details?.sqlstate === INVALID_PASSWORD ? 'refused' : 'unknown';
  try {
    return await proofOf(session.value, login.role, password);
  } finally {
    await session.value.close();
  }
}

/** The same from a session that was opened with the password. */
export async function proofOf(session: Postgres, role: string, password: Secret): Promise<PasswordProof> {
  return session.passwordAsked ? 'taken' : byVerifier(session, role, password);
}

async function byVerifier(session: Postgres, role: string, password: Secret): Promise<PasswordProof> {
  // Asked first: a refused SELECT is an error in the server's log.
  const may = await session.query("select has_table_privilege('pg_catalog.pg_authid', 'select') as may");
  if (!may.ok || may.value[0]?.may !== true) return 'unknown';
  const verifier = await readVerifier(session, role);
  if (!verifier.ok || !verifier.value || !isScramVerifier(verifier.value.reveal())) return 'unknown';
  return verifierMatches(password, verifier.value) ? 'taken' : 'refused';
}
