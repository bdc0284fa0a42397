/**
 * A container of a `postgres` image: a real PostgreSQL server on the pod's address, SCRAM for everyone who comes over
 * TCP, a superuser `postgres` on the pod's local socket. Durability is off: the data lives as long as the pod.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ContainerContext, RunningContainer } from './container.ts';
import { processEnvironment, startProcess } from './process.ts';

const run = promisify(execFile);
const POSTGRES_PORT = 5432;

/** Where the server's local socket is, for `psql` inside the pod. */
export const socketFolder = (data: string): string => join(data, 's');

export async function startPostgres(context: ContainerContext): Promise<RunningContainer> {
  const { machine, data, ip, env } = context;
  const { bin, libdir } = machine.servers.postgres;
  const pgdata = join(data, 'pgdata');
  const socket = socketFolder(data);
  const port = await context.publish(POSTGRES_PORT);
  const fresh = !existsSync(join(pgdata, 'PG_VERSION'));
  if (fresh) {
    mkdirSync(socket, { recursive: true });
    machine.launcher.own(socket);
    const init = machine.launcher.wrap(join(bin, 'initdb'), [
      '-D',
      pgdata,
      '-U',
      'postgres',
      '--no-sync',
      '--no-locale',
      '-E',
      'UTF8',
      '--auth-local=trust',
      '--auth-host=scram-sha-256',
    ]);
    await run(init.program, init.args, { cwd: data, env: processEnvironment(new Map()) });
    writeConfig(context, pgdata, `local all all trust\nhost all all all scram-sha-256\n`);
  }
  const preload = libdir && existsSync(join(libdir, 'pg_stat_statements.so')) ? 'pg_stat_statements' : '';
  const settings: Record<string, string | number> = {
    listen_addresses: ip,
    port,
    unix_socket_directories: socket,
    max_connections: machine.maxConnections,
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    shared_buffers: '64MB',
    password_encryption: 'scram-sha-256',
    shared_preload_libraries: preload,
    log_min_messages: 'warning',
    log_line_prefix: '%m [%p] %u@%d ',
    logging_collector: 'off',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // SIGINT is PostgreSQL's fast shutdown, which the official image uses too; SIGQUIT leaves no backend when the host dies.
  const server = await startProcess(context, join(bin, 'postgres'), ['-D', pgdata, ...args], {
    stopSignal: 'SIGINT',
    deathSignal: 'QUIT',
    cwd: data,
  });
  try {
    await waitForAnswer(context, socket, port, server);
    if (fresh) await createDatabase(context, socket, port, Boolean(preload), env);
  } catch (error) {
    // A container that failed to start leaves no server behind, and its next start finds no half-made database.
    server.kill();
    await server.exited;
    if (fresh) rmSync(pgdata, { recursive: true, force: true });
    throw error;
  }
  return server;
}

function writeConfig({ machine }: ContainerContext, pgdata: string, hba: string): void {
  const path = join(pgdata, 'pg_hba.conf');
  writeFileSync(path, hba, { mode: 0o600 });
  machine.launcher.own(path);
}

const START_LIMIT_MS = 60_000;

/** The socket is there before the server takes queries ("the database system is starting up"), so a query is what counts. */
async function waitForAnswer(
  context: ContainerContext,
  socket: string,
  port: number,
  server: RunningContainer,
): Promise<void> {
  let gone = false;
  void server.exited.then(() => {
    gone = true;
  });
  for (const deadline = Date.now() + START_LIMIT_MS; !gone; ) {
    if (existsSync(join(socket, `.s.PGSQL.${port}`))) {
      try {
        await sql(context, socket, port, 'postgres', 'select 1;');
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    } else if (Date.now() > deadline) throw new Error('PostgreSQL did not open its socket');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs SQL as the superuser over the pod's socket; the statements travel on standard input, never as arguments. */
async function sql(
  context: ContainerContext,
  socket: string,
  port: number,
  database: string,
  statements: string,
): Promise<void> {
  const { launcher, servers } = context.machine;
  const psql = launcher.wrap(join(servers.postgres.bin, 'psql'), [
    '-X',
    '-q',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    socket,
    '-p',
    String(port),
    '-U',
    'postgres',
    '-d',
    database,
  ]);
  await new Promise<void>((resolve, reject) => {
    const child = execFile(
      psql.program,
      psql.args,
      { cwd: context.data, env: processEnvironment(new Map()) },
      (error, _out, errors) => (error ? reject(new Error(`psql: ${errors}`)) : resolve()),
    );
    // A psql that ended before it read everything closes the pipe; its exit code above tells why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(statements);
  });
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const identifier = (text: string): string => `"${text.replaceAll('"', '""')}"`;

async function createDatabase(
  context: ContainerContext,
  socket: string,
  port: number,
  statistics: boolean,
  env: Map<string, string>,
): Promise<void> {
  const user = env.get('POSTGRES_USER') ?? 'nova_user';
  const password = env.get('POSTGRES_PASSWORD') ?? '';
  const database = env.get('POSTGRES_DB') ?? 'nova';
  await sql(
    context,
    socket,
    port,
    'postgres',
    `create role ${identifier(user)} login password ${literal(password)};\ncreate database ${identifier(database)} owner ${identifier(user)};\n`,
  );
  await sql(
    context,
    socket,
    port,
    database,
    `${statistics ? 'create extension pg_stat_statements;' : ''}
set role ${identifier(user)};
create table items (id int primary key, service text not null, body text not null, n bigint not null default 0, updated_at timestamptz not null default now());
insert into items (id, service, body) select i, 'seed', 'item ' || i from generate_series(1, 1000) i;
create table events (id bigserial primary key, service text not null, kind text not null, at timestamptz not null default now());
create index events_service on events (service, id);
reset role;
${statistics ? '-- what made the database is no traffic of its services\nselect pg_stat_statements_reset();' : ''}
`,
  );
}
