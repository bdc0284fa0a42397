import { command, toggle } from '../command.ts';
import { clusterFlags, outputFlag, runIdFlag } from '../flags.ts';

export const statusFlags = {
  ...runIdFlag,
  watch: toggle('Go on and print what happens until the run ends', { short: 'w' }),
  ...clusterFlags,
  ...outputFlag,
};

export const statusCommand = command({
  name: 'status',
  summary: 'Show where a run stands, from this or another terminal',
  description:
    'Asks the process that drives the run, else reads its journal. Changes nothing.\n' +
    'With -n or another flag of the cluster it reads the copy that the cluster keeps: for a machine that has no journal.',
  flags: statusFlags,
  examples: [
    ['pgb-wizard status', 'The newest run.'],
    ['pgb-wizard status -w', 'A line for everything that happens.'],
    ['pgb-wizard status --run 7f3a91c2 -o json', 'One run, for a program.'],
    ['pgb-wizard status --context prod-eu-1 -n nova', 'What the cluster knows of its newest run, from any machine.'],
  ],
  async handler(invocation) {
    const { showStatus } = await import('../status.ts');
    return showStatus(invocation);
  },
});
