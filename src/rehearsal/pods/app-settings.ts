/** What an application reads of its configuration file or of its flags: names and values, `db.host` = `postgres`. */
import { parse } from 'yaml';

/** YAML and JSON by their nesting, everything else by its lines. */
export function settingsOfFile(text: string): Map<string, string> {
  const out = new Map<string, string>();
  try {
    const value: unknown = parse(text, { logLevel: 'error' });
    if (value !== null && typeof value === 'object') {
      flatten(value, '', out);
      return out;
    }
  } catch {
    // Another format: its lines are read.
  }
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    section = /^\s*\[+([^\]]+)\]/.exec(line)?.[1] ?? section;
    const [, key, value] = /^\s*(?:export\s+)?([\w.-]+)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    const bare = /^(["'])(.*?)\1/.exec(value)?.[2] ?? value.replace(/\s+[#;].*$/, '');
    out.set(section === '' ? key : `${section}.${key}`, bare);
  }
  return out;
}

function flatten(value: object, prefix: string, out: Map<string, string>): void {
  for (const [key, one] of Object.entries(value)) {
    if (one !== null && typeof one === 'object') flatten(one, `${prefix}${key}.`, out);
    else out.set(`${prefix}${key}`, String(one));
  }
}

/** `--db-host=postgres`, and `--db-host` before `postgres`. */
export function settingsOfFlags(args: readonly string[]): Map<string, string> {
  const out = new Map<string, string>();
  for (const [index, arg] of args.entries()) {
    const [, key, value] = /^--?([A-Za-z][\w.-]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (key !== undefined) out.set(key, value ?? args[index + 1] ?? '');
  }
  return out;
}
