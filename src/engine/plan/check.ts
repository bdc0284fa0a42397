/** Is the plan about this cluster? Names of its services against the workloads that are there. */
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Plan } from './schema.ts';
import { didYouMean } from './suggest.ts';

/**
 * Checks every service of the plan against the names of the workloads in the namespace. Error: `plan-invalid`, naming
 * each missing service and the workload that was probably meant. Nothing has been changed at that time.
 */
export function checkPlanAgainst(plan: Plan, workloadNames: Iterable<string>): Result<void> {
  const there = new Set(workloadNames);
  const planned = plan.phases.flatMap((phase) =>
    phase.services.map((service) => ({ phase: phase.id, name: service.name })),
  );
  const taken = new Set(planned.map((service) => service.name));
  // A workload that the plan names elsewhere is not what was meant here.
  const free = [...there].filter((name) => !taken.has(name));
  const problems = planned
    .filter((service) => !there.has(service.name))
    .map(({ phase, name }) => {
      const guess = didYouMean(name, free);
      return `${name} (phase ${phase}) is not in namespace ${plan.namespace}${guess ? `, did you mean ${sanitiseLine(guess, 80)}?` : ''}`;
    });
  if (problems.length === 0) return ok(undefined);
  const seen = [...there]
    .sort()
    .slice(0, 20)
    .map((name) => sanitiseLine(name, 80));
  return fail(
    'plan-invalid',
    `${problems.slice(0, 10).join('; ')}${problems.length > 10 ? `; and ${problems.length - 10} more` : ''}`,
    {
      cause: seen.length === 0 ? `namespace ${plan.namespace} has no workloads` : undefined,
      next: [
        ...(seen.length > 0
          ? [`Workloads that are there: ${seen.join(', ')}${there.size > seen.length ? ', …' : ''}`]
          : []),
        'Correct the plan, or write one from the cluster with: pgb-wizard init',
      ],
      details: { namespace: plan.namespace, missing: problems.length },
    },
  );
}
