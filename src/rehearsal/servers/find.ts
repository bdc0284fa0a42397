/**
 * Finds the real programs behind the rehearsal: PostgreSQL and PgBouncer. They are looked for on PATH and where Debian
 * and Homebrew put them; `PGB_POSTGRES_BIN` (a folder) and `PGB_PGBOUNCER` (a program) override. There is no fallback to
 * a fake: what is missing is named, with the command that installs it.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

interface PostgresServer {
  /** Folder of `postgres`, `initdb`, `psql`, `pgbench`. */
  bin: string;
  version: string;
  major: number;
  /** Folder of the loadable modules, to know whether pg_stat_statements is there. */
  libdir: string | undefined;
}

interface PgBouncerServer {
  program: string;
  version: string;
}

export interface Servers {
  postgres: PostgresServer;
  pgbouncer: PgBouncerServer;
}

export type FoundServers =
  | { readonly ok: true; readonly value: Servers }
  | {
      readonly ok: false;
      readonly missing: readonly ('postgresql' | 'pgbouncer')[];
      readonly message: string;
      readonly next: readonly string[];
    };

/** Looks for both programs and asks each for its version. Never throws for a program that is absent or won't run. */
export function findServers(env: NodeJS.ProcessEnv = process.env): FoundServers {
  const postgres = findPostgres(env);
  const pgbouncer = findPgBouncer(env);
  if (postgres && pgbouncer) return { ok: true, value: { postgres, pgbouncer } };
  const missing: ('postgresql' | 'pgbouncer')[] = [];
  if (!postgres) missing.push('postgresql');
  if (!pgbouncer) missing.push('pgbouncer');
  return {
    ok: false,
    missing,
    message: `The rehearsal needs ${missing.map((name) => (name === 'postgresql' ? 'PostgreSQL' : 'PgBouncer')).join(' and ')}, which ${missing.length > 1 ? 'are' : 'is'} not installed here.`,
    next: [installCommand(missing)],
  };
}

/** The command that installs what is missing on this system. */
export function installCommand(missing: readonly string[], platform: NodeJS.Platform = process.platform): string {
  if (platform === 'darwin')
    return `brew install ${missing.map((name) => (name === 'postgresql' ? 'postgresql@16' : name)).join(' ')}`;
  return `sudo apt-get update && sudo apt-get install --no-install-recommends ${missing.join(' ')}`;
}

/** The full path of a program on PATH or in one of the extra folders. */
export function which(
  program: string,
  env: NodeJS.ProcessEnv = process.env,
  extra: readonly string[] = [],
): string | undefined {
  if (program.includes('/')) return executable(program) ? program : undefined;
  for (const folder of [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...extra]) {
    const path = join(folder, program);
    if (executable(path)) return path;
  }
  return undefined;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function folders(parent: string): string[] {
  try {
    return readdirSync(parent);
  } catch {
    return [];
  }
}

const newestFirst = (a: string, b: string) =>
  Number.parseFloat(b.replace(/^\D+/, '')) - Number.parseFloat(a.replace(/^\D+/, ''));

function postgresFolders(env: NodeJS.ProcessEnv): string[] {
  if (env.PGB_POSTGRES_BIN) return [env.PGB_POSTGRES_BIN];
  const found: string[] = [];
  // Debian keeps `postgres` and `initdb` out of PATH; its newest major is preferred to whatever PATH holds.
  for (const major of folders('/usr/lib/postgresql').sort(newestFirst)) found.push(`/usr/lib/postgresql/${major}/bin`);
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) found.push(folder);
  for (const prefix of ['/opt/homebrew/opt', '/usr/local/opt'])
    for (const keg of folders(prefix)
      .filter((name) => /^postgresql(@\d+)?$/.test(name))
      .sort(newestFirst))
      found.push(join(prefix, keg, 'bin'));
  for (const release of folders('/usr')
    .filter((name) => /^pgsql-\d+$/.test(name))
    .sort(newestFirst))
    found.push(`/usr/${release}/bin`);
  return found;
}

function findPostgres(env: NodeJS.ProcessEnv): PostgresServer | undefined {
  for (const bin of postgresFolders(env)) {
    if (!['postgres', 'initdb', 'psql'].every((program) => executable(join(bin, program)))) continue;
    const version = versionOf(join(bin, 'postgres'), ['--version'], env);
    if (version)
      return {
        bin,
        version,
        major: Number.parseInt(version, 10),
        libdir: ask(join(bin, 'pg_config'), ['--pkglibdir'], env) ?? debianLibdir(bin),
      };
  }
  return undefined;
}

/** Debian's `postgresql-15` has no pg_config of its own; its modules lie beside `bin`. */
function debianLibdir(bin: string): string | undefined {
  const libdir = join(bin, '..', 'lib');
  return folders(libdir).length > 0 ? libdir : undefined;
}

function findPgBouncer(env: NodeJS.ProcessEnv): PgBouncerServer | undefined {
  const program =
    env.PGB_PGBOUNCER ??
    which('pgbouncer', env, [
      '/usr/sbin',
      '/usr/local/sbin',
      '/opt/homebrew/bin',
      '/opt/homebrew/opt/pgbouncer/bin',
      '/usr/local/opt/pgbouncer/bin',
    ]);
  if (!program || !executable(program)) return undefined;
  const version = versionOf(program, ['--version'], env);
  return version ? { program, version } : undefined;
}

function versionOf(program: string, args: string[], env: NodeJS.ProcessEnv): string | undefined {
  return ask(program, args, env)?.match(/\d+(?:\.\d+)+|\d+(?:devel|beta\d+|rc\d+)?/)?.[0];
}

function ask(program: string, args: string[], env: NodeJS.ProcessEnv): string | undefined {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000, env })
      .trim()
      .split('\n')[0];
  } catch {
    return undefined;
  }
}
