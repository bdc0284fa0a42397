import { choice, command, text } from '../command.ts';
import { clusterFlags, outputFlag, planFlag, runIdFlag } from '../flags.ts';

export const doctorFlags = {
  log: text('FILE', 'Look through this log instead of the cluster, `-` for standard input', { file: true }),
  fix: choice(
    ['resume', 'enable', 'reconnect', 'pool-size', 'userlist'],
    'Make this fix, shown as a diff first and proved afterwards',
  ),
  confirm: text('NAME', 'Confirm the fix without a terminal: CONTEXT/NAMESPACE'),
  ...planFlag,
  ...runIdFlag,
  ...clusterFlags,
  ...outputFlag,
};

export const doctorCommand = command({
  name: 'doctor',
  summary: 'Name the cause of what goes wrong, with its check and its fix',
  description:
    'Runs the checks of the diagnosis table: the console, the configuration, the pools and the log of every pooler, a login through\n' +
    'each, the role and the limits of PostgreSQL, the logs of the services, and what the newest run complained of.\n' +
    'Reads only, unless --fix names a fix: that is shown as a diff, confirmed, made without a restart, and proved.\n' +
    'Ends with 0 when nothing is known to be wrong, with 1 when there are findings.',
  flags: doctorFlags,
  examples: [
    ['pgb-wizard doctor', 'The pooler and the services of the plan.'],
    ['pgb-wizard doctor --fix resume --confirm prod-eu-1/nova', 'Make a fix that the doctor offered.'],
    ['kubectl logs deployment/pgbouncer -n nova | pgb-wizard doctor --log -', 'A log that you have.'],
  ],
  async handler(invocation) {
    const { doctor } = await import('../doctor.ts');
    return doctor(invocation);
  },
});
