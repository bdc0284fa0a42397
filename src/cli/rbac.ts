/** `rbac`: the permissions of a plan as a Role, and a RoleBinding for whoever is named. */
import { neededAccess } from '../engine/kube/access-needs.ts';
import { renderRbac } from '../engine/kube/access-roles.ts';
import { splitServiceHost } from '../engine/kube/target.ts';
import type { Plan } from '../engine/plan/schema.ts';
import { ok, type Result } from '../engine/result.ts';
import type { KubeOptions } from '../engine/run/options.ts';
import { manifestsOf } from '../engine/steps/permissions.ts';
import { type AccessFacts, accessInput, workloadIdOf } from '../engine/steps/plan-facts.ts';
import type { Invocation } from './command.ts';
import type { rbacFlags } from './commands/rbac.ts';
import { withKube } from './connection.ts';
import { write } from './io.ts';
import { stringify } from './lazy/yaml.ts';
import { print } from './output.ts';
import { kubeOptions, planOf } from './session.ts';

/** Newer servers ask for more verbs; a Role may hold them early. */
const NEWEST_MINOR = 99;

export async function rbac({ values, io, signal }: Invocation<typeof rbacFlags>): Promise<Result<number>> {
  const loaded = await planOf(values.plan);
  if (!loaded.ok) return loaded;
  const { plan } = loaded.value;
  const namespace = values.namespace ?? plan.namespace;
  const known =
    values.runId === undefined ? ok({}) : await askCluster(plan, kubeOptions(values, plan.namespace), signal);
  if (!known.ok) return known;
  const needs = neededAccess(
    accessInput(plan, {
      namespace,
      serverMinor: NEWEST_MINOR,
      cleanup: true,
      ...(values.runId === undefined ? {} : { runId: values.runId }),
      ...known.value,
      ...(values.passwordSecret === undefined ? {} : { passwordSecret: values.passwordSecret }),
      ...(await manifestsOf(plan, namespace)),
    }),
  );
  const objects = renderRbac(needs, values.user === undefined ? {} : { user: values.user });
  if (values.output === 'json') await print(io, 'json', { apiVersion: 'v1', kind: 'List', items: objects });
  else await write(io.stdout, objects.map((object) => stringify(object)).join('---\n'));
  if (values.user === undefined) await write(io.stderr, 'note: no RoleBinding without --user NAME\n');
  if (values.runId !== undefined)
    await write(io.stderr, `note: for one run; start it with \`pgb-wizard run --run-id ${values.runId}\`\n`);
  const elsewhere = splitServiceHost(plan.postgres.service);
  if (elsewhere && !elsewhere.certain && objects.some((one) => one.metadata.namespace === elsewhere.namespace))
    await write(
      io.stderr,
      `note: ${plan.postgres.service} is taken for a Service of the namespace ${elsewhere.namespace}; if it is a host, leave the Role of that namespace out\n`,
    );
  return ok(0);
}

/** The Secrets and ConfigMaps that the workloads of the plan refer to (not their contents), and what PostgreSQL is. */
async function askCluster(
  plan: Plan,
  kube: KubeOptions,
  signal: AbortSignal,
): Promise<Result<Pick<AccessFacts, 'references' | 'outside'>>> {
  const { ref } = await import('../engine/kube/refs.ts');
  const { referencesOf } = await import('../engine/kube/sources.ts');
  const { isOutside } = await import('../engine/steps/upstream.ts');
  return withKube({ ...kube, signal }, async (connected) => {
    const references = new Map<string, ReturnType<typeof referencesOf>>();
    for (const service of plan.phases.flatMap((phase) => phase.services)) {
      const where = ref(service.kind, connected.ref.namespace, service.name);
      const live = await connected.get(where, { signal });
      if (live.ok) references.set(workloadIdOf(service), referencesOf(live.value));
      else if (live.error.code !== 'not-found') return live;
    }
    const { service } = plan.postgres;
    return ok({ references, outside: await isOutside({ kube: connected, service, signal }) });
  });
}
