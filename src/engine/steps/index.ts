/** The rows of the guide, in its order, for a plan. Ids are stable: records and scripts name them. */
import type { Plan, PlanPhase, PlanService } from '../plan/schema.ts';
import type { StepInfo } from '../run/model.ts';
import { baselineStep, responses } from './baseline.ts';
import { checklistStep } from './checklist.ts';
import { decideStep } from './decide.ts';
import { migrateStep } from './migrate.ts';
import { healthStep, observeStep } from './observe.ts';
import { connectivity } from './p1-connectivity.ts';
import { credentials, secret } from './p1-credentials.ts';
import { deploy } from './p1-deploy.ts';
import { prepare } from './p1-prepare.ts';
import { document, post, verifyAll } from './p5.ts';
import { preflight } from './preflight.ts';
import type { Step } from './types.ts';

/** All steps of a plan, in the order in which they run. */
export function stepsOf(plan: Plan): Step[] {
  return [
    preflight,
    credentials,
    secret,
    deploy,
    connectivity,
    prepare,
    responses({
      id: 'p1.responses',
      guide: '5.2',
      title: 'Response times before',
      phase: 'p1',
      kind: 'check',
      why: 'The guide compares response times with a baseline that it never takes. It is taken here, before the first service moves.',
    }),
    ...(plan.baseline.enabled
      ? [
          baselineStep(
            {
              id: 'p1.baseline',
              guide: '5.2',
              title: 'pgbench before',
              phase: 'p1',
              kind: 'change',
              why: 'What the database does directly, as the number to compare with at the end.',
            },
            'before',
          ),
        ]
      : []),
    ...plan.phases.flatMap(phaseSteps),
    ...lastSteps(plan),
  ];
}

/** Units of a phase: a single service, or the services of a batch. */
interface Unit {
  readonly name: string;
  readonly services: readonly PlanService[];
  readonly parallelism: number;
}

function unitsOf(phase: PlanPhase): Unit[] {
  const units: { name: string; services: PlanService[]; parallelism: number }[] = [];
  for (const service of phase.services) {
    const last = units.at(-1);
    if (service.batch !== undefined && last?.services[0]?.batch === service.batch) {
      last.services.push(service);
      continue;
    }
    const batch = phase.batches.find((one) => one.name === service.batch);
    units.push({ name: batch ? 'batch' : service.name, services: [service], parallelism: batch?.parallelism ?? 1 });
  }
  // A second batch in one phase needs a name of its own.
  const batches = units.filter((unit) => unit.name === 'batch');
  if (batches.length > 1) for (const unit of batches) unit.name = `batch-${unit.services[0]!.batch}`;
  return units;
}

const GUIDE_PHASE: Readonly<Record<string, string>> = { p2: '2', p3: '3', p4: '4' };

function phaseSteps(phase: PlanPhase): Step[] {
  const number = GUIDE_PHASE[phase.id] ?? '-';
  const names = phase.services.map((service) => service.name);
  const info = (id: string, more: Omit<StepInfo, 'id' | 'phase'>): StepInfo => ({
    id: `${phase.id}.${id}`,
    phase: phase.id,
    ...more,
  });
  const steps = unitsOf(phase).flatMap((unit, index) => {
    const services = unit.services.map((service) => service.name);
    const own = services.length === 1 ? { service: services[0]! } : {};
    const subject = services.length === 1 ? services[0]! : `${services.length} services`;
    return [
      migrateStep(
        info(`${unit.name}.migrate`, {
          guide: guideOf(phase.id, index, unit, 'migrate'),
          title: `Migrate ${subject}`,
          kind: 'change',
          ...own,
          why: 'Only the entry that holds the address changes, and only in the containers that use it; the rollout and the last direct connection are followed to their end.',
        }),
        services,
        unit.parallelism,
      ),
      observeStep(
        info(`${unit.name}.observe`, {
          guide: guideOf(phase.id, index, unit, 'observe'),
          title: `Watch the pools after ${subject}`,
          kind: 'observe',
          ...own,
        }),
        services,
      ),
      healthStep(
        info(`${unit.name}.health`, {
          guide: guideOf(phase.id, index, unit, 'health'),
          title: `Health of ${subject}`,
          kind: 'check',
          ...own,
        }),
        services,
      ),
    ];
  });
  steps.push(
    checklistStep(info('checklist', { guide: 'checklist', title: 'Monitoring checklist', kind: 'check' }), names),
  );
  if (phase.soak !== undefined) {
    steps.push(
      decideStep(
        info('decide', {
          guide: `${number} decision`,
          title: `Decision after ${phase.soak.replace(/(\d)(?=[a-z])/g, '$1 ')}`,
          kind: 'decide',
        }),
        phase.soak,
        names,
      ),
    );
  }
  return steps;
}

/** The guide's section of a step; where it says "repeat", the section that is repeated. */
function guideOf(phase: string, index: number, unit: Unit, part: 'migrate' | 'observe' | 'health'): string {
  if (phase === 'p2') {
    const section = { migrate: index === 0 ? '2.1' : index === 1 ? '2.4' : '2.5', observe: '2.2', health: '2.3' };
    return section[part];
  }
  if (phase === 'p3') return part === 'migrate' ? (index === 0 ? '3.1' : '3.3') : part === 'observe' ? '3.2' : '2.3';
  if (part === 'observe') return '4.2';
  if (part === 'health') return unit.services[0]?.health.loadBalancer ? '4.4' : '2.3';
  if (unit.services.length > 1) return '4.3';
  return index === 0 ? '4.1' : '4.4';
}

function lastSteps(plan: Plan): Step[] {
  const p5 = (id: string, guide: string, title: string, kind: StepInfo['kind'], why?: string): StepInfo => ({
    id: `p5.${id}`,
    guide,
    title,
    phase: 'p5',
    kind,
    ...(why ? { why } : {}),
  });
  return [
    verifyAll(p5('verify', '5.1', 'Full system verification', 'check')),
    ...(plan.baseline.enabled ? [baselineStep(p5('baseline', '5.2', 'pgbench after', 'change'), 'after')] : []),
    document(
      p5(
        'document',
        '5.3',
        'Documentation',
        'document',
        'The guide saves `describe deployment`, which prints passwords; here the final state goes into the record with credentials masked.',
      ),
    ),
    post({
      id: 'post',
      guide: 'post-migration',
      title: 'After 48 hours',
      phase: 'post',
      kind: 'document',
      why: "The size each application's own pool should come down to, from the connections the run saw it use.",
    }),
  ];
}
