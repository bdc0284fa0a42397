import { ok } from '../../engine/result.ts';
import { command } from '../command.ts';
import { write } from '../io.ts';

export const completionCommand = command({
  name: 'completion',
  summary: 'Print the completion script of a shell',
  arguments: [{ name: 'shell', summary: 'Shell to complete for', choices: ['bash', 'zsh', 'fish'] }],
  flags: {},
  examples: [
    ['source <(pgb-wizard completion bash)', 'Complete in this bash.'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: zsh expands it, not this program.
    ['pgb-wizard completion zsh > "${fpath[1]}/_pgb-wizard"', 'Complete in every zsh.'],
    ['pgb-wizard completion fish > ~/.config/fish/completions/pgb-wizard.fish', 'Complete in every fish.'],
  ],
  async handler({ args, io }) {
    const { completionScript } = await import('../completion.ts');
    const { commands } = await import('./index.ts');
    await write(io.stdout, completionScript(args[0] as 'bash' | 'zsh' | 'fish', commands));
    return ok(0);
  },
});
