/** What was going to be done, how it is tested and how it is undone: the three plans every change form asks for. */
import { durationMs } from '../plan/duration.ts';
import { type Plan, planSchema } from '../plan/schema.ts';
import type { RunState } from '../run/fold.ts';
import type { StepView } from '../run/model.ts';
import type { PlannedStep } from './types.ts';

const minutes = (duration: string) => Math.round((durationMs(duration) / 60_000) * 10) / 10;

/** The plan in the journal, when this version understands it; the record is written either way. */
export function planOf(state: RunState): Plan | undefined {
  const parsed = planSchema.safeParse(state.plan);
  return parsed.success ? parsed.data : undefined;
}

/** The longest the plan allows: rollouts one after the other within a batch's parallelism, observation, soaks. */
export function plannedMinutes(plan: Plan): number {
  let total = 0;
  for (const phase of plan.phases) {
    if (phase.soak !== undefined) total += minutes(phase.soak);
    const batches = new Map<string, number[]>();
    for (const service of phase.services) {
      if (service.batch === undefined) total += minutes(service.rolloutTimeout) + minutes(plan.observe.for);
      else batches.set(service.batch, [...(batches.get(service.batch) ?? []), minutes(service.rolloutTimeout)]);
    }
    for (const [name, limits] of batches) {
      const parallelism = phase.batches.find((batch) => batch.name === name)?.parallelism ?? 1;
      total += Math.ceil(limits.length / parallelism) * Math.max(...limits) + minutes(plan.observe.for);
    }
  }
  return Math.round(total);
}

const isTest = (step: StepView) => step.kind === 'check' || step.kind === 'observe';
const isBack = (step: StepView) => step.phase === 'rollback';

function stepMinutes(step: StepView, plan: Plan | undefined): number | undefined {
  if (!plan) return undefined;
  const phase = plan.phases.find((candidate) => candidate.id === step.phase);
  if (step.kind === 'decide') return phase?.soak === undefined ? undefined : minutes(phase.soak);
  if (step.kind === 'observe') return minutes(plan.observe.for);
  if (step.kind !== 'change') return undefined;
  const service = phase?.services.find((candidate) => candidate.name === step.service);
  return service ? minutes(service.rolloutTimeout) : undefined;
}

function planned(step: StepView, who: string, plan: Plan | undefined): PlannedStep {
  return { step: step.id, guide: step.guide, what: step.title, who, minutes: stepMinutes(step, plan) };
}

export function implementationPlan(state: RunState): readonly PlannedStep[] {
  const plan = planOf(state);
  return state.steps
    .filter((step) => !isTest(step) && !isBack(step))
    .map((step) => planned(step, state.startedBy, plan));
}

export function testPlan(state: RunState): readonly PlannedStep[] {
  const plan = planOf(state);
  return state.steps
    .filter((step) => isTest(step) && !isBack(step))
    .map((step) => planned(step, state.startedBy, plan));
}

/** Every service, in the opposite order; each is one change and can be undone alone. */
export function backoutPlan(state: RunState): readonly PlannedStep[] {
  const plan = planOf(state);
  const limits = new Map(
    plan?.phases.flatMap((phase) => phase.services.map((service) => [service.name, service.rolloutTimeout] as const)),
  );
  return state.services.toReversed().map((service) => {
    const limit = limits.get(service.name);
    return {
      step: `rollback.${service.name}`,
      guide: 'rollback',
      what: `put the original address back into ${service.workload} and wait for the rollout`,
      who: state.startedBy,
      minutes: limit === undefined ? undefined : minutes(limit),
      restored:
        'the entries with the address equal the original byte for byte, the original ReplicaSet is active again, ' +
        'all pods are Ready, and the service holds direct connections to PostgreSQL only',
    };
  });
}
