/** The configuration file itself; loaded only when there is one, because the schema checker is not light. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { fail, ok, type Result } from '../engine/result.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { keymapOf } from '../screens/keys.ts';
import { parse } from './lazy/yaml.ts';
import type { NotifySettings } from './notify.ts';
import { type ScreenConfig, wordsOf } from './screen-config.ts';

const schema = z.strictObject({
  keys: z.record(z.string(), z.union([z.string(), z.array(z.string()).min(1)])).optional(),
  notify: z
    .strictObject({
      command: z.union([z.string().trim().min(1), z.array(z.string().min(1)).min(1)]).optional(),
      webhook: z.url({ protocol: /^https?$/, error: 'is not an http or https address' }).optional(),
    })
    .optional(),
});

/** Reads and checks it. Errors: `usage`, with the file and what is wrong in it. */
export function parseScreenConfig(path: string): Result<ScreenConfig> {
  const wrong = (why: string) => fail('usage', `${path}: ${why}.`, { next: ['See docs/keys.md.'] });
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return wrong(`it cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    return wrong(sanitiseLine((error as Error).message, 200));
  }
  const read = schema.safeParse(raw ?? {});
  if (!read.success) {
    const [first] = read.error.issues;
    return wrong(`${first?.path.join('.') || 'the file'}: ${first?.message ?? 'is not understood'}`);
  }
  const keys = Object.entries(read.data.keys ?? {}).map(([id, one]) => [id, typeof one === 'string' ? [one] : one]);
  const { keymap, problems } = keymapOf(Object.fromEntries(keys));
  if (problems.length > 0) return wrong(problems.join('; '));
  const { command, webhook } = read.data.notify ?? {};
  const notify: NotifySettings = {
    ...(command === undefined ? {} : { command: typeof command === 'string' ? wordsOf(command) : command }),
    ...(webhook === undefined ? {} : { webhook }),
  };
  return ok({ keymap, notify });
}
