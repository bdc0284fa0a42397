/** The guide's monitoring checklist in the record: what was answered, and what is still open. */
import { CHECKLIST } from '../plan/checklist.ts';
import type { RunState } from '../run/fold.ts';
import type { ChecklistItem } from '../run/model.ts';

/** Items of all phases that move services, or have a checklist of their own; one without any answer has all eight open. */
export function checklistOf(state: RunState): readonly ChecklistItem[] {
  const checked = state.steps.filter((step) => step.id === `${step.phase}.checklist`);
  const phases = new Set([...state.services, ...checked, ...state.checklist].map(({ phase }) => phase).sort());
  return [...phases].flatMap((phase) => {
    const answered = state.checklist.filter((item) => item.phase === phase);
    if (answered.length > 0) return answered;
    return CHECKLIST.map((item): ChecklistItem => ({ phase, item, verdict: 'todo', observed: '' }));
  });
}
