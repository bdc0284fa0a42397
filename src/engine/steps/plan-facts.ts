/** Small facts that follow from the plan alone. */
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

/** What the plan will do, for the access reviews and the printed Role. */
export function accessInput(plan: Plan, namespace: string) {
  return {
    namespace,
    workloads: plan.phases.flatMap((phase) =>
      phase.services.map((service) => ({
        kind: service.kind,
        name: service.name,
        step: `${phase.id}.${service.batch ? 'batch' : service.name}.migrate`,
      })),
    ),
    pooler: plan.pooler.name,
    userlistSecret: plan.pooler.userlistSecret,
    networkPolicy: plan.pooler.networkPolicy,
    serviceMonitor: plan.pooler.serviceMonitor,
    baseline: plan.baseline.enabled,
  };
}
