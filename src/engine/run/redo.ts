/** What a resume does anew although it has passed once. */
import type { RunState } from './fold.ts';

/**
 * Ids of steps that passed for services that are not on the pooler any more: due again after a resume, and with them what the
 * phase says of all its services (checklist, decision). A service none of whose own steps passed was left out by
 * somebody with a reason: nothing of it is due, and no decision of its phase is asked for twice because of it.
 */
export function stepsToRedo(state: Pick<RunState, 'services' | 'steps'>, planned: readonly string[]): Set<string> {
  const steps = planned.flatMap((id) => state.steps.find((view) => view.id === id) ?? []);
  const own = (service: string) => steps.filter((step) => step.service === service);
  const due = state.services.filter(
    (service) =>
      (service.state === 'rolled-back' || service.state === 'direct') &&
      // Of a batch no step names its services.
      (own(service.name).length === 0 || own(service.name).some((step) => step.state === 'pass')),
  );
  const names = new Set(due.map((service) => service.name));
  const phases = new Set(due.map((service) => service.phase));
  // What nobody could measure and somebody accepted was done all the same, and has been undone since.
  const isDone = ({ state: is, service }: (typeof steps)[number]) =>
    is === 'pass' || (is === 'waived' && service !== undefined);
  return new Set(
    steps
      .filter((step) => isDone(step) && phases.has(step.phase))
      .filter((step) => step.service === undefined || names.has(step.service))
      .map((step) => step.id),
  );
}
