/** Small facts that follow from the plan alone. */
import type { AccessInput } from '../kube/access.ts';
import type { Plan, PlanService } from '../plan/schema.ts';

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

export const NO_IMAGE = {
  cause: 'the plan names no image of PgBouncer',
  hint: 'Set pooler.image (and pooler.exporterImage) in the plan, or pooler.manifests to a folder with your own objects; then start again.',
} as const;

/** False when neither the plan nor the image's tag tells the version: it is known when a pooler runs. */
export const isPoolerVersionTold = (plan: Plan): boolean =>
  plan.pooler.version !== 'auto' || /:v?1\.\d{2}/.test(plan.pooler.image ?? '');

/** What the plan will do, for the access reviews and the printed Role. */
export function accessInput(plan: Plan, namespace: string, runId: string, serverMinor: number): AccessInput {
  const { pooler } = plan;
  const deploy = 'p1.deploy: deploy PgBouncer';
  return {
    namespace,
    runId,
    serverMinor,
    workloads: plan.phases.flatMap((phase) =>
      phase.services.map((service) => ({
        kind: service.kind,
        name: service.name,
        step: `${phase.id}.${service.batch ? 'batch' : service.name}.migrate: switch the workload`,
      })),
    ),
    applies: [
      { kind: 'Secret', name: pooler.userlistSecret, step: 'p1.secret: write the userlist' },
      { kind: 'Deployment', name: pooler.name, step: deploy },
      { kind: 'Service', name: pooler.name, step: deploy },
      { kind: 'PodDisruptionBudget', name: pooler.name, step: deploy },
      ...(pooler.networkPolicy ? [{ kind: 'NetworkPolicy' as const, name: pooler.name, step: deploy }] : []),
      ...(pooler.serviceMonitor ? [{ kind: 'ServiceMonitor' as const, name: pooler.name, step: deploy }] : []),
      ...(plan.baseline.enabled
        ? [{ kind: 'Job' as const, name: `pgb-wizard-baseline-before-${runId}`, step: 'p1.baseline: measure' }]
        : []),
    ],
    portForwardStep: 'p1.connectivity: ask every pooler pod',
    logStep: 'p2: read the logs of the switched pods',
  };
}
