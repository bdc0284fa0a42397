/**
 * pgbouncer.ini and pg_hba.conf, rendered for the version that will read them. A key that a version does not know stops
 * it from starting at all, so each key carries the version that brought it. Loaded for real by config.real.test.ts.
 */
import type { PoolerDatabase, PoolerSettings } from './config-types.ts';
import type { PgBouncerVersion } from './types.ts';
import { atLeast } from './version.ts';

export { atLeast, parseVersion } from './version.ts';

export const PATHS = {
  configDir: '/etc/pgbouncer',
  ini: '/etc/pgbouncer/pgbouncer.ini',
  hba: '/etc/pgbouncer/pg_hba.conf',
  authDir: '/etc/pgbouncer-auth',
  userlist: '/etc/pgbouncer-auth/userlist.txt',
  serverCaDir: '/etc/pgbouncer-server-ca',
  serverCa: '/etc/pgbouncer-server-ca/ca.crt',
  clientTlsDir: '/etc/pgbouncer-tls',
  clientCert: '/etc/pgbouncer-tls/tls.crt',
  clientKey: '/etc/pgbouncer-tls/tls.key',
} as const;

/** Version that brought a key, where it is above the oldest supported one (1.18). */
const SINCE: Record<string, readonly [number, number]> = {
  max_prepared_statements: [1, 21],
  track_extra_parameters: [1, 20],
  auth_dbname: [1, 19],
  max_db_client_connections: [1, 24],
  max_user_client_connections: [1, 24],
  transaction_timeout: [1, 25],
  client_tls13_ciphers: [1, 25],
  server_tls13_ciphers: [1, 25],
  auth_ident_file: [1, 24],
  cancel_wait_timeout: [1, 18],
};

export function knowsKey(version: PgBouncerVersion, key: string): boolean {
  const since = SINCE[key];
  return since === undefined || atLeast(version, since[0], since[1]);
}

/** `reserve_pool` in `[databases]` was renamed in 1.24; the old name is still read then, the new one is refused before. */
const reserveKey = (version: PgBouncerVersion) => (atLeast(version, 1, 24) ? 'reserve_pool_size' : 'reserve_pool');

function oneLine(value: string | number): string {
  const text = String(value);
  if (/[\r\n\0]/.test(text)) throw new Error('A setting of pgbouncer.ini holds a line feed or a NUL');
  return text;
}

/** A value of a connection string: quoted with `'` doubled unless it is plain. */
function dsnValue(value: string | number): string {
  const text = oneLine(value);
  return /^[A-Za-z0-9_.:/*-]+$/.test(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

/** A database name on the left of `=`: quoted with `"` unless it is plain. */
const aliasName = (name: string) =>
  /^[A-Za-z0-9_.-]+$|^\*$/.test(name) ? name : `"${oneLine(name).replaceAll('"', '""')}"`;

function databaseLine(version: PgBouncerVersion, database: PoolerDatabase): string {
  const parts: [string, string | number][] = [
    ['host', database.host],
    ['port', database.port],
    ['dbname', database.dbname],
  ];
  if (database.forcedUser !== undefined) parts.push(['user', database.forcedUser]);
  parts.push(
    ['pool_size', database.poolSize],
    ['min_pool_size', database.minPoolSize],
    [reserveKey(version), database.reservePool],
    ['max_db_connections', database.maxDbConnections],
  );
  return `${aliasName(database.name)} = ${parts.map(([key, value]) => `${key}=${dsnValue(value)}`).join(' ')}`;
}

/** The ini file for one version. Keys the version lacks are left out (and named in a comment line of their own). */
export function renderIni(version: PgBouncerVersion, settings: PoolerSettings): string {
  const keys: [string, string | number | undefined][] = [
    ['listen_addr', settings.listenAddr ?? '0.0.0.0'],
    ['listen_port', settings.listenPort ?? 6432],
    // Empty: no socket file, which a read-only root file system could not take.
    ['unix_socket_dir', ''],
    ['auth_type', 'hba'],
    ['auth_hba_file', settings.hbaFile ?? PATHS.hba],
    ['auth_file', settings.authFile ?? PATHS.userlist],
    ['auth_user', settings.authQuery?.user],
    ['auth_query', settings.authQuery?.query],
    ['auth_dbname', settings.authQuery?.database],
    ['admin_users', settings.adminUser],
    ['stats_users', settings.statsUser],
    ['pool_mode', 'transaction'],
    ['max_prepared_statements', settings.maxPreparedStatements ?? 200],
    ['max_client_conn', settings.maxClientConn],
    ['ignore_startup_parameters', (settings.ignoreStartupParameters ?? ['extra_float_digits']).join(',')],
    ['query_wait_timeout', settings.queryWaitTimeout ?? 15],
    ['server_login_retry', settings.serverLoginRetry ?? 3],
    ['server_connect_timeout', settings.serverConnectTimeout ?? 5],
    ['client_login_timeout', settings.clientLoginTimeout ?? 15],
    ['server_lifetime', settings.serverLifetime ?? 1800],
    ['server_idle_timeout', settings.serverIdleTimeout ?? 600],
    ['server_tls_sslmode', settings.serverTls?.mode ?? 'prefer'],
    ['server_tls_ca_file', settings.serverTls?.caFile],
    ['client_tls_sslmode', settings.clientTls?.mode],
    ['client_tls_key_file', settings.clientTls?.keyFile],
    ['client_tls_cert_file', settings.clientTls?.certFile],
    ['application_name_add_host', 1],
    // Wanted in the window: who connected from where.
    ['log_connections', 1],
    ['log_disconnections', 1],
    ['tcp_keepidle', 60],
    ['tcp_keepintvl', 10],
    ['tcp_keepcnt', 3],
  ];
  const merged = new Map<string, string | number>();
  for (const [key, value] of [...keys, ...Object.entries(settings.extra ?? {})]) {
    if (value !== undefined) merged.set(key, value);
  }
  const lines = [`; for PgBouncer ${version.text}`, '[databases]'];
  lines.push(...settings.databases.map((database) => databaseLine(version, database)), '', '[pgbouncer]');
  for (const [key, value] of merged) {
    if (knowsKey(version, key)) lines.push(`${key} = ${oneLine(value)}`.trimEnd());
    else lines.push(`; ${key} needs PgBouncer ${SINCE[key]!.join('.')}`);
  }
  return `${lines.join('\n')}\n`;
}

const hbaName = (name: string) => (/^[A-Za-z0-9_.-]+$/.test(name) ? name : `"${oneLine(name).replaceAll('"', '')}"`);

/**
 * The HBA file. It is what makes a forced user safe: without it every user of the list, `stats_user` too, could connect
 * to the database and become the forced role. It also keeps the console to a port-forward and the exporter beside it.
 */
export function renderHba(settings: PoolerSettings): string {
  const line = (database: string, user: string, address: string, method: string) =>
    `host ${database} ${user} ${address} ${method}`;
  const scram = 'scram-sha-256';
  const lines: string[] = [];
  for (const from of settings.consoleFrom ?? ['127.0.0.1/32']) {
    lines.push(line('pgbouncer', hbaName(settings.adminUser), from, scram));
    lines.push(line('pgbouncer', hbaName(settings.statsUser), from, scram));
  }
  lines.push(line('pgbouncer', 'all', '0.0.0.0/0', 'reject'));
  for (const database of settings.databases) {
    for (const user of database.users ?? settings.clientUsers) {
      lines.push(line(database.name === '*' ? 'all' : hbaName(database.name), hbaName(user), '0.0.0.0/0', scram));
    }
  }
  lines.push(line('all', 'all', '0.0.0.0/0', 'reject'));
  return `${lines.join('\n')}\n`;
}
