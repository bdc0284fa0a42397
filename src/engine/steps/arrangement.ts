/**
 * How PgBouncer gets what it logs in to PostgreSQL with: chosen by what this run may do, made ready in PostgreSQL where
 * that is needed (auth_query's function, ALTER ROLE), and written into the userlist. Every way was proved against real
 * servers; the guide's (a freshly salted verifier) works in none.
 */
import { chooseArrangement, generatePassword, scramVerifier, verifierMatches } from '../pgbouncer/credentials.ts';
import type { Arrangement, ArrangementKind, PoolerSettings, UserlistEntry } from '../pgbouncer/types.ts';
import { parseVersion } from '../pgbouncer/version.ts';
import { setVerifier } from '../postgres/capacity.ts';
import type { Postgres } from '../postgres/types.ts';
import { type ErrorCode, err, fail, ok, type Result } from '../result.ts';
import { Secret } from '../secret.ts';
import { assumedPoolerVersion } from './plan-facts.ts';
import { type RoleFacts, readRoleFacts } from './role-facts.ts';
import type { StepContext } from './types.ts';

/** Asks PostgreSQL for verifiers, and can do nothing else. */
export const LOOKUP_ROLE = 'pgbouncer_auth';
const LOOKUP_QUERY = 'select username, password from pgbouncer.get_auth($1)';

/** Never a superuser's or a replication role's verifier, nor an expired one (the checks PgBouncer itself can't make). */
const LOOKUP_FUNCTION = `
create schema if not exists pgbouncer;
create or replace function pgbouncer.get_auth(p_user text) returns table(username text, password text)
  language sql security definer set search_path = pg_catalog
  as 'select rolname::text, rolpassword::text from pg_catalog.pg_authid where rolname = $1 and rolcanlogin and not rolsuper and not rolreplication and (rolvaliduntil is null or rolvaliduntil > now())';
revoke all on function pgbouncer.get_auth(text) from public;
revoke all on schema pgbouncer from public;
grant usage on schema pgbouncer to ${LOOKUP_ROLE};
grant execute on function pgbouncer.get_auth(text) to ${LOOKUP_ROLE};`;

export function chooseForRun(ctx: StepContext, facts: RoleFacts): Result<Arrangement> {
  const { plan, secrets } = ctx;
  const version = parseVersion(assumedPoolerVersion(plan));
  if (!version.ok) return version;
  const wanted = plan.pooler.credentials;
  return chooseArrangement({
    poolerVersion: version.value,
    passwordKnown: secrets.role !== undefined,
    canReadVerifier: facts.verifier !== undefined,
    ...(facts.capacity?.storedAs ? { storedAs: facts.capacity.storedAs } : {}),
    canAlterRole: facts.capacity?.canAlterRole ?? false,
    canCreateAuthQuery: facts.capacity?.canCreateAuthQuery ?? false,
    serviceRoles: 1,
    hba: true,
    ...(wanted === undefined || wanted === 'auto' ? {} : { wanted }),
  });
}

const kindOf = (ctx: StepContext): ArrangementKind =>
  (ctx.state().facts.arrangement as { kind?: ArrangementKind } | undefined)?.kind ?? 'plaintext-forced-user';

/** The role's lines of the userlist. `prepareArrangement` has filled in what they need. */
export function roleEntries(ctx: StepContext): UserlistEntry[] {
  const { secrets, plan } = ctx;
  const { role } = plan.postgres;
  switch (kindOf(ctx)) {
    case 'auth-query':
      return secrets.lookup ? [{ user: LOOKUP_ROLE, secret: secrets.lookup }] : [];
    case 'same-verifier':
    case 'alter-role':
      return secrets.verifier ? [{ user: role, secret: secrets.verifier }] : [];
    default:
      return secrets.role ? [{ user: role, secret: secrets.role }] : [];
  }
}

export function authQueryOf(ctx: StepContext): Pick<PoolerSettings, 'authQuery'> {
  return kindOf(ctx) === 'auth-query' ? { authQuery: { user: LOOKUP_ROLE, query: LOOKUP_QUERY } } : {};
}

/**
 * Brings the run's secrets and, with `change`, PostgreSQL to what the arrangement needs. Answers what is (or was) to be
 * done in PostgreSQL, for the preview. Safe to call again.
 */
export async function prepareArrangement(
  ctx: StepContext,
  mode: 'look' | 'change',
): Promise<Result<readonly string[]>> {
  const kind = kindOf(ctx);
  if (kind === 'plaintext' || kind === 'plaintext-forced-user') return ok([]);
  const facts = await readRoleFacts(ctx);
  if (kind === 'same-verifier') {
    if (!facts.verifier) return noAdmin(facts);
    ctx.secrets.verifier = facts.verifier;
    return ok([]);
  }
  const admin = await ctx.pooler.admin();
  if (!admin?.ok) return noAdmin(facts);
  return kind === 'alter-role' ? alterRole(ctx, admin.value, facts, mode) : lookupRole(ctx, admin.value, mode);
}

const noAdmin = (facts: RoleFacts) =>
  fail('not-eligible', 'the arrangement of credentials needs postgres.adminSecret', {
    ...(facts.problem ? { cause: facts.problem } : {}),
    next: ['Name a Secret with a superuser in postgres.adminSecret, or set pooler.credentials to auto.'],
  });

async function alterRole(
  ctx: StepContext,
  admin: Postgres,
  facts: RoleFacts,
  mode: 'look' | 'change',
): Promise<Result<readonly string[]>> {
  const { role } = ctx.plan.postgres;
  const password = ctx.secrets.role;
  if (!password) return fail('secret-missing', `the password of ${role} is not known`);
  const kept = ctx.secrets.verifier;
  const verifier = kept && verifierMatches(password, kept) ? kept : new Secret(scramVerifier(password));
  ctx.secrets.verifier = verifier;
  const same = facts.verifier?.reveal() === verifier.reveal();
  if (same) return ok([]);
  const note = `ALTER ROLE ${role} PASSWORD '<the verifier of the userlist>' (the password stays what it is)`;
  if (mode === 'look') return ok([note]);
  const sent = await inPostgres(ctx, role, () => setVerifier(admin, role, verifier.reveal()));
  return sent.ok ? ok([note]) : sent;
}

async function lookupRole(
  ctx: StepContext,
  admin: Postgres,
  mode: 'look' | 'change',
): Promise<Result<readonly string[]>> {
  ctx.secrets.lookup ??= generatePassword();
  const password = ctx.secrets.lookup;
  const found = await admin.query(
    `select (select rolpassword from pg_authid where rolname = '${LOOKUP_ROLE}') as verifier, to_regprocedure('pgbouncer.get_auth(text)') is not null as made`,
  );
  if (!found.ok) return found;
  const row = found.value[0];
  const known = typeof row?.verifier === 'string' && verifierMatches(password, row.verifier);
  if (known && row?.made === true) return ok([]);
  const notes = [
    `role ${LOOKUP_ROLE} in PostgreSQL, which may call one function`,
    'function pgbouncer.get_auth(text), SECURITY DEFINER, without superusers, replication roles and expired passwords',
  ];
  if (mode === 'look') return ok(notes);
  const sent = await inPostgres(ctx, LOOKUP_ROLE, async () => {
    if (row?.verifier === null) {
      const made = await admin.query(`create role ${LOOKUP_ROLE} login noinherit`);
      if (!made.ok && made.error.details?.sqlstate !== '42710') return made;
    }
    if (!known) {
      // As a verifier: a clear password in a statement may end up in the server's log.
      const set = await setVerifier(admin, LOOKUP_ROLE, scramVerifier(password));
      if (!set.ok) return set;
    }
    const done = await admin.query(LOOKUP_FUNCTION);
    return done.ok ? ok(undefined) : done;
  });
  return sent.ok ? ok(notes) : sent;
}

const UNANSWERED: ReadonlySet<ErrorCode> = new Set(['aborted', 'timeout', 'postgres-unreachable']);

/** A change in PostgreSQL goes through the same write-ahead protocol as one of the cluster. */
async function inPostgres(ctx: StepContext, name: string, work: () => Promise<Result<void>>): Promise<Result<void>> {
  const sent = await ctx.call(
    {
      verb: 'apply',
      target: { kind: 'PostgreSQL role', namespace: ctx.fleet.namespace, name },
      direction: 'forward',
    },
    async () => {
      const done = await work();
      if (done.ok) return ok({});
      // A session that broke or was given up in the middle of a statement says nothing of it.
      if (!UNANSWERED.has(done.error.code)) return done;
      return err({ ...done.error, code: 'outcome-unknown' });
    },
  );
  return sent.ok ? ok(undefined) : sent;
}
