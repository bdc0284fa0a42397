/** `init`: a plan from what the cluster has. */
import { existsSync, writeFileSync } from 'node:fs';
import { connectKube } from '../engine/kube/connect.ts';
import { discoverConsumers } from '../engine/kube/discover.ts';
import { discoveryTarget } from '../engine/kube/target.ts';
import type { Workload } from '../engine/kube/workload-types.ts';
import { hashOf } from '../engine/plan/canonical.ts';
import { parsePlan } from '../engine/plan/parse.ts';
import { isDatabaseName, type PlanInput } from '../engine/plan/schema.ts';
import { fail, ok, type Result } from '../engine/result.ts';
import { realClock } from '../engine/run/clock.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { lookAtClients, unexplainedClients } from '../engine/steps/live-clients.ts';
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
const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Rollout'] as const;
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
    const found = await discoverConsumers(kube.value, {
      namespace,
      target: discoveryTarget(target.service, target.port),
      signal,
    });
    if (!found.ok) return found;
    for (const one of found.value.unexplained) await write(io.stderr, `note: ${one.workload}: ${one.reason}\n`);
    const images = { image: values.poolerImage, exporterImage: values.exporterImage };
    const { unnamed, ...login } = loginOf(found.value.workloads);
    for (const name of unnamed)
      await write(
        io.stderr,
        `note: '${name}' is not in the plan: no plan can hold it as the name of a role or database\n`,
      );
    const facts = { namespace, env: values.env, ...images, ...target, ...login };
    const { movable, left } = plannable(found.value.workloads);
    for (const { id, reason } of left) await write(io.stderr, `note: ${id} is not in the plan: ${reason}\n`);
    const first = planFrom(movable, facts);
    if (!first.ok) return first;
    const read = parsePlan(planFileText(first.value), to);
    if (!read.ok) return read;
    // How many connections each holds now tells more about its weight than its replicas do.
    const seen = await lookAtClients({
      kube: kube.value,
      plan: read.value,
      discovery: found.value,
      clock: realClock(),
      signal,
    });
    if (!seen.ok) await write(io.stderr, `note: connections were not counted: ${seen.error.message}\n`);
    else if (seen.value.without !== undefined)
      await write(io.stderr, `note: connections of other roles were not counted: ${seen.value.without}\n`);
    for (const text of seen.ok ? unexplainedClients(seen.value, 'pgbouncer') : [])
      await write(io.stderr, `note: connected, and nothing here explains it: ${text}\n`);
    const counts = new Map(
      seen.ok ? [...seen.value.byWorkload].map(([id, { connections }]) => [id, connections] as const) : [],
    );
    const plan = planFrom(movable, { ...facts, ...(seen.ok ? { connections: counts } : {}) });
    if (!plan.ok) return plan;
    const text = planFileText(plan.value);
    const written = parsePlan(text, to);
    if (!written.ok) return written;
    const hash = hashOf(written.value);
    if (isMachine(values.output)) {
      const more = {
        file: to === '-' ? undefined : to,
        hash,
        services: movable.length,
        plan: plan.value,
      };
      await print(io, values.output, { ...envelope(command, 'done', 0), ...more });
    }
    if (to === '-') {
      if (!isMachine(values.output)) await write(io.stdout, text);
      return ok(0);
    }
    writeFileSync(to, text);
    await write(
      io.stderr,
      `${to}: ${movable.length} services; look it over${plan.value.pooler?.image ? '' : ', name the image of PgBouncer in it (pooler.image)'}, then \`pgb-wizard run --plan ${to}\`\n`,
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
  readonly image?: string;
  readonly exporterImage?: string;
  /** Who most of the services log in as, and where. */
  readonly role?: string;
  readonly database?: string;
  readonly also?: readonly Login[];
  /** Connections that each holds now, by workload id. */
  readonly connections?: ReadonlyMap<string, number>;
}

interface Login {
  readonly role: string;
  readonly database?: string;
}

/**
 * The role and the database that most services use, and whatever others use beside them. `unnamed`: of names that no plan can
 * hold, each as it can be shown.
 */
export function loginOf(workloads: readonly Pick<Workload, 'consumers'>[]): {
  role?: string;
  database?: string;
  also?: Login[];
  unnamed: string[];
} {
  const consumers = workloads.flatMap((one) => one.consumers).filter((one) => one.defaultIncluded);
  // What is put together of variables is not known before a pod runs.
  const known = (value: string | undefined): value is string =>
    value !== undefined && value !== '' && !value.includes('$(');
  const told = (value: string | undefined): value is string => known(value) && isDatabaseName(value);
  const most = (values: readonly (string | undefined)[]): string | undefined => {
    const counts = new Map<string, number>();
    for (const value of values) if (told(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
    return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0]?.[0];
  };
  const role = most(consumers.map((one) => one.user));
  const database = most(consumers.filter((one) => role === undefined || one.user === role).map((one) => one.database));
  const others = new Map<string, Login>();
  const unnamed = new Set<string>();
  for (const one of consumers) {
    for (const name of [one.user, one.database]) if (known(name) && !told(name)) unnamed.add(sanitiseLine(name, 80));
    if (role === undefined || !told(one.user)) continue;
    const own = told(one.database) && one.database !== database ? one.database : undefined;
    if (one.user === role && own === undefined) continue;
    others.set(`${one.user}\0${own ?? ''}`, { role: one.user, ...(own ? { database: own } : {}) });
  }
  const also = [...others.values()].sort((a, b) => (`${a.role} ${a.database}` < `${b.role} ${b.database}` ? -1 : 1));
  return {
    ...(role ? { role } : {}),
    ...(database ? { database } : {}),
    ...(also.length > 0 ? { also } : {}),
    unnamed: [...unnamed],
  };
}

/** From the share of all connections that a service holds: what the record says about its weight. */
function trafficOf(count: number, all: number): 'lowest' | 'low' | 'medium' | 'high' | 'highest' {
  const share = all === 0 ? 0 : count / all;
  return share === 0 ? 'lowest' : share < 0.05 ? 'low' : share < 0.15 ? 'medium' : share < 0.35 ? 'high' : 'highest';
}

type Named = Pick<Workload, 'id' | 'ref' | 'replicas'> & { readonly consumers?: Workload['consumers'] };

/** Those that a plan can name, and why it can't the others: a service is known by its name alone. */
export function plannable<T extends Named>(
  workloads: readonly T[],
): { readonly movable: T[]; readonly left: { readonly id: string; readonly reason: string }[] } {
  const movable = new Map<string, T>();
  const left: { id: string; reason: string }[] = [];
  for (const one of workloads) {
    const { kind, name } = one.ref;
    const same = movable.get(name);
    if (name === 'pgbouncer') left.push({ id: one.id, reason: 'it is the pooler' });
    else if (one.consumers?.every(({ defaultIncluded }) => !defaultIncluded))
      left.push({ id: one.id, reason: one.consumers[0]?.note ?? 'all of it stays direct' });
    else if (!KINDS.includes(kind as Kind)) left.push({ id: one.id, reason: `no plan moves a ${kind}` });
    else if (same) left.push({ id: one.id, reason: `${same.id} has the same name; write a plan of its own for it` });
    else movable.set(name, one);
  }
  return { movable: [...movable.values()], left };
}

/** Few connections and few replicas first, then by name; gateways, through which everything goes, last of all. */
export function planFrom(movable: readonly Named[], facts: PlanFacts): Result<PlanInput> {
  const live = (one: { readonly id: string }) => facts.connections?.get(one.id) ?? 0;
  const all = movable.reduce((sum, one) => sum + live(one), 0);
  if (movable.length === 0) {
    return fail('not-eligible', `No workload in ${facts.namespace} reaches ${facts.service}:${facts.port} directly.`, {
      next: ['Name the Service of PostgreSQL with --postgres SERVICE:PORT, and the namespace with -n.'],
    });
  }
  const isGateway = (name: string) => Number(/(^|-)(gateway|graphql|ingress|bff)(-|$)/.test(name));
  const sorted = [...movable].sort(
    (a, b) =>
      isGateway(a.ref.name) - isGateway(b.ref.name) ||
      live(a) - live(b) ||
      a.replicas - b.replicas ||
      (a.ref.name < b.ref.name ? -1 : 1),
  );
  const service = (one: (typeof movable)[number]) => ({
    name: one.ref.name,
    ...(one.ref.kind === 'Deployment' ? {} : { kind: one.ref.kind as Kind }),
    replicas: one.replicas,
    ...(facts.connections ? { traffic: trafficOf(live(one), all) } : {}),
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
    postgres: {
      service: facts.service,
      port: facts.port,
      ...(facts.database ? { database: facts.database } : {}),
      ...(facts.role ? { role: facts.role } : {}),
      ...(facts.also ? { also: [...facts.also] } : {}),
    },
    ...(facts.env ? { env: facts.env } : {}),
    ...(facts.image || facts.exporterImage
      ? {
          pooler: {
            ...(facts.image ? { image: facts.image } : {}),
            ...(facts.exporterImage ? { exporterImage: facts.exporterImage } : {}),
          },
        }
      : {}),
    phases,
  });
}

function planFileText(plan: PlanInput): string {
  const head = [
    '# Written by `pgb-wizard init`. Every other field has a default: `pgb-wizard plan -o yaml` shows them all.',
    '# Check it with `pgb-wizard config validate`; `pgb-wizard config schema` prints the schema for an editor.',
    // The one answer that can't be read off the cluster.
    ...(plan.pooler?.image
      ? []
      : [
          '#',
          '# Still needed before a run: the image that the pooler pods run (PgBouncer 1.18 or later), or your own manifests.',
          '# pooler:',
          '#   image: registry.example/pgbouncer:1.24.1',
          '#   exporterImage: registry.example/pgbouncer-exporter:0.10.2',
        ]),
  ];
  return `${head.join('\n')}\n${stringify(plan)}`;
}
