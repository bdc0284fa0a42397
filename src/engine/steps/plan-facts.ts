/** Small facts that follow from the plan alone. */
import type { AccessInput } from '../kube/access-needs.ts';
import { KINDS, type Kind } from '../kube/refs.ts';
import { splitServiceHost } from '../kube/target.ts';
import type { KubeObject } from '../kube/types.ts';
import type { Plan, PlanPhase, PlanService } from '../plan/schema.ts';

export const workloadIdOf = (service: Pick<PlanService, 'kind' | 'name'>): string =>
  `${service.kind.toLowerCase()}/${service.name}`;

/**
 * The version the first configuration is written for: the plan's, else the image tag's, else the oldest supported one,
 * whose keys every later version loads. p1.deploy asks the running pooler and renders again when it is newer.
 */
export function assumedPoolerVersion(plan: Plan): string {
  if (plan.pooler.version !== 'auto') return plan.pooler.version;
  const tag = /:v?(1\.\d{2}(?:\.\d+)?)/.exec(plan.pooler.image ?? '')?.[1];
  return tag ?? '1.18.0';
}

/** What the pooler's pods run; the rehearsal's machine runs its own PgBouncer whatever the image is called. */
export const poolerImage = (ctx: { readonly plan: Plan; readonly rehearsal: boolean }): string | undefined =>
  ctx.plan.pooler.image ?? (ctx.rehearsal ? 'pgbouncer:rehearsal' : undefined);

/** What pgbench runs from where nothing better is known: from Docker Hub, which not every cluster reaches. */
export const PGBENCH_IMAGE = 'postgres:16';

export const NO_IMAGE = {
  cause: 'the plan names no image of PgBouncer',
  hint: 'Set pooler.image (and pooler.exporterImage) in the plan, or pooler.manifests to a folder with your own objects; then start again.',
} as const;

/** False when neither the plan nor the image's tag tells the version: it is known when a pooler runs. */
export const isPoolerVersionTold = (plan: Plan): boolean =>
  plan.pooler.version !== 'auto' || /:v?1\.\d{2}/.test(plan.pooler.image ?? '');

/** What is known beside the plan about what a run will touch. */
export interface AccessFacts {
  readonly namespace: string;
  /** Absent: any run. */
  readonly runId?: string;
  readonly serverMinor: number;
  /** Secrets and ConfigMaps that each workload's template refers to, by workload id. */
  readonly references?: ReadonlyMap<
    string,
    readonly { readonly kind: 'Secret' | 'ConfigMap'; readonly name: string }[]
  >;
  /** The operator's own manifests of the pooler, when the plan names a folder. */
  readonly manifests?: readonly KubeObject[];
  /** A Secret that `--password-secret` names. */
  readonly passwordSecret?: string;
  /** Also what `cleanup` removes. */
  readonly cleanup?: boolean;
  /** The cluster says that what could be PostgreSQL's Service in another namespace is none. */
  readonly outside?: boolean;
}

/** What the plan will do, for the access reviews and the printed Role. */
export function accessInput(plan: Plan, facts: AccessFacts): AccessInput {
  const { pooler, postgres } = plan;
  const { namespace, runId, serverMinor, references, passwordSecret } = facts;
  const elsewhere = splitServiceHost(postgres.service);
  const names = (id: string, kind: 'Secret' | 'ConfigMap') =>
    (references?.get(id) ?? []).filter((one) => one.kind === kind).map((one) => one.name);
  return {
    namespace,
    ...(runId === undefined ? {} : { runId }),
    serverMinor,
    workloads: plan.phases.flatMap((phase) =>
      phase.services
        .filter((service) => service.skip === undefined)
        .map((service) => ({
          kind: service.kind,
          name: service.name,
          step: `${phase.id}.${unitOf(phase, service)}.migrate: switch the workload`,
          secrets: names(workloadIdOf(service), 'Secret'),
          configMaps: names(workloadIdOf(service), 'ConfigMap'),
        })),
    ),
    secrets: [
      ...(postgres.adminSecret ? [{ name: postgres.adminSecret.name, step: 'preflight: log in as the admin' }] : []),
      ...(pooler.tls?.server?.ca ? [{ name: pooler.tls.server.ca.name, step: 'preflight: check the authority' }] : []),
      ...(pooler.tls?.client ? [{ name: pooler.tls.client.secret, step: 'preflight: check the certificate' }] : []),
      ...(passwordSecret ? [{ name: passwordSecret, step: 'start: read the passwords' }] : []),
    ],
    userlist: { name: pooler.userlistSecret, step: 'p1.secret: write the userlist' },
    applies: applied(plan, facts),
    jobs: plan.baseline.enabled
      ? [
          { name: 'pgb-wizard-baseline-before', step: 'p1.baseline: measure' },
          { name: 'pgb-wizard-baseline-after', step: 'p5.baseline: measure' },
        ]
      : [],
    ...(pooler.prometheus
      ? {
          prometheus: {
            namespace: pooler.prometheus.namespace,
            service: pooler.prometheus.service,
            step: 'p3: ask Prometheus as a second source',
          },
        }
      : {}),
    ...(elsewhere && elsewhere.namespace !== namespace && !facts.outside ? { postgres: elsewhere } : {}),
    portForwardStep: 'preflight: a session in PostgreSQL, later in every pooler',
    logStep: 'p2: read the logs of the switched pods',
    cleanup: facts.cleanup === true,
  };
}

/** The name of the steps that move a service: its own, or that of its batch (steps/index.ts). */
function unitOf(phase: PlanPhase, service: PlanService): string {
  if (service.batch === undefined) return service.name;
  const batches = new Set(phase.services.map((one) => one.batch).filter((one) => one !== undefined));
  return batches.size > 1 ? `batch-${service.batch}` : 'batch';
}

function applied({ pooler }: Plan, { manifests }: AccessFacts): AccessInput['applies'] {
  const step = 'p1.deploy: deploy PgBouncer';
  if (manifests) {
    return manifests
      .filter((one) => one.kind in KINDS)
      .map((one) => ({ kind: one.kind as Kind, name: String(one.metadata.name), step }));
  }
  const of = (kind: Kind) => ({ kind, name: pooler.name, step });
  return [
    of('Deployment'),
    of('Service'),
    // Its name follows from its content.
    { kind: 'ConfigMap', step },
    of('PodDisruptionBudget'),
    ...(pooler.networkPolicy ? [of('NetworkPolicy')] : []),
    ...(pooler.serviceMonitor
      ? [{ kind: 'Service' as const, name: `${pooler.name}-metrics`, step }, of('ServiceMonitor')]
      : []),
  ];
}
