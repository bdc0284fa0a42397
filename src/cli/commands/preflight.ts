import { command } from '../command.ts';
import { clusterFlags, displayFlags, outputFlag, passwordFlags, planFlag } from '../flags.ts';

export const preflightFlags = { ...planFlag, ...clusterFlags, ...passwordFlags, ...displayFlags, ...outputFlag };

export const preflightCommand = command({
  name: 'preflight',
  summary: 'Check permissions, versions, owners, room and hazards; change nothing',
  description:
    'What the first step of a run checks, by itself: would this migration end well here, and where would it stop?\n' +
    'Ends with 0 when everything passes, with 5 when something would stop the run.',
  flags: preflightFlags,
  examples: [['pgb-wizard preflight --context prod-eu-1 --plan nova.yaml', 'Days before the change window.']],
  async handler(invocation) {
    const { preflight } = await import('../preflight.ts');
    return preflight(invocation);
  },
});
