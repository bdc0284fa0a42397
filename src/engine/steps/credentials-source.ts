/**
 * Where the passwords come from. The guide invents a new one for nova_user in its step 1.1, uses it in every address, and
 * goes back to a third one in its rollback; PostgreSQL knows only one. So the role's password is the one the services use
 * now, and it is proved by a login.
 */
import type { Discovery } from '../kube/workload-types.ts';
import { checkPassword, generatePassword } from '../pgbouncer/credentials.ts';
import { loginsOf, rolesOf } from '../plan/logins.ts';
import { fail, ok, type Result } from '../result.ts';
import type { Secret } from '../secret.ts';
import { type PasswordProof, provePassword } from './password-proof.ts';
import { learn, secretsOf } from './run-secrets.ts';
import type { LookContext } from './types.ts';

export const GIVEN = 'given by the operator';

/** What looks like the place of a password, a template's or a shell's. It may be one all the same. */
export const PLACEHOLDER = /\$[({]|\{\{|%\(|^\$\w+$|^<.*>$/;

/**
 * Every password of the role in the services' addresses, the most used first. An address without a user may be of the
 * plan's own role (`strict` false), never of another.
 */
export function rolePasswords(
  found: Discovery,
  role: string,
  strict = false,
): { secret: Secret; services: string[] }[] {
  const seen = new Map<string, { secret: Secret; services: string[] }>();
  for (const workload of found.workloads) {
    for (const consumer of workload.consumers) {
      if (!consumer.password || (strict || consumer.user !== undefined ? consumer.user !== role : false)) continue;
      const value = consumer.password.reveal();
      const entry = seen.get(value) ?? { secret: consumer.password, services: [] };
      entry.services.push(workload.ref.name);
      seen.set(value, entry);
    }
  }
  const rank = ({ secret }: { secret: Secret }) => Number(PLACEHOLDER.test(secret.reveal()));
  return [...seen.values()].sort((a, b) => rank(a) - rank(b) || b.services.length - a.services.length);
}

const ORDER: readonly PasswordProof[] = ['taken', 'unknown', 'refused'];

/** Where the addresses hold several passwords of a role, the one that PostgreSQL takes comes first. */
async function provedPasswords(ctx: LookContext, found: Discovery, role: string) {
  const { plan } = ctx;
  const held = rolePasswords(found, role, role !== plan.postgres.role);
  if (held.length < 2) return held;
  const login = loginsOf(plan).find((one) => one.role === role)!;
  const proved = [];
  for (const one of held) proved.push({ ...one, proof: await provePassword(ctx, login, one.secret) });
  return proved.sort((a, b) => ORDER.indexOf(a.proof) - ORDER.indexOf(b.proof));
}

/** Puts the passwords of the plan's roles into the run's secrets: the operator's when given, else those in the services' addresses. */
export async function takeRolePassword(ctx: LookContext, found: Discovery): Promise<Result<void>> {
  const { secrets, plan } = ctx;
  for (const role of rolesOf(plan)) {
    const known = secretsOf(secrets, plan, role);
    if (known.password) {
      if (known.from === undefined) learn(secrets, plan, role, { from: GIVEN });
      continue;
    }
    const [best, ...others] = await provedPasswords(ctx, found, role);
    if (!best) {
      return fail('secret-missing', `no address of a service holds the password of ${role}`, {
        cause: 'the services take it from a place the wizard cannot read, or log in as another role',
        next: [
          role === plan.postgres.role
            ? 'Give it with --role-password-file FILE, PGBOUNCER_NOVA_USER_PASS, or --password-secret NAME.'
            : `Give it with --password-secret NAME, a Secret with the key ${role}.`,
        ],
      });
    }
    const rest = others.flatMap((one) => one.services);
    learn(secrets, plan, role, {
      password: best.secret,
      from: `in the addresses of ${best.services.length} services${rest.length > 0 ? ` (${rest.join(', ')} have another one)` : ''}`,
    });
  }
  return ok(undefined);
}

/** Admin's and statistics reader's passwords: given, kept by an earlier session in the Secret, or generated. */
export function takeConsolePasswords(
  ctx: LookContext,
  stored: { readonly admin?: Secret; readonly stats?: Secret },
): Result<void> {
  const { secrets } = ctx;
  for (const [key, from] of [
    ['admin', 'adminFrom'],
    ['stats', 'statsFrom'],
  ] as const) {
    if (secrets[key]) {
      secrets[from] ??= 'given by the operator';
    } else if (stored[key]) {
      secrets[key] = stored[key];
      secrets[from] = 'in the Secret of an earlier session';
    } else {
      secrets[key] = generatePassword();
      secrets[from] = 'generated';
    }
    const secret = secrets[key];
    const checked = secret ? checkPassword(secret) : ok(undefined);
    if (!checked.ok) return checked;
  }
  return ok(undefined);
}
