import { command, text } from '../command.ts';
import { clusterFlags, newRunIdFlag, outputFlag, planFlag } from '../flags.ts';

export const rbacFlags = {
  ...planFlag,
  ...newRunIdFlag,
  user: text('NAME', 'Whom a RoleBinding names: a user, or system:serviceaccount:NAMESPACE:NAME'),
  passwordSecret: text('NAME', 'Secret that the run takes with --password-secret'),
  ...clusterFlags,
  ...outputFlag,
};

export const rbacCommand = command({
  name: 'rbac',
  summary: 'Print the smallest Role that can carry out the plan',
  description:
    'Without --run-id no cluster is asked, and the Role fits any run of the plan: for the objects whose names hold the id ' +
    'of a run it allows all of their kind, Secrets among them.\n' +
    'With --run-id the cluster is asked (read access to the workloads is enough), and every Secret is named: those of the ' +
    'run, and those that the workloads of the plan refer to. Start that run with the same --run-id.',
  flags: rbacFlags,
  examples: [
    [
      'pgb-wizard rbac --user alice@example.com > role.yaml',
      'For the people who grant it: kubectl apply -f role.yaml.',
    ],
    ['pgb-wizard rbac --run-id 4c1d9e02 --user alice@example.com', 'For this one run, every Secret by its name.'],
  ],
  async handler(invocation) {
    const { rbac } = await import('../rbac.ts');
    return rbac(invocation);
  },
});
