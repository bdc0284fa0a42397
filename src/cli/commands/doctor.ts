import { command, text } from '../command.ts';
import { clusterFlags, outputFlag, planFlag, runIdFlag } from '../flags.ts';

export const doctorFlags = {
  log: text('FILE', 'Look through this log instead of the cluster, `-` for standard input', { file: true }),
  ...planFlag,
  ...runIdFlag,
  ...clusterFlags,
  ...outputFlag,
};

export const doctorCommand = command({
  name: 'doctor',
  summary: 'Name the cause of what goes wrong, with its check and its fix',
  description:
    'Looks through the logs of the pooler pods and of the services, and at what the newest run complained of. Reads only.\n' +
    'Ends with 0 when nothing is known to be wrong, with 1 when there are findings.',
  flags: doctorFlags,
  examples: [
    ['pgb-wizard doctor', 'The pooler and the services of the plan.'],
    ['kubectl logs deployment/pgbouncer -n nova | pgb-wizard doctor --log -', 'A log that you have.'],
  ],
  async handler(invocation) {
    const { doctor } = await import('../doctor.ts');
    return doctor(invocation);
  },
});
