import { command, toggle } from '../command.ts';
import { outputFlag, runIdFlag } from '../flags.ts';

export const statusFlags = {
  ...runIdFlag,
  watch: toggle('Go on and print what happens until the run ends', { short: 'w' }),
  ...outputFlag,
};

export const statusCommand = command({
  name: 'status',
  summary: 'Show where a run stands, from this or another terminal',
  description: 'Asks the process that drives the run, else reads its journal. Changes nothing and asks no cluster.',
  flags: statusFlags,
  examples: [
    ['pgb-wizard status', 'The newest run.'],
    ['pgb-wizard status -w', 'A line for everything that happens.'],
    ['pgb-wizard status --run 7f3a91c2 -o json', 'One run, for a program.'],
  ],
  async handler(invocation) {
    const { showStatus } = await import('../status.ts');
    return showStatus(invocation);
  },
});
