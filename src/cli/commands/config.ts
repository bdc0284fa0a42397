import { command } from '../command.ts';
import { outputFlag, planFlag } from '../flags.ts';

export const configFlags = { ...planFlag, ...outputFlag };

export const configCommand = command({
  name: 'config',
  summary: 'Check a plan file, or print the JSON schema of plan files',
  arguments: [
    { name: 'action', summary: 'What to do', choices: ['validate', 'schema'] },
    { name: 'file', summary: 'The plan file, as --plan', optional: true },
  ],
  flags: configFlags,
  examples: [
    ['pgb-wizard config validate nova.yaml', 'Is this plan right? No cluster is asked.'],
    ['pgb-wizard config schema > plan.schema.json', 'For an editor that completes YAML.'],
  ],
  async handler(invocation) {
    const { config } = await import('../plan-file.ts');
    return config(invocation);
  },
});
