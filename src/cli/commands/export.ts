import { command, text } from '../command.ts';
import { outputFlag, runIdFlag } from '../flags.ts';

export const exportFlags = {
  ...runIdFlag,
  to: text('DIR', 'Folder of the record', { initially: 'pgb-wizard-RUN in the working folder', file: true }),
  sign: text('KEY', 'SSH key that signs the sums (ssh-keygen -Y)', { file: true }),
  ...outputFlag,
};

export const exportCommand = command({
  name: 'export',
  summary: 'Write the change record: JSON, Markdown, CSV, HTML, ticket bodies, sums',
  description: 'Works from the journal alone, while the run goes on and after a crash. No cluster is asked.',
  flags: exportFlags,
  examples: [
    ['pgb-wizard export', 'The newest run.'],
    ['pgb-wizard export --run 7f3a91c2 --to CHG0031337 --sign ~/.ssh/id_ed25519', 'One run, signed.'],
  ],
  async handler(invocation) {
    const { exportRun } = await import('../record.ts');
    return exportRun(invocation);
  },
});
