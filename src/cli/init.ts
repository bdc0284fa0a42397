/** `init`: a plan from what the cluster has. */
import { existsSync, writeFileSync } from 'node:fs';
import { connectKube } from '../engine/kube/connect.ts';
import { discoverConsumers } from '../engine/kube/discover.ts';
import type { Workload } from '../engine/kube/workload-types.ts';
import { loadedPlan } from '../engine/plan/load.ts';
import type { PlanInput } from '../engine/plan/schema.ts';
import { fail, ok, type Result } from '../engine/result.ts';
import { realClock } from '../engine/run/clock.ts';
import type { Invocation } from './command.ts';
import type { initFlags } from './commands/init.ts';
import { write } from './io.ts';
import { stringify } from './lazy/yaml.ts';
import { envelope, isMachine, print } from './output.ts';
import { kubeOptions, PLAN_FILE } from './session.ts';
import { version } from './version.ts';

const DEFAULT_POSTGRES = { service: 'postgres', port: 5432 };
/** Pilot and core are small on purpose: what goes wrong should go wrong there. */
const PILOTS = 3;
const CORE = 4;
const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob'] as const;
type Kind = (typeof KINDS)[number];

export async function init({ values, io, signal, command }: Invocation<typeof initFlags>): Promise<Result<number>> {
  const to = values.to ?? PLAN_FILE;
  if (to !== '-' && existsSync(to) && !values.force) {
    return fail('usage', `${to} is already there.`, {
      next: ['Choose another file with --to, or replace it with --force.'],
    });
  }
  const kube = await connectKube({ ...kubeOptions(values), clock: realClock(), toolVersion: version, signal });
  if (!kube.ok) return kube;
  try {
    const { namespace } = kube.value.ref;
    const target = values.postgres ?? DEFAULT_POSTGRES;
    const found = await discoverConsumers(kube.value, { namespace, target, signal });
    if (!found.ok) return found;
    for (const one of found.value.unexplained) await write(io.stderr, `note: ${one.workload}: ${one.reason}\n`);
    const plan = planFrom(found.value.workloads, { namespace, env: values.env, ...target });
    if (!plan.ok) return plan;
    const { hash } = loadedPlan(plan.value, to);
    const text = planFileText(plan.value);
    if (isMachine(values.output)) {
      const facts = {
        file: to === '-' ? undefined : to,
        hash,
        services: found.value.workloads.length,
        plan: plan.value,
      };
      await print(io, values.output, { ...envelope(command, 'done', 0), ...facts });
    }
    if (to === '-') {
      if (!isMachine(values.output)) await write(io.stdout, text);
      return ok(0);
    }
    writeFileSync(to, text);
    await write(
      io.stderr,
      `${to}: ${found.value.workloads.length} services; look it over, then \`pgb-wizard run --plan ${to}\`\n`,
    );
    return ok(0);
  } finally {
    kube.value.close();
  }
}

export interface PlanFacts {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  readonly env?: string;
}

/** Few replicas first, then by name; gateways, through which everything goes, last of all. */
export function planFrom(
  workloads: readonly Pick<Workload, 'ref' | 'replicas'>[],
  facts: PlanFacts,
): Result<PlanInput> {
  const movable = workloads.filter((one) => KINDS.includes(one.ref.kind as Kind));
  if (movable.length === 0) {
    return fail('not-eligible', `No workload in ${facts.namespace} reaches ${facts.service}:${facts.port} directly.`, {
      next: ['Name the Service of PostgreSQL with --postgres SERVICE:PORT, and the namespace with -n.'],
    });
  }
  const isGateway = (name: string) => Number(/(^|-)(gateway|graphql|ingress|bff)(-|$)/.test(name));
  const sorted = [...movable].sort(
    (a, b) =>
      isGateway(a.ref.name) - isGateway(b.ref.name) || a.replicas - b.replicas || (a.ref.name < b.ref.name ? -1 : 1),
  );
  const service = ({ ref, replicas }: (typeof movable)[number]) => ({
    name: ref.name,
    ...(ref.kind === 'Deployment' ? {} : { kind: ref.kind as Kind }),
    replicas,
  });
  const phases = [
    { id: 'p2', title: 'Pilot services', soak: '30m', services: sorted.slice(0, PILOTS).map(service) },
    { id: 'p3', title: 'Core services', soak: '4h', services: sorted.slice(PILOTS, PILOTS + CORE).map(service) },
    { id: 'p4', title: 'Critical services', services: sorted.slice(PILOTS + CORE).map(service) },
  ].filter((phase) => phase.services.length > 0);
  return ok({
    apiVersion: 'pgb-wizard/v1',
    kind: 'MigrationPlan',
    name: facts.namespace,
    namespace: facts.namespace,
    postgres: { service: facts.service, port: facts.port },
    ...(facts.env ? { env: facts.env } : {}),
    phases,
  });
}

function planFileText(plan: PlanInput): string {
  const head = [
    '# yaml-language-server: $schema=./schema/plan.schema.json',
    '# Written by `pgb-wizard init`. Every other field has a default: `pgb-wizard plan -o yaml` shows them all.',
    '# Check it with `pgb-wizard config validate`.',
  ];
  return `${head.join('\n')}\n${stringify(plan)}`;
}
