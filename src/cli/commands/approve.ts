import { choice, command, parsed, text } from '../command.ts';
import { outputFlag, runIdFlag } from '../flags.ts';
import { parseDuration } from '../values.ts';

/** Every answer there is; which of them fit depends on the open question. */
export const ANSWERS = [
  'approve',
  'continue',
  'skip',
  'extend',
  'hold',
  'rollback',
  'retry',
  'waive',
  'rollback-service',
  'rollback-phase',
  'rollback-all',
  'cancel',
  'leave',
] as const;

export const approveFlags = {
  ...runIdFlag,
  answer: choice(ANSWERS, 'The answer to the open question', { initially: 'approve or continue' }),
  reason: text('TEXT', 'Why, for the record'),
  extend: parsed('DURATION', 'With --answer extend: how much longer to watch', parseDuration),
  confirm: text('CONTEXT/NAMESPACE', 'The typed name that a destructive change asks for'),
  ...outputFlag,
};

export const approveCommand = command({
  name: 'approve',
  summary: 'Answer the open question of a live run from another terminal',
  description:
    'See the question with `pgb-wizard status`. Without --answer a preview is approved or a decision continued.',
  flags: approveFlags,
  examples: [
    ["pgb-wizard approve --reason 'graphs are quiet'", 'Yes to the change or the decision that waits.'],
    ['pgb-wizard approve --answer extend --extend 30m', 'Watch for half an hour more.'],
    ["pgb-wizard approve --answer rollback-service --reason 'errors in checkout'", 'After a failure.'],
  ],
  async handler(invocation) {
    const { approve } = await import('../remote.ts');
    return approve(invocation);
  },
});
