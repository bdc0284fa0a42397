import { command, text, toggle } from '../command.ts';
import { outputFlag, runIdFlag } from '../flags.ts';

export const holdFlags = {
  ...runIdFlag,
  reason: text('TEXT', 'Why, for the record'),
  release: toggle('End the hold'),
  ...outputFlag,
};

export const holdCommand = command({
  name: 'hold',
  summary: 'Stop a live run before its next change, or let it go on',
  flags: holdFlags,
  examples: [
    ["pgb-wizard hold --reason 'incident INC0042 is open'", 'No new change from here on.'],
    ['pgb-wizard hold --release', 'Go on.'],
  ],
  async handler(invocation) {
    const { hold } = await import('../remote.ts');
    return hold(invocation);
  },
});
