import { command } from '../command.ts';
import { clusterFlags, displayFlags, newRunIdFlag, outputFlag, passwordFlags, planFlag } from '../flags.ts';

export const preflightFlags = {
  ...planFlag,
  ...newRunIdFlag,
  ...clusterFlags,
  ...passwordFlags,
  ...displayFlags,
  ...outputFlag,
};

export const preflightCommand = command({
  name: 'preflight',
  summary: 'Check permissions, versions, owners, room and hazards; change nothing',
  description:
    'What the first step of a run checks, by itself: would this migration end well here, and where would it stop?\n' +
    'Ends with 0 when everything passes, with 4 when a permission is missing, with 5 when something else would stop the run.',
  flags: preflightFlags,
  examples: [['pgb-wizard preflight --context prod-eu-1 --plan nova.yaml', 'Days before the change window.']],
  async handler(invocation) {
    const { preflight } = await import('../preflight.ts');
    return preflight(invocation);
  },
});
