// Unpacks a newer PostgreSQL from Debian beside the installed one (the server, its clients, pgbench and the extensions that
// come with it): for the real tests on more than one version.
//
//   node scripts/fetch-postgres.mjs [--suite trixie] [folder]       default folder: node_modules/.cache/pgb-wizard
//   PGB_POSTGRES_BIN="$(node scripts/fetch-postgres.mjs)" npx vitest run --project real src/engine
//
// The last line on stdout is the folder of the programs; everything else goes to stderr.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { list, stop, unpack, wrap } from './debian.mjs';

const { values, positionals } = parseArgs({
  options: { suite: { type: 'string', default: 'trixie' }, mirror: { type: 'string' }, help: { type: 'boolean' } },
  allowPositionals: true,
});
if (values.help) {
  console.log('usage: node scripts/fetch-postgres.mjs [--suite trixie] [--mirror URL] [folder]');
  process.exit(0);
}
const folder = resolve(positionals[0] ?? 'node_modules/.cache/pgb-wizard', `postgres-${values.suite}`);
const PROGRAMS = ['postgres', 'initdb', 'pg_ctl', 'psql', 'pgbench', 'pg_recvlogical'];

/** The newest major version of the suite. */
const names = (known) => {
  const major = Math.max(...known.map((name) => Number(/^postgresql-(\d+)$/.exec(name)?.[1] ?? 0)));
  return major > 0 ? [`postgresql-${major}`, `postgresql-client-${major}`] : [];
};
const binOf = () => {
  const all = join(folder, 'root/usr/lib/postgresql');
  const [major] = list(all).sort((a, b) => Number(b) - Number(a));
  return major === undefined ? undefined : join(all, major, 'bin');
};
const whole = () => PROGRAMS.every((name) => binOf() && existsSync(join(binOf(), `${name}.real`)));
const ready = whole();
if (!ready) {
  const root = unpack({ suite: values.suite, folder, mirror: values.mirror, names });
  for (const name of PROGRAMS) wrap(root, join(binOf(), name));
  if (!whole()) stop('Not all of its programs are among the unpacked files');
}
const version = execFileSync(join(binOf(), 'postgres'), ['--version'], { encoding: 'utf8' }).trim();
console.error(`${version} is ${ready ? 'already there' : 'ready'}`);
console.log(binOf());
