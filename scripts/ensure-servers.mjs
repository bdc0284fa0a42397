// Makes sure that PostgreSQL and PgBouncer are on this machine, for the rehearsal and the tests. What is missing is
// installed with apt-get when that can be done without a question (root, or sudo that asks no password), after saying so;
// otherwise the exact command is printed and the script ends with 1. `--check` never installs.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const runnable = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
const list = (folder) => (existsSync(folder) ? readdirSync(folder) : []);
const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean);

function hasPostgres() {
  const folders = process.env.PGB_POSTGRES_BIN
    ? [process.env.PGB_POSTGRES_BIN]
    : [
        ...path,
        ...list('/usr/lib/postgresql').map((major) => `/usr/lib/postgresql/${major}/bin`),
        ...list('/usr')
          .filter((name) => /^pgsql-\d+$/.test(name))
          .map((name) => `/usr/${name}/bin`),
        ...['/opt/homebrew/opt', '/usr/local/opt'].flatMap((prefix) =>
          list(prefix)
            .filter((name) => /^postgresql(@\d+)?$/.test(name))
            .map((name) => join(prefix, name, 'bin')),
        ),
      ];
  return folders.some((folder) => ['postgres', 'initdb', 'psql'].every((program) => runnable(join(folder, program))));
}

function hasPgBouncer() {
  if (process.env.PGB_PGBOUNCER) return runnable(process.env.PGB_PGBOUNCER);
  const folders = [
    ...path,
    '/usr/sbin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
    '/opt/homebrew/opt/pgbouncer/bin',
    '/usr/local/opt/pgbouncer/bin',
  ];
  return folders.some((folder) => runnable(join(folder, 'pgbouncer')));
}

const missing = () => [...(hasPostgres() ? [] : ['postgresql']), ...(hasPgBouncer() ? [] : ['pgbouncer'])];
const say = (text) => process.stderr.write(`${text}\n`);

function giveUp(packages) {
  const command =
    process.platform === 'darwin'
      ? `brew install ${packages.map((name) => (name === 'postgresql' ? 'postgresql@16' : name)).join(' ')}`
      : `sudo apt-get update && sudo apt-get install --no-install-recommends -y ${packages.join(' ')}`;
  say(
    `${packages.map((name) => (name === 'postgresql' ? 'PostgreSQL' : 'PgBouncer')).join(' and ')} ${packages.length > 1 ? 'are' : 'is'} needed and not installed here. Install with:`,
  );
  say(`  ${command}`);
  say('Programs in other places are named with PGB_POSTGRES_BIN (a folder) and PGB_PGBOUNCER (a program).');
  process.exit(1);
}

const packages = missing();
if (packages.length === 0) process.exit(0);
const root = process.getuid?.() === 0;
const sudo = !root && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
const apt = process.platform === 'linux' && path.some((folder) => runnable(join(folder, 'apt-get')));
if (process.argv.includes('--check') || !apt || (!root && !sudo)) giveUp(packages);

const as = (program, ...args) => (root ? [program, args] : ['sudo', ['-n', program, ...args]]);
function run(program, ...args) {
  const [file, all] = as('env', 'DEBIAN_FRONTEND=noninteractive', program, ...args);
  // The progress goes to stderr: stdout belongs to whoever called.
  execFileSync(file, all, { stdio: ['ignore', process.stderr.fd, process.stderr.fd] });
}

say(`Installing ${packages.join(' and ')} with apt-get (the rehearsal and the tests run the real servers).`);
// Debian's packages start system services; the rehearsal needs the programs only. policy-rc.d is Debian's own way to say so.
const policy = '/usr/sbin/policy-rc.d';
const ours = root && !existsSync(policy);
try {
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  run('apt-get', 'update', '-q');
  run('apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages);
} catch (error) {
  say(`apt-get failed: ${error.message.split('\n')[0]}`);
  giveUp(packages);
} finally {
  if (ours) rmSync(policy, { force: true });
}
if (!ours) {
  // With sudo the services were started by the packages: they are stopped again and told about.
  for (const service of packages) spawnSync(...as('service', service, 'stop'), { stdio: 'ignore' });
  say(
    `The system service${packages.length > 1 ? 's' : ''} ${packages.join(' and ')} that the package${packages.length > 1 ? 's' : ''} started ${packages.length > 1 ? 'are' : 'is'} stopped again; enable them yourself if you want them.`,
  );
}
const still = missing();
if (still.length > 0) giveUp(still);
say('Installed.');
