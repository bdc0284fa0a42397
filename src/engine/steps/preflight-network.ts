/**
 * The preflight's look at NetworkPolicies: a fleet whose services may reach PostgreSQL and nothing else is cut off by its
 * switch, and nothing else here would see it before the first new pod fails.
 */
import { templateOf } from '../kube/fingerprint.ts';
import { type Passage, type PodPort, type PodSet, passage } from '../kube/network-policies.ts';
import { listOf } from '../kube/refs.ts';
import { portInPod, portsOf, targetPortOf } from '../kube/service-ports.ts';
import type { Discovery } from '../kube/workload-types.ts';
import { poolerLabels } from '../pgbouncer/manifests.ts';
import { sanitiseLine } from '../sanitise.ts';
import { ownManifests } from './own-manifests.ts';
import { workloadIdOf } from './plan-facts.ts';
import type { StepContext } from './types.ts';

const CHECK = 'network policies';

/** Evidence, and no failure: whether the cluster's network enforces a policy can't be seen, so a human decides. */
export async function networkPolicies(ctx: StepContext, found: Discovery): Promise<void> {
  const { namespace } = ctx.fleet;
  const listed = await ctx.kube.list(listOf('NetworkPolicy', namespace), { signal: ctx.signal });
  if (!listed.ok) {
    ctx.message('warn', `network policies were not looked at: ${listed.error.message}`);
    return;
  }
  const policies = listed.value.items;
  const pooler = await poolerPods(ctx);
  if (policies.length === 0 || pooler === undefined) return;
  const planned = new Set(ctx.fleet.services().map(workloadIdOf));
  const shut = new Map<string, string[]>();
  const unsure: string[] = [];
  for (const { ref, object } of found.workloads.filter((one) => planned.has(one.id))) {
    const template = templateOf(object);
    // Pods on the network of their node are not what policies are about.
    if (template?.spec?.hostNetwork === true) continue;
    const pods: PodSet = { namespace, labels: template?.metadata?.labels ?? {} };
    const ways = [
      ['out', passage(policies, 'Egress', pods, pooler.pods, pooler.port)],
      // The wizard's own policy lets the whole namespace in.
      ...(pooler.open ? [] : [['in', passage(policies, 'Ingress', pooler.pods, pods, pooler.port)] as const]),
    ] as const;
    for (const [way, { allowed, policies: names }] of ways as readonly (readonly ['in' | 'out', Passage])[]) {
      const by = names.map((name) => sanitiseLine(name, 80)).join(', ');
      const key = way === 'out' ? `not let out by ${by}` : `not let in by ${by}`;
      if (allowed === 'no') shut.set(key, [...(shut.get(key) ?? []), ref.name]);
      else if (allowed === 'unknown' && !unsure.includes(ref.name)) unsure.push(ref.name);
    }
  }
  const { port } = pooler.port;
  const said = [
    ...[...shut].map(([how, names]) => `${names.join(', ')}: ${how}`),
    // Such a rule may let them through: nobody knows yet which addresses the poolers will have, or which labels count.
    ...(unsure.length > 0
      ? [`${unsure.join(', ')}: let through at most by rules on addresses or on labels of namespaces`]
      : []),
  ];
  ctx.evidence({
    check: CHECK,
    verdict: said.length === 0 ? 'pass' : 'inconclusive',
    observed:
      said.length === 0
        ? `none of ${policies.length} keeps a service from the poolers`
        : `${said.join('; ')}. Add a rule for pods ${labelsText(pooler.pods.labels)} on TCP ${port}, or waive this where the cluster's network enforces no policies`,
    expected: `every service of the plan may reach the poolers on TCP ${port}`,
    data: { shut: Object.fromEntries(shut), unsure },
  });
}

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${sanitiseLine(value, 80)}`)
    .join(',');

interface PoolerPods {
  readonly pods: PodSet;
  readonly port: PodPort;
  /** A policy of the wizard's own lets the services in. */
  readonly open: boolean;
}

/** As the run will make them; undefined when the operator's own manifests have none (said elsewhere). */
async function poolerPods(ctx: StepContext): Promise<PoolerPods | undefined> {
  const { namespace } = ctx.fleet;
  const { name, port, networkPolicy } = ctx.plan.pooler;
  const own = await ownManifests(ctx);
  if (!own.ok) return undefined;
  if (own.value === undefined) {
    return {
      pods: { namespace, labels: { ...ctx.plan.pooler.labels, ...poolerLabels(name) } },
      port: { port, names: ['pgbouncer'] },
      open: networkPolicy,
    };
  }
  const workload = own.value.pooler?.workload;
  const object = own.value.objects.find((one) => one.kind === workload?.kind && one.metadata.name === workload?.name);
  if (!object) return undefined;
  const service = own.value.objects.find((one) => one.kind === 'Service' && one.metadata.name === name);
  const template = object.spec?.template ?? {};
  const number = portInPod(template, targetPortOf(service, port) ?? port) ?? port;
  const names = portsOf(template).flatMap((one) => (one.containerPort === number && one.name ? [one.name] : []));
  return {
    pods: { namespace, labels: template.metadata?.labels ?? {} },
    port: { port: number, names },
    open: false,
  };
}
