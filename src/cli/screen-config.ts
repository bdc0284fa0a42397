/** The operator's own settings of the screen: keys and notifications, from `--keymap` or the configuration file. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ok, type Result } from '../engine/result.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { type Keymap, keymapOf } from '../screens/keys.ts';

export interface ScreenConfig {
  readonly keymap: Keymap;
  readonly notify?: { readonly command?: string; readonly webhook?: string };
}

/** `$XDG_CONFIG_HOME/pgb-wizard/config.yaml`, where the variable is set, else under `~/.config`. */
export function configPath(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'pgb-wizard', 'config.yaml');
}

/** Reads the named file, or the configuration file when there is one. Errors: `usage`, with the file and what is wrong. */
export async function readScreenConfig(
  flag: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Result<ScreenConfig>> {
  const path = flag ?? configPath(env);
  if (flag === undefined && !existsSync(path)) return ok({ keymap: keymapOf().keymap });
  const { parseScreenConfig } = await import('./screen-config-file.ts');
  return parseScreenConfig(path);
}

/**
 * Tells somebody who is not looking that a decision is due: a command that gets the title as its last argument, a webhook
 * that gets it as JSON. Neither may delay or break the run; what fails is forgotten, the bell has rung.
 */
export function notifier(
  notify: ScreenConfig['notify'],
): ((event: { title: string; runId?: string }) => void) | undefined {
  if (notify?.command === undefined && notify?.webhook === undefined) return undefined;
  return ({ title }) => {
    const text = `pgb-wizard: ${sanitiseLine(title, 160)}`;
    if (notify.command !== undefined) {
      const [program = '', ...args] = notify.command.split(/\s+/);
      const child = spawn(program, [...args, text], { stdio: 'ignore', detached: true });
      child.on('error', () => {
        // There is no such command; the screen and the bell say the same.
      });
      child.unref();
    }
    if (notify.webhook !== undefined) {
      fetch(notify.webhook, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text }),
        signal: AbortSignal.timeout(5000),
      }).catch(() => {
        // Nobody answers there; the screen and the bell say the same.
      });
    }
  };
}
