// Unpacks programs of a Debian suite beside the installed ones, with the libraries they need, without installing anything and
// without root: apt works with a configuration, lists and a cache of its own in the folder.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export function stop(message) {
  console.error(message);
  process.exit(1);
}

export const list = (path) => (existsSync(path) ? readdirSync(path) : []);

function run(program, args, options = {}) {
  return execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 << 20,
    ...options,
  });
}

/** The mirror this machine already uses, so that proxies and offline mirrors keep working. */
function usualMirror() {
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

/**
 * Unpacks packages and the libraries they depend on into `folder/root`. `names` is a list, or a function of the names that
 * the suite knows. Answers with the folder of the unpacked files.
 */
export function unpack({ suite, folder, mirror = usualMirror(), names }) {
  if (!/^[a-z-]+$/.test(suite)) stop(`Not a suite of Debian: ${suite}`);
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
  writeFileSync(join(apt, 'sources.list'), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
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

  console.error(`reading the packages of Debian ${suite} …`);
  run('apt-get', [...settings, '-qq', 'update']);
  const wanted = typeof names === 'function' ? names(run('apt-cache', [...settings, 'pkgnames']).split('\n')) : names;
  if (wanted.length === 0) stop(`Debian ${suite} has none of it`);

  // Libraries only, and only what they themselves need: the packages' scripts, users and services stay out.
  const taken = new Set(wanted);
  const queue = [...wanted];
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
      if (/^(lib|zlib)/.test(name) && !/perl|python/.test(name) && !taken.has(name)) {
        taken.add(name);
        queue.push(name);
      }
    }
  }
  console.error(`downloading ${taken.size} packages …`);
  run('apt-get', [...settings, '-qq', 'download', ...taken], { cwd: debs });
  for (const deb of list(debs)) run('dpkg-deb', ['-x', join(debs, deb), root]);
  return root;
}

/**
 * Puts a script in the place of an unpacked program that starts it with the suite's own loader and libraries. A program
 * that looks for others beside itself finds their scripts there.
 */
export function wrap(root, program) {
  const triplet = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[
    run('dpkg', ['--print-architecture']).trim()
  ];
  if (!triplet) stop('Only amd64 and arm64 are known here');
  const libraries = ['usr/lib', 'lib'].map((part) => join(root, part, triplet)).filter((path) => existsSync(path));
  const loader = libraries.flatMap((path) =>
    list(path)
      .filter((name) => /^ld-linux-.*\.so/.test(name))
      .map((name) => join(path, name)),
  )[0];
  if (!loader) stop('The dynamic loader is not among the unpacked files');
  const real = `${program}.real`;
  if (!existsSync(real)) renameSync(program, real);
  const here = join(program, '..');
  const at = (path) => `"$here/${relative(here, path)}"`;
  writeFileSync(
    program,
    `#!/bin/sh\nme=$(readlink -f "$0")\nhere=$(dirname "$me")\nexec ${at(loader)} --argv0 "$me" --library-path ${libraries.map(at).join(':')} ${at(real)} "$@"\n`,
  );
  chmodSync(program, 0o755);
}
