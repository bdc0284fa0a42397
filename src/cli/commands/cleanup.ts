import { command, toggle } from '../command.ts';
import { clusterFlags, outputFlag, planFlag, runIdFlag } from '../flags.ts';

export const cleanupFlags = {
  run: { ...runIdFlag.run, initially: 'none: the runs that the cluster keeps are listed' },
  noInput: toggle('Remove without asking'),
  ...planFlag,
  ...clusterFlags,
  ...outputFlag,
};

export const cleanupCommand = command({
  name: 'cleanup',
  summary: 'List the runs that the cluster keeps, or remove what it keeps of one',
  description:
    'The originals and the ledger of a run stay in the cluster after its end, so that every service can be taken back at\n' +
    'any time and from any machine. When nobody will want to go back any more, this removes both, and the Secrets\n' +
    'that were made for services which went back. Services, pooler and the Secrets in use are not touched.',
  flags: cleanupFlags,
  examples: [
    ['pgb-wizard cleanup', 'Which runs does the cluster keep?'],
    ['pgb-wizard cleanup --run 7f3a21c9', 'Asks for the name of the run first. There is no way back after this.'],
  ],
  async handler(invocation) {
    const { cleanup } = await import('../cleanup.ts');
    return cleanup(invocation);
  },
});
