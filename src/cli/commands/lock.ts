import { command, text, toggle } from '../command.ts';
import { clusterFlags, outputFlag, planFlag } from '../flags.ts';

export const lockFlags = {
  reason: text('TEXT', 'Why the lock is broken, left in the cluster for its holder'),
  noInput: toggle('Break without asking; name the holder with --holder'),
  holder: text('WHO', 'With break: who is expected to hold it, as `lock show` prints it'),
  ...planFlag,
  ...clusterFlags,
  ...outputFlag,
};

export const lockCommand = command({
  name: 'lock',
  summary: 'Show who drives a run on this namespace, or break a lock whose holder is gone',
  description:
    'The lock is a Lease in the namespace. A run renews it every few seconds and sends no change without it, so a broken\n' +
    'lock stops a run that still lives.',
  arguments: [{ name: 'action', summary: 'What to do', choices: ['show', 'break'] }],
  flags: lockFlags,
  examples: [
    ['pgb-wizard lock show', 'Who, since when, how long silent.'],
    ["pgb-wizard lock break --reason 'bastion-2 is gone'", 'Asks for the name of the holder first.'],
  ],
  async handler(invocation) {
    const { lock } = await import('../lock.ts');
    return lock(invocation);
  },
});
