import { command, text } from '../command.ts';
import { outputFlag, runIdFlag } from '../flags.ts';

export const verifyFlags = {
  run: runIdFlag.run,
  allowedSigners: text('FILE', "OpenSSH's allowed-signers file, to check the signature", { file: true }),
  signer: text('IDENTITY', 'Who must have signed'),
  ...outputFlag,
};

export const verifyCommand = command({
  name: 'verify',
  summary: 'Check a change record: sums, journal chain, every view made again',
  description: 'Ends with 0 when every file is exactly what its journal gives, with 10 when not.',
  arguments: [{ name: 'DIR', summary: 'Folder of the record' }],
  flags: verifyFlags,
  examples: [
    ['pgb-wizard verify CHG0031337', 'A record.'],
    ['pgb-wizard verify CHG0031337 --allowed-signers signers --signer alice@example.com', 'And who signed it.'],
  ],
  async handler(invocation) {
    const { verifyRun } = await import('../record.ts');
    return verifyRun(invocation);
  },
});
