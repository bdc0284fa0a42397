/**
 * Services whose addresses hold another password than the role's. A password that was changed under running pods is a trap
 * of its own: they live on sessions of before and look healthy, and no new pod of them can log in, at the pooler or back on
 * PostgreSQL. Whoever replaces those pods takes the service down.
 */
import type { Consumer, Discovery } from '../kube/workload-types.ts';
import { type Login, loginsOf } from '../plan/logins.ts';
import { GIVEN, PLACEHOLDER, rolePasswords, takeRolePassword } from './credentials-source.ts';
import { type PasswordProof, provePassword } from './password-proof.ts';
import { secretsOf } from './run-secrets.ts';
import type { LookContext } from './types.ts';

export interface StalePasswords {
  /** Why a workload can't be replaced as it is, by its id: a container of it has no address with the right password. */
  readonly blocked: ReadonlyMap<string, readonly string[]>;
  /** A wrong one beside a right one may be a leftover that nothing reads. */
  readonly warnings: readonly string[];
}

/** Takes the role's password as `takeRolePassword` does when it is not known yet. Fails nowhere: what can't be asked stays unknown. */
export async function findStalePasswords(ctx: LookContext, found: Discovery): Promise<StalePasswords> {
  const blocked = new Map<string, string[]>();
  const warnings: string[] = [];
  if (!(await takeRolePassword(ctx, found)).ok) return { blocked, warnings };
  const roles = new Set<string>();
  for (const login of loginsOf(ctx.plan)) {
    if (roles.has(login.role)) continue;
    roles.add(login.role);
    const wrong = await wrongOnes(ctx, found, login);
    if (wrong.size === 0) continue;
    for (const workload of found.workloads) {
      const own = workload.consumers.filter((one) => one.user === login.role && one.password !== undefined);
      const bad = own.filter((one) => wrong.has(one.password!.reveal()));
      if (bad.length === 0) continue;
      const why = reason(ctx, login.role, bad, wrong.get(bad[0]!.password!.reveal())!);
      const right = new Set(own.filter((one) => !bad.includes(one)).map((one) => one.container));
      if (bad.some((one) => !right.has(one.container)))
        blocked.set(workload.id, [...(blocked.get(workload.id) ?? []), why]);
      else warnings.push(`${workload.ref.name}: ${why}`);
    }
  }
  return { blocked, warnings };
}

/** Passwords in the addresses that are not the role's, each with what PostgreSQL says to it. */
async function wrongOnes(ctx: LookContext, found: Discovery, login: Login): Promise<Map<string, PasswordProof>> {
  const wrong = new Map<string, PasswordProof>();
  const { password } = secretsOf(ctx.secrets, ctx.plan, login.role);
  const others = rolePasswords(found, login.role, true).filter(
    ({ secret }) => secret.reveal() !== password?.reveal() && !PLACEHOLDER.test(secret.reveal()),
  );
  if (!password || others.length === 0) return wrong;
  // Where the role's own is refused there is no right one to compare with: that is said about the role, not of each service.
  if ((await provePassword(ctx, login, password)) === 'refused') return wrong;
  for (const { secret } of others) wrong.set(secret.reveal(), await provePassword(ctx, login, secret));
  return wrong;
}

function reason(ctx: LookContext, role: string, bad: readonly Consumer[], proof: PasswordProof): string {
  const where = [...new Set(bad.map((one) => one.name))].join(', ');
  if (proof === 'refused')
    return `PostgreSQL refuses the password of ${role} in ${where}: running pods live on sessions from before it was changed, and no new one could log in, at the pooler or back on PostgreSQL. Give it the password of today, and roll that out, first.`;
  const { from } = secretsOf(ctx.secrets, ctx.plan, role);
  const whose = from === GIVEN ? 'the one that was given' : 'most of the others';
  return `The password of ${role} in ${where} is another one than ${whose}, and the pooler takes one only: give all of them the same first.`;
}
