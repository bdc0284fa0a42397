/** `rbac`: the permissions of a plan as a Role and its RoleBinding. No cluster is asked. */
import { neededAccess, renderRbac } from '../engine/kube/access.ts';
import type { Need } from '../engine/kube/option-types.ts';
import type { Plan } from '../engine/plan/schema.ts';
import { ok, type Result } from '../engine/result.ts';
import { accessInput } from '../engine/steps/plan-facts.ts';
import type { Invocation } from './command.ts';
import type { rbacFlags } from './commands/rbac.ts';
import { write } from './io.ts';
import { stringify } from './lazy/yaml.ts';
import { print } from './output.ts';
import { planOf } from './session.ts';

/** Stands for the id that a run will have. */
const SOME_RUN = 'ffffffff';
/** Newer servers ask for more verbs; a Role may hold them early. */
const NEWEST_MINOR = 99;

export async function rbac({ values, io }: Invocation<typeof rbacFlags>): Promise<Result<number>> {
  const plan = await planOf(values.plan);
  if (!plan.ok) return plan;
  const objects = renderRbac(needsOf(plan.value.plan, values.namespace), 'pgb-wizard', values.user);
  if (values.output === 'json') await print(io, 'json', { apiVersion: 'v1', kind: 'List', items: objects });
  else await write(io.stdout, objects.map((object) => stringify(object)).join('---\n'));
  return ok(0);
}

/** A rule can't name objects whose names hold the id of a run that does not exist yet. */
export function needsOf(plan: Plan, namespace = plan.namespace): Need[] {
  return neededAccess(accessInput(plan, namespace, SOME_RUN, NEWEST_MINOR)).map((need) =>
    need.name?.includes(SOME_RUN) ? { ...need, name: undefined } : need,
  );
}
