import { command, text } from '../command.ts';
import { outputFlag, planFlag } from '../flags.ts';

export const rbacFlags = {
  ...planFlag,
  namespace: text('NAME', 'Namespace of the services', { short: 'n', group: 'cluster', initially: 'of the plan' }),
  user: text('NAME', 'User that the RoleBinding names'),
  ...outputFlag,
};

export const rbacCommand = command({
  name: 'rbac',
  summary: 'Print the smallest Role that can carry out the plan',
  flags: rbacFlags,
  examples: [['pgb-wizard rbac --user alice@example.com > role.yaml', 'For the people who grant it.']],
  async handler(invocation) {
    const { rbac } = await import('../rbac.ts');
    return rbac(invocation);
  },
});
