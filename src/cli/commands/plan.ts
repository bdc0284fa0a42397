import { command } from '../command.ts';
import { outputFlag, planFlag } from '../flags.ts';

export const planFlags = { ...planFlag, ...outputFlag };

export const planCommand = command({
  name: 'plan',
  summary: 'Show the plan: phases, services in their order, limits',
  description:
    'Prints the plan with all its defaults. For the changes it would make on a cluster, each with its diff, use ' +
    '`pgb-wizard run --dry-run client --no-input`, or --dry-run server to have the API server check them.',
  flags: planFlags,
  examples: [
    ['pgb-wizard plan', "The guide's own plan."],
    ['pgb-wizard plan -o yaml > pgb-wizard.yaml', 'A plan file to start from.'],
  ],
  async handler(invocation) {
    const { showPlan } = await import('../plan-file.ts');
    return showPlan(invocation);
  },
});
