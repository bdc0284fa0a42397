/** `manifests --pooler`: the pooler's objects as they were applied, to be kept where the other manifests are. */
import { appliedBy } from '../engine/kube/applied.ts';
import { FIELD_MANAGER } from '../engine/kube/client.ts';
import { type Kind, ref } from '../engine/kube/refs.ts';
import type { Json, Kube, KubeObject } from '../engine/kube/types.ts';
import type { Plan } from '../engine/plan/schema.ts';
import { EXIT, fail, ok, type Result } from '../engine/result.ts';
import type { Invocation } from './command.ts';
import type { manifestsFlags } from './commands/manifests.ts';
import { withKube } from './connection.ts';
import { write } from './io.ts';
import { stringify } from './lazy/yaml.ts';
import { print } from './output.ts';
import { kubeOptions, planOf } from './session.ts';

export async function poolerManifests({
  values,
  io,
  signal,
}: Invocation<typeof manifestsFlags>): Promise<Result<number>> {
  if (values.dir !== undefined || values.write || values.revert || values.service.length > 0) {
    return fail('usage', '--pooler prints objects of the cluster; it goes with no folder, service or way back.');
  }
  const loaded = await planOf(values.plan);
  if (!loaded.ok) return loaded;
  const { plan } = loaded.value;
  if (plan.pooler.manifests !== undefined) {
    return fail('usage', `The plan brings manifests of its own: ${plan.pooler.manifests}.`, {
      next: ['Those are what was applied.'],
    });
  }
  return withKube(kubeOptions(values, plan.namespace), async (kube) => {
    const found = await poolerObjectsOf(kube, plan, signal);
    if (!found.ok) return found;
    const { namespace } = kube.ref;
    if (found.value.length === 0) {
      return fail('not-found', `No pooler ${plan.pooler.name} that pgb-wizard applied is in namespace ${namespace}.`, {
        exitCode: EXIT.usage,
        next: ['`pgb-wizard run --dry-run client` shows the objects that a run would apply.'],
      });
    }
    if (values.output === 'json') await print(io, 'json', { apiVersion: 'v1', kind: 'List', items: found.value });
    else await write(io.stdout, found.value.map((object) => stringify(object)).join('---\n'));
    const secrets = [...new Set(found.value.flatMap(secretsOf))];
    if (secrets.length > 0) {
      await write(
        io.stderr,
        `note: not printed, and needed beside them: ${secrets.map((name) => `Secret ${name}`).join(', ')}\n`,
      );
    }
    return ok(EXIT.done);
  });
}

/**
 * By their names, so that the Role of a run is enough, and in the order in which a run applies them. What is not there, or was
 * never applied by a run, is left out.
 */
async function poolerObjectsOf(kube: Kube, plan: Plan, signal: AbortSignal): Promise<Result<KubeObject[]>> {
  const { name, serviceMonitor } = plan.pooler;
  const applied = async (kind: Kind, called: string): Promise<Result<KubeObject[]>> => {
    const live = await kube.get(ref(kind, kube.ref.namespace, called), { signal });
    if (!live.ok) return live.error.code === 'not-found' ? ok([]) : live;
    const own = appliedBy(live.value, FIELD_MANAGER);
    return ok(own ? [own] : []);
  };
  const deployment = await applied('Deployment', name);
  if (!deployment.ok) return deployment;
  const volumes: Json[] = deployment.value[0]?.spec?.template?.spec?.volumes ?? [];
  const monitoring: [Kind, string][] = [
    ['Service', `${name}-metrics`],
    ['ServiceMonitor', name],
  ];
  const before: [Kind, string][] = [
    ...volumes.filter((one) => one.configMap).map((one): [Kind, string] => ['ConfigMap', one.configMap.name]),
    ['Service', name],
    ['PodDisruptionBudget', name],
    ['NetworkPolicy', name],
    ...(serviceMonitor ? monitoring : []),
  ];
  const found: KubeObject[] = [];
  for (const [kind, called] of before) {
    const one = await applied(kind, called);
    if (!one.ok) return one;
    found.push(...one.value);
  }
  return ok([...found, ...deployment.value]);
}

const secretsOf = (object: KubeObject): string[] => {
  const spec: Json = object.spec?.template?.spec ?? {};
  const volumes: string[] = (spec.volumes ?? []).flatMap((one: Json) => (one.secret ? [one.secret.secretName] : []));
  const variables: string[] = (spec.containers ?? []).flatMap((container: Json) =>
    (container.env ?? []).flatMap((one: Json) =>
      one.valueFrom?.secretKeyRef ? [one.valueFrom.secretKeyRef.name] : [],
    ),
  );
  return [...volumes, ...variables];
};
