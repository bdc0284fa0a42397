/**
 * How PgBouncer gets what it logs in to PostgreSQL with: chosen by what this run may do, made ready in PostgreSQL where
 * that is needed (auth_query's function, ALTER ROLE), and written into the userlist. Every way was proved against real
 * servers; the guide's (a freshly salted verifier) works in none.
 */

import type { PoolerSettings } from '../pgbouncer/config-types.ts';
import type { Arrangement, ArrangementKind, UserlistEntry } from '../pgbouncer/credential-types.ts';
import { chooseArrangement, generatePassword, scramVerifier, verifierMatches } from '../pgbouncer/credentials.ts';
import { entryFor, type OwnPooler } from '../pgbouncer/own-pooler.ts';
import { parseVersion } from '../pgbouncer/version.ts';
import { databasesOf, loginsOf, rolesByDatabase, rolesOf } from '../plan/logins.ts';
import { setVerifier } from '../postgres/capacity.ts';
import type { Postgres } from '../postgres/types.ts';
import { type ErrorCode, err, fail, ok, type Result } from '../result.ts';
import { Secret } from '../secret.ts';
import { assumedPoolerVersion } from './plan-facts.ts';
import { type RoleFacts, readRoleFacts } from './role-facts.ts';
import { learn, rolesWithout, secretsOf } from './run-secrets.ts';
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

/** By what is known of all the plan's roles: a way that only some of them could go is none. */
export function chooseForRun(
  ctx: StepContext,
  facts: readonly RoleFacts[],
  own: OwnPooler | undefined,
): Result<Arrangement> {
  const { plan, secrets } = ctx;
  const version = own?.version ? ok(own.version) : parseVersion(assumedPoolerVersion(plan));
  if (!version.ok) return version;
  const wanted = plan.pooler.credentials;
  const stored = facts.map((one) => one.capacity?.storedAs);
  const storedAs = stored.every((one) => one === 'scram') ? 'scram' : stored.find((one) => one && one !== 'scram');
  const all = (test: (one: RoleFacts) => boolean | undefined) => facts.every((one) => test(one) === true);
  return chooseArrangement({
    poolerVersion: version.value,
    passwordKnown: rolesWithout(secrets, plan).length === 0,
    canReadVerifier: all((one) => one.verifier !== undefined),
    ...(storedAs ? { storedAs } : {}),
    canAlterRole: all((one) => one.capacity?.canAlterRole),
    canCreateAuthQuery: all((one) => one.capacity?.canCreateAuthQuery),
    rolePowerful: facts.some((one) => one.capacity?.roleIsPowerful === true),
    serviceRoles: Math.max(...[...rolesByDatabase(plan).values()].map((roles) => roles.length)),
    // In manifests of the operator's own the file says whether a role is forced.
    hba: own?.ini ? databasesOf(plan).every((database) => entryFor(own.ini!, database)?.has('user')) && own.hba : true,
    ...(wanted === undefined || wanted === 'auto' ? {} : { wanted }),
  });
}

const kindOf = (ctx: StepContext): ArrangementKind =>
  (ctx.state().facts.arrangement as { kind?: ArrangementKind } | undefined)?.kind ?? 'plaintext-forced-user';

/** The roles' lines of the userlist. `prepareArrangement` has filled in what they need. */
export function roleEntries(ctx: StepContext): UserlistEntry[] {
  const { secrets, plan } = ctx;
  const kind = kindOf(ctx);
  if (kind === 'auth-query') return secrets.lookup ? [{ user: LOOKUP_ROLE, secret: secrets.lookup }] : [];
  const verifiers = kind === 'same-verifier' || kind === 'alter-role';
  return rolesOf(plan).flatMap((user) => {
    const { password, verifier } = secretsOf(secrets, plan, user);
    const secret = verifiers ? verifier : password;
    return secret ? [{ user, secret }] : [];
  });
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
  if (kind === 'auth-query') {
    const admin = await ctx.pooler.admin();
    return admin?.ok ? lookupRole(ctx, admin.value, mode) : noAdmin(await readRoleFacts(ctx));
  }
  const notes: string[] = [];
  for (const login of loginsOf(ctx.plan)) {
    const facts = await readRoleFacts(ctx, login);
    if (kind === 'same-verifier') {
      if (!facts.verifier) return noAdmin(facts);
      learn(ctx.secrets, ctx.plan, login.role, { verifier: facts.verifier });
      continue;
    }
    const admin = await ctx.pooler.admin();
    if (!admin?.ok) return noAdmin(facts);
    const done = await alterRole(ctx, admin.value, login.role, facts, mode);
    if (!done.ok) return done;
    notes.push(...done.value.filter((note) => !notes.includes(note)));
  }
  return ok(notes);
}

const noAdmin = (facts: RoleFacts) =>
  fail('not-eligible', 'the arrangement of credentials needs postgres.adminSecret', {
    ...(facts.problem ? { cause: facts.problem } : {}),
    next: ['Name a Secret with a superuser in postgres.adminSecret, or set pooler.credentials to auto.'],
  });

async function alterRole(
  ctx: StepContext,
  admin: Postgres,
  role: string,
  facts: RoleFacts,
  mode: 'look' | 'change',
): Promise<Result<readonly string[]>> {
  const { password, verifier: kept } = secretsOf(ctx.secrets, ctx.plan, role);
  if (!password) return fail('secret-missing', `the password of ${role} is not known`);
  const verifier = kept && verifierMatches(password, kept) ? kept : new Secret(scramVerifier(password));
  learn(ctx.secrets, ctx.plan, role, { verifier });
  const same = facts.verifier?.reveal() === verifier.reveal();
  if (same) return ok([]);
  const note = `ALTER ROLE ${role} PASSWORD '<the verifier of the userlist>' (the password stays what it is)`;
  if (mode === 'look') return ok([note]);
  const sent = await inPostgres(ctx, role, () => setVerifier(admin, role, verifier.reveal()));
  return sent.ok ? ok([note]) : sent;
}

const LOOKUP_STATE = `select (select rolpassword from pg_authid where rolname = '${LOOKUP_ROLE}') as verifier, to_regprocedure('pgbouncer.get_auth(text)') is not null as made`;

async function lookupRole(
  ctx: StepContext,
  admin: Postgres,
  mode: 'look' | 'change',
): Promise<Result<readonly string[]>> {
  ctx.secrets.lookup ??= generatePassword();
  const password = ctx.secrets.lookup;
  const notes: string[] = [];
  const found = await admin.query(LOOKUP_STATE);
  if (!found.ok) return found;
  const stored = found.value[0]?.verifier;
  if (!(typeof stored === 'string' && verifierMatches(password, stored))) {
    notes.push(`role ${LOOKUP_ROLE} in PostgreSQL, which may call one function`);
    if (mode === 'change') {
      const sent = await inPostgres(ctx, LOOKUP_ROLE, async () => {
        if (stored === null) {
          const made = await admin.query(`create role ${LOOKUP_ROLE} login noinherit`);
          if (!made.ok && made.error.details?.sqlstate !== '42710') return made;
        }
        // As a verifier: a clear password in a statement may end up in the server's log.
        return setVerifier(admin, LOOKUP_ROLE, scramVerifier(password));
      });
      if (!sent.ok) return sent;
    }
  }
  // PgBouncer asks in the database that a client wants: each of them needs the function.
  for (const database of databasesOf(ctx.plan)) {
    const session = await ctx.pooler.adminIn(database);
    if (!session?.ok) return session ?? noAdmin({});
    try {
      const state = await session.value.query(LOOKUP_STATE);
      if (!state.ok) return state;
      if (state.value[0]?.made === true) continue;
      notes.push(
        `function pgbouncer.get_auth(text) in ${database}, SECURITY DEFINER, without superusers, replication roles and expired passwords`,
      );
      if (mode === 'look') continue;
      const sent = await inPostgres(ctx, LOOKUP_ROLE, async () => {
        const done = await session.value.query(LOOKUP_FUNCTION);
        return done.ok ? ok(undefined) : done;
      });
      if (!sent.ok) return sent;
    } finally {
      await session.value.close();
    }
  }
  return ok(notes);
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
