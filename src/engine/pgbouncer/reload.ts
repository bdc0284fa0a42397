/**
 * RELOAD, and whether it happened: PgBouncer up to 1.24 answers `RELOAD` to a file it cannot read and keeps the old one
 * silently; 1.25 and later say `RELOAD failed`. Only `SHOW CONFIG` and `SHOW DATABASES` afterwards tell.
 */
import { fail, ok, type Result } from '../result.ts';
import type { AdminConsole } from './console-types.ts';
import { parseIni } from './ini-parse.ts';

/** Keys whose shown value is not the written one (read at start only, or shown in another form). */
const NOT_COMPARED = new Set([
  'unix_socket_dir',
  'auth_query',
  'listen_addr',
  'listen_port',
  'logfile',
  'pidfile',
  'ignore_startup_parameters',
]);

/** Where the running configuration differs from a file: `pool_mode: session, not transaction`. */
export async function configDifferences(console: AdminConsole, ini: string): Promise<Result<readonly string[]>> {
  const config = await console.config();
  if (!config.ok) return config;
  const databases = await console.show('DATABASES');
  if (!databases.ok) return databases;
  const wanted = parseIni(ini);
  const differences: string[] = [];
  for (const [key, value] of wanted.settings) {
    const running = config.value.get(key);
    // Up to 1.24 the lines before a key it does not know are taken over, the rest is not, and the answer is RELOAD.
    if (running === undefined) differences.push(`${key}: unknown to this PgBouncer`);
    else if (!NOT_COMPARED.has(key) && running !== value) differences.push(`${key}: ${running}, not ${value}`);
  }
  for (const [name, entry] of wanted.databases) {
    const row = databases.value.find((each) => each.name === name);
    if (!row) {
      if (name !== '*') differences.push(`database ${name}: missing`);
      continue;
    }
    const compare = (label: string, running: unknown, value: string | undefined) => {
      if (value !== undefined && String(running ?? '') !== value)
        differences.push(`database ${name}: ${label} ${running ?? 'unset'}, not ${value}`);
    };
    compare('host', row.host, entry.get('host'));
    compare('dbname', row.database, entry.get('dbname'));
    compare('user', row.force_user, entry.get('user'));
    compare('pool_size', row.pool_size, entry.get('pool_size'));
  }
  return ok(differences);
}

/**
 * Sends RELOAD and proves it. `pooler-config` with the differences when the old configuration still runs. `known` are
 * differences that were there before the change (an image that rewrites paths or addresses) and say nothing about it.
 */
export async function reloadAndProve(
  console: AdminConsole,
  ini: string,
  known: readonly string[] = [],
): Promise<Result<void>> {
  const sent = await console.command('RELOAD');
  if (!sent.ok) {
    return /RELOAD failed/i.test(sent.error.message)
      ? fail('pooler-config', 'PgBouncer could not read its configuration and keeps the old one', {
          cause: sent.error.message,
        })
      : sent;
  }
  const differences = await configDifferences(console, ini);
  if (!differences.ok) return differences;
  const left = differences.value.filter((one) => !known.includes(one));
  return left.length === 0
    ? ok(undefined)
    : fail('pooler-config', 'PgBouncer answered RELOAD and keeps the old configuration', {
        cause: left.join('; '),
        next: [
          'Look at the lines "cannot load config file" of its log',
          'Wait until the mounted file is the new one (up to a minute after the ConfigMap or Secret changed)',
        ],
      });
}
