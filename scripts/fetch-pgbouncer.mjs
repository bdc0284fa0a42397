// Unpacks a newer PgBouncer from Debian beside the installed one: for the real tests on more than one version.
//
//   node scripts/fetch-pgbouncer.mjs [--suite trixie] [folder]      default folder: node_modules/.cache/pgb-wizard
//   PGB_PGBOUNCER="$(node scripts/fetch-pgbouncer.mjs)" npx vitest run --project real src/engine
//
// The last line on stdout is the program to run; everything else goes to stderr.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { unpack, wrap } from './debian.mjs';

const { values, positionals } = parseArgs({
  options: { suite: { type: 'string', default: 'trixie' }, mirror: { type: 'string' }, help: { type: 'boolean' } },
  allowPositionals: true,
});
if (values.help) {
  console.log('usage: node scripts/fetch-pgbouncer.mjs [--suite trixie] [--mirror URL] [folder]');
  process.exit(0);
}
const folder = resolve(positionals[0] ?? 'node_modules/.cache/pgb-wizard', `pgbouncer-${values.suite}`);
const program = join(folder, 'root/usr/sbin/pgbouncer');
const version = () => execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0];
if (existsSync(`${program}.real`)) console.error(`${version()} is already there`);
else {
  wrap(unpack({ suite: values.suite, folder, mirror: values.mirror, names: ['pgbouncer'] }), program);
  console.error(`${version()} is ready`);
}
console.log(program);
