/** How the change ended, in the words of change management, and what remains for later. */
import type { RunState } from '../run/fold.ts';
import type { ChangeRecord } from './types.ts';

const HOURS_48 = 48 * 3_600_000;

export function closing(state: RunState): ChangeRecord['close'] {
  const count = (name: string) => state.services.filter((service) => service.state === name).length;
  const [pooled, back, all] = [count('pooled'), count('rolled-back'), state.services.length];
  const where = `${pooled} of ${all} services reach PostgreSQL through PgBouncer, ${back} rolled back, ${all - pooled - back} not completed.`;
  const issues = state.steps.filter(
    (step) => step.state === 'waived' || step.state === 'inconclusive' || step.state === 'fail',
  );
  const some = (items: readonly unknown[], one: string, many: string) =>
    items.length === 0 ? '' : items.length === 1 ? one : many.replace('#', String(items.length));
  const extra = [
    some(
      issues,
      'One check failed, was waived or could not be measured.',
      '# checks failed, were waived or could not be measured.',
    ),
    some(state.rollbacks, 'One rollback.', '# rollbacks.'),
    some(state.resumes, 'Resumed once.', 'Resumed # times.'),
    some(state.openCalls, 'The outcome of one call is not known.', 'The outcome of # calls is not known.'),
    state.cause ? `Cause: ${state.cause}` : '',
  ];
  const notes = [where, ...extra].filter(Boolean).join(' ');
  if (state.status !== 'ended') return { code: 'open', notes };
  if (state.outcome === 'done') {
    const clean = issues.length === 0 && state.rollbacks.length === 0 && pooled === all && state.openCalls.length === 0;
    return { code: clean ? 'successful' : 'successful with issues', notes };
  }
  return { code: state.outcome === 'rolled-back' ? 'backed out' : 'unsuccessful', notes };
}

/** The guide's post-migration work, 48 hours after the end; nothing to do after a full rollback. */
export function followUp(state: RunState): ChangeRecord['followUp'] {
  if (state.outcome === 'rolled-back') {
    return { tasks: ['Find the cause with the evidence in this record, then plan the change again.'] };
  }
  return {
    dueAt: state.endedAt ? new Date(Date.parse(state.endedAt) + HOURS_48).toISOString() : undefined,
    tasks: [
      'Bring the pool size of each application down to what it needs behind PgBouncer (guide: 16 to 4-8).',
      'Check the headroom of PostgreSQL and scale it down if that was planned.',
      `Remove the run's copy of the originals from the cluster when no rollback is needed any more (run ${state.runId}).`,
    ],
  };
}
