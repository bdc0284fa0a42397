// Unpacks a newer PgBouncer from Debian beside the installed one, with the libraries it needs, without installing
// anything: for the real tests on more than one version.
//
//   node scripts/fetch-pgbouncer.mjs [--suite trixie] [folder]      default folder: node_modules/.cache/pgb-wizard
//   PGB_PGBOUNCER="$(node scripts/fetch-pgbouncer.mjs)" npx vitest run --project real src/engine
//
// The last line on stdout is the program to run; everything else goes to stderr. Needs apt-get, apt-cache and dpkg
// (Debian or a relative) and no root: apt works with a configuration, lists and a cache of its own in the folder.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { suite: { type: 'string', default: 'trixie' }, mirror: { type: 'string' }, help: { type: 'boolean' } },
  allowPositionals: true,
});
if (values.help) {
  console.log('usage: node scripts/fetch-pgbouncer.mjs [--suite trixie] [--mirror URL] [folder]');
  process.exit(0);
}
const suite = values.suite;
if (!/^[a-z-]+$/.test(suite)) stop(`Not a suite of Debian: ${suite}`);
const folder = resolve(positionals[0] ?? 'node_modules/.cache/pgb-wizard', `pgbouncer-${suite}`);
const wrapper = join(folder, 'pgbouncer');

function stop(message) {
  console.error(message);
  process.exit(1);
}

if (existsSync(wrapper)) {
  console.error(`${versionOf()} is already there`);
  console.log(wrapper);
  process.exit(0);
}

for (const program of ['apt-get', 'apt-cache', 'dpkg', 'dpkg-deb']) {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
  } catch {
    stop(`${program} is missing: this works on Debian and its relatives only`);
  }
}
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
if (!existsSync(keyring)) stop(`${keyring} is missing; apt-get install debian-archive-keyring`);

const apt = join(folder, 'apt');
const debs = join(folder, 'debs');
const root = join(folder, 'root');
for (const path of ['lists/partial', 'cache/archives/partial', 'etc'].map((part) => join(apt, part)))
  mkdirSync(path, { recursive: true });
for (const path of [debs, root]) mkdirSync(path, { recursive: true });
writeFileSync(join(apt, 'status'), '');
writeFileSync(join(apt, 'sources.list'), `deb [signed-by=${keyring}] ${mirror()} ${suite} main\n`);

const settings = [
  ['Dir::Etc::sourcelist', join(apt, 'sources.list')],
  ['Dir::Etc::sourceparts', '/dev/null'],
  ['Dir::Etc::preferencesparts', '/dev/null'],
  ['Dir::State::lists', join(apt, 'lists')],
  ['Dir::State::status', join(apt, 'status')],
  ['Dir::Cache', join(apt, 'cache')],
  ['APT::Install-Recommends', 'false'],
  // As root apt would drop to _apt, which may not write here.
  ['APT::Sandbox::User', 'root'],
].flatMap(([key, value]) => ['-o', `${key}=${value}`]);

/** The mirror this machine already uses, so that proxies and offline mirrors keep working. */
function mirror() {
  if (values.mirror) return values.mirror;
  const places = [
    '/etc/apt/sources.list',
    ...list('/etc/apt/sources.list.d').map((name) => join('/etc/apt/sources.list.d', name)),
  ];
  for (const path of places.filter((each) => existsSync(each))) {
    const found = /^(?:deb (?:\[[^\]]*\] )?|URIs: *)(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(
      readFileSync(path, 'utf8'),
    );
    if (found) return found[1];
  }
  return 'http://deb.debian.org/debian';
}

function list(path) {
  return existsSync(path) ? readdirSync(path) : [];
}

function run(program, args, options = {}) {
  return execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 << 20,
    ...options,
  });
}

console.error(`reading the packages of Debian ${suite} …`);
run('apt-get', [...settings, '-qq', 'update']);

// Libraries only, and only what they themselves need: the package's scripts, users and services stay out.
const wanted = new Set(['pgbouncer']);
const queue = ['pgbouncer'];
while (queue.length > 0) {
  const answer = run('apt-cache', [
    ...settings,
    'depends',
    '--no-recommends',
    '--no-suggests',
    '--no-conflicts',
    '--no-breaks',
    '--no-replaces',
    '--no-enhances',
    queue.shift(),
  ]);
  for (const [, name] of answer.matchAll(/^ *\|?(?:Pre)?Depends: ([a-z0-9][a-z0-9+.-]*)$/gm)) {
    if (/^(lib|zlib)/.test(name) && !/perl|python/.test(name) && !wanted.has(name)) {
      wanted.add(name);
      queue.push(name);
    }
  }
}
console.error(`downloading ${wanted.size} packages …`);
run('apt-get', [...settings, '-qq', 'download', ...wanted], { cwd: debs });
for (const deb of list(debs)) run('dpkg-deb', ['-x', join(debs, deb), root]);

const triplet = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[run('dpkg', ['--print-architecture']).trim()];
if (!triplet) stop('Only amd64 and arm64 are known here');
const libraries = ['usr/lib', 'lib'].map((part) => join(root, part, triplet)).filter((path) => existsSync(path));
const loader = libraries.flatMap((path) =>
  list(path)
    .filter((name) => /^ld-linux-.*\.so/.test(name))
    .map((name) => join(path, name)),
)[0];
if (!loader) stop('The dynamic loader is not among the unpacked files');
const relative = (path) => `"$here${path.slice(folder.length)}"`;
writeFileSync(
  wrapper,
  `#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec ${relative(loader)} --library-path ${libraries.map(relative).join(':')} ${relative(join(root, 'usr/sbin/pgbouncer'))} "$@"\n`,
);
chmodSync(wrapper, 0o755);

function versionOf() {
  return execFileSync(wrapper, ['--version'], { encoding: 'utf8' }).split('\n')[0];
}
console.error(`${versionOf()} is ready`);
console.log(wrapper);
