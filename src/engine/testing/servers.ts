/**
 * Real PostgreSQL and PgBouncer for `*.real.test.ts`: temporary folders, free ports, an unprivileged account when the
 * tests run as root (both servers refuse root), and an end with the test process whatever happens to it.
 *
 * PGB_POSTGRES_BIN names another folder of PostgreSQL programs, PGB_PGBOUNCER another PgBouncer
 * (`node scripts/fetch-pgbouncer.mjs` unpacks newer ones).
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { atLeast, parseVersion } from '../pgbouncer/config.ts';
import type { Connect, PgBouncerVersion } from '../pgbouncer/types.ts';
import { openPostgres } from '../postgres/connect.ts';
import type { Postgres } from '../postgres/types.ts';
import { fail, ok } from '../result.ts';
import { Secret } from '../secret.ts';

const run = promisify(execFile);
const asRoot = process.getuid?.() === 0;

function account(): { uid: number; gid: number } | undefined {
  if (!asRoot) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) => Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // This account does not exist here; the next one is tried, and none at all is an error below.
    }
  }
  throw new Error('The tests run as root and there is neither a postgres nor a nobody account');
}
const unprivileged = account();

/** Command line that drops root and dies with this process (Linux). */
function command(program: string, args: readonly string[]): [string, string[]] {
  if (process.platform !== 'linux') return [program, [...args]];
  const drop = unprivileged ? [`--reuid=${unprivileged.uid}`, `--regid=${unprivileged.gid}`, '--clear-groups'] : [];
  return ['setpriv', [...drop, '--pdeathsig=KILL', program, ...args]];
}

function folder(prefix: string): string {
  const path = mkdtempSync(join(tmpdir(), prefix));
  if (unprivileged) chownSync(path, unprivileged.uid, unprivileged.gid);
  return path;
}

function put(path: string, text: string): string {
  writeFileSync(path, text, { mode: 0o600 });
  if (unprivileged) chownSync(path, unprivileged.uid, unprivileged.gid);
  return path;
}

/** A file that the servers' account may read, in a folder of its own; `remove` deletes both. */
export function serverFile(name: string, text: string): { path: string; remove(): void } {
  const dir = folder('pgb-test-file-');
  return { path: put(join(dir, name), text), remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/**
 * Where connections are refused. A port that was free a moment ago may be the next server's of another test by now, and a
 * socket that connects to a port of the ephemeral range may even meet itself: this one is below it.
 */
export const REFUSED_PORT = 1;

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Waits until `probe` answers something truthy; throws with `what` and the last answer when it does not. */
export async function until<T>(what: string, probe: () => Promise<T> | T, limitMs = 15_000): Promise<NonNullable<T>> {
  const end = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value as NonNullable<T>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`Waited ${limitMs} ms for ${what}; last seen: ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
}

/** A stream to a local port, as a port-forward gives one; `localAddress` makes it come from another address. */
export function connectTo(port: number, host = '127.0.0.1', localAddress?: string): Connect {
  return () =>
    new Promise((resolve) => {
      const socket: Socket = dial({ port, host, ...(localAddress ? { localAddress } : {}) });
      const failed = (error: Error) =>
        resolve(fail('stream-failed', `No connection to ${host}:${port}: ${error.message}`, { retryable: true }));
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.off('error', failed);
        resolve(ok(socket));
      });
    });
}

function find(program: string, places: readonly string[]): string {
  for (const place of [...(process.env.PATH ?? '').split(delimiter), ...places]) {
    const path = join(place, program);
    if (place && existsSync(path)) return path;
  }
  throw new Error(
    `${program} is not installed; install it (apt-get install postgresql pgbouncer) and run the tests again`,
  );
}

function postgresBin(): string {
  if (process.env.PGB_POSTGRES_BIN) return process.env.PGB_POSTGRES_BIN;
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const places = versions.map((version) => join(root, version, 'bin'));
  // A link in /usr/local/bin stands alone; the other programs are where it points to.
  return dirname(realpathSync(find('postgres', places)));
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}

export interface TestPostgres {
  readonly port: number;
  readonly superuser: 'postgres';
  readonly superPassword: Secret;
  readonly bin: string;
  /** Opens a session; superuser unless told otherwise. */
  open(more?: {
    user?: string;
    password?: Secret;
    database?: string;
    port?: number;
    localAddress?: string;
    applicationName?: string;
  }): Promise<Postgres>;
  /** Runs SQL as superuser; throws with the server's words. */
  sql(text: string, database?: string): Promise<readonly Record<string, unknown>[]>;
  /** The server's log so far. */
  log(): string;
  reloadHba(lines: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a PostgreSQL with SCRAM on 127.0.0.1 in a temporary folder. */
export async function startPostgres(settings: Readonly<Record<string, string | number>> = {}): Promise<TestPostgres> {
  const bin = postgresBin();
  const dir = folder('pgb-test-pg-');
  const data = join(dir, 'data');
  const superPassword = new Secret('superuser-of-the-tests-1');
  const pwfile = put(join(dir, 'pw'), superPassword.reveal());
  const [initdb, initdbArgs] = command(join(bin, 'initdb'), [
    '-D',
    data,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${pwfile}`,
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C',
  ]);
  await run(initdb, initdbArgs, { cwd: dir });
  put(join(data, 'pg_hba.conf'), 'host all all 127.0.0.0/8 scram-sha-256\n');
  const port = await freePort();
  const all = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    max_connections: 60,
    log_connections: 'on',
    shared_buffers: '16MB',
    max_wal_size: '128MB',
    ...settings,
  };
  const flags = Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const [postgres, args] = command(join(bin, 'postgres'), ['-D', data, ...flags]);
  const child = spawn(postgres, args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout.on('data', (chunk) => (log += chunk));
  child.stderr.on('data', (chunk) => (log += chunk));
  const server: TestPostgres = {
    port,
    superuser: 'postgres',
    superPassword,
    bin,
    async open(more = {}) {
      const session = await openPostgres({
        connect: connectTo(more.port ?? port, '127.0.0.1', more.localAddress),
        user: more.user ?? 'postgres',
        password: more.password ?? superPassword,
        database: more.database ?? 'postgres',
        ...(more.applicationName ? { applicationName: more.applicationName } : {}),
      });
      if (!session.ok) throw new Error(session.error.message);
      return session.value;
    },
    async sql(text, database = 'postgres') {
      const session = await server.open({ database });
      try {
        const rows = await session.query(text);
        if (!rows.ok) throw new Error(rows.error.message);
        return rows.value;
      } finally {
        await session.close();
      }
    },
    log: () => log,
    async reloadHba(lines) {
      put(join(data, 'pg_hba.conf'), `${lines.join('\n')}\n`);
      await server.sql('select pg_reload_conf()');
    },
    async stop() {
      child.kill('SIGQUIT');
      await ended(child);
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await until('PostgreSQL to accept connections', async () => {
    if (child.exitCode !== null) throw new Error(`PostgreSQL ended: ${log}`);
    return server.sql('select 1');
  });
  return server;
}

function pgbouncerBinary(): string {
  return process.env.PGB_PGBOUNCER ?? find('pgbouncer', ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin']);
}

/** The version of the PgBouncer under test. */
export function pgbouncerVersion(): PgBouncerVersion {
  const version = parseVersion(execFileSync(pgbouncerBinary(), ['--version'], { encoding: 'utf8' }).split('\n')[0]!);
  if (!version.ok) throw new Error(version.error.message);
  return version.value;
}

export interface TestPooler {
  readonly port: number;
  readonly dir: string;
  readonly pid: number;
  readonly iniPath: string;
  readonly userlistPath: string;
  log(): string;
  /** Rewrites a file of the pooler. */
  write(file: 'pgbouncer.ini' | 'pg_hba.conf' | 'userlist.txt', text: string): void;
  signal(name: NodeJS.Signals): void;
  running(): boolean;
  exited: Promise<void>;
  stop(): Promise<void>;
}

export interface PoolerFiles {
  readonly userlist: string;
  readonly hba?: string;
  /** Called with the pooler's port and folder, so that listen_port and paths can be written. */
  readonly ini: (place: { port: number; dir: string; authFile: string; hbaFile: string }) => string;
  /** Default: wait until the port accepts connections. */
  readonly expectStart?: boolean;
}

/** Starts one PgBouncer with these files. Throws with its log when it ends at once (unless `expectStart` is false). */
export async function startPooler(files: PoolerFiles): Promise<TestPooler> {
  const dir = folder('pgb-test-pooler-');
  const port = await freePort();
  const authFile = join(dir, 'userlist.txt');
  const hbaFile = join(dir, 'pg_hba.conf');
  const iniPath = join(dir, 'pgbouncer.ini');
  put(authFile, files.userlist);
  put(hbaFile, files.hba ?? '');
  put(iniPath, files.ini({ port, dir, authFile, hbaFile }));
  const [program, args] = command(pgbouncerBinary(), [iniPath]);
  const child = spawn(program, args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout.on('data', (chunk) => (log += chunk));
  child.stderr.on('data', (chunk) => (log += chunk));
  const pooler: TestPooler = {
    port,
    dir,
    pid: child.pid!,
    iniPath,
    userlistPath: authFile,
    log: () => log,
    write: (file, text) => void put(join(dir, file), text),
    signal: (name) => void child.kill(name),
    running: () => child.exitCode === null && child.signalCode === null,
    exited: ended(child),
    async stop() {
      child.kill('SIGKILL');
      await ended(child);
      rmSync(dir, { recursive: true, force: true });
    },
  };
  if (files.expectStart === false) {
    await until('PgBouncer to end', () => !pooler.running());
    return pooler;
  }
  await until('PgBouncer to listen', async () => {
    if (!pooler.running()) throw new Error(`PgBouncer ended: ${log}`);
    const stream = await connectTo(port)();
    if (stream.ok) stream.value.destroy();
    return stream.ok;
  });
  return pooler;
}

export { atLeast };
