/** The operator's own settings of the screen: keys and notifications, from `--keymap` or the configuration file. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ok, type Result } from '../engine/result.ts';
import { type Keymap, keymapOf } from '../screens/keys.ts';
import type { NotifySettings } from './notify.ts';

export interface ScreenConfig {
  readonly keymap: Keymap;
  readonly notify?: NotifySettings;
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

/** A command line without quoting: words between blanks. What needs more is a list in the file. */
export const wordsOf = (command: string): string[] => command.trim().split(/\s+/);
