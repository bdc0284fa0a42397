/** The rules of our own pgbouncer.ini, read against a file somebody else wrote. */
import { knowsKey } from './config.ts';
import { parseIni } from './ini-parse.ts';
import type { Finding, PgBouncerVersion } from './types.ts';
import { atLeast } from './version.ts';

/** Findings about one ini file for the version that will read it. */
export function checkIni(text: string, version: PgBouncerVersion): Finding[] {
  const findings: Finding[] = [];
  const add = (id: string, severity: Finding['severity'], title: string, detail: string, fix?: string) =>
    findings.push({ id, severity, title, detail, ...(fix ? { fix } : {}) });
  const { databases, settings, odd } = parseIni(text);
  const get = (key: string) => settings.get(key);
  const list = (key: string) =>
    (get(key) ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean);

  if (odd.length > 0)
    add('ini-syntax', 'block', 'pgbouncer.ini has lines PgBouncer cannot read', `lines ${odd.join(', ')}`);
  if (databases.size === 0)
    add('ini-no-database', 'block', 'pgbouncer.ini names no database', 'the section [databases] is empty');
  for (const key of settings.keys()) {
    if (!knowsKey(version, key)) {
      add(
        'ini-unknown-key',
        'block',
        `PgBouncer ${version.text} does not know ${key} and will not start`,
        `${key} = ${get(key)}`,
        `Remove ${key}, or run a newer PgBouncer`,
      );
    }
  }
  for (const [name, value] of settings) {
    if (/\s[;#]/.test(value)) {
      add(
        'ini-inline-comment',
        'block',
        `${name} has a comment behind its value, which PgBouncer reads as part of the value`,
        `${name} = ${value}`,
        'Put the comment on a line of its own',
      );
    }
  }
  const authType = get('auth_type') ?? 'md5';
  if (['any', 'trust'].includes(authType)) {
    add(
      'ini-auth-open',
      'block',
      `auth_type=${authType} lets anybody in`,
      'every pod that reaches the port can log in',
      'Use auth_type=hba or scram-sha-256',
    );
  } else if (['plain', 'md5'].includes(authType)) {
    add(
      'ini-auth-weak',
      'warn',
      `auth_type=${authType} does not ask for SCRAM`,
      authType === 'md5' ? 'md5 uses SCRAM only for users stored as SCRAM' : 'passwords cross the network in clear',
      'Use auth_type=hba with scram-sha-256 lines',
    );
  }
  if ((get('pool_mode') ?? 'session') !== 'transaction') {
    add(
      'ini-pool-mode',
      'warn',
      `pool_mode is ${get('pool_mode') ?? 'session (the default)'}`,
      'a server connection is kept as long as its client stays connected, so nothing is saved',
      'Set pool_mode = transaction',
    );
  }
  const ignored = list('ignore_startup_parameters');
  if (!ignored.includes('extra_float_digits')) {
    add(
      'ini-extra-float-digits',
      'block',
      'ignore_startup_parameters lacks extra_float_digits',
      'pgjdbc, sqlx and lib/pq (the exporter) send it and are refused: "unsupported startup parameter"',
      'Add extra_float_digits to ignore_startup_parameters',
    );
  }
  const dropped = ignored.filter((name) => name !== 'extra_float_digits');
  if (dropped.length > 0) {
    add(
      'ini-ignored-parameters',
      'warn',
      `ignore_startup_parameters drops ${dropped.join(', ')} silently`,
      'clients connect and run without the setting they asked for',
      'Move the values to ALTER ROLE … IN DATABASE … SET',
    );
  }
  if (Number(get('max_client_conn') ?? 100) < 500) {
    add(
      'ini-max-client-conn',
      'warn',
      `max_client_conn is ${get('max_client_conn') ?? '100 (the default)'}`,
      'one pooler must carry every client while the other is gone',
      'Set max_client_conn = 1000, or 1.25 times the sum of application pools',
    );
  }
  const prepared = Number(get('max_prepared_statements') ?? (atLeast(version, 1, 24) ? 200 : 0));
  if (prepared === 0) {
    add(
      'ini-prepared-statements',
      'warn',
      'Prepared statements of the protocol are not supported with this version and setting',
      `PgBouncer ${version.text}, max_prepared_statements ${get('max_prepared_statements') ?? 'not set'}`,
      atLeast(version, 1, 21)
        ? 'Set max_prepared_statements = 200'
        : 'Run PgBouncer 1.21 or later, or turn them off in every driver',
    );
  }
  if (Number(get('query_wait_timeout') ?? 120) > 60) {
    add(
      'ini-query-wait-timeout',
      'info',
      `query_wait_timeout is ${get('query_wait_timeout') ?? '120 (the default)'} s`,
      'clients wait that long before they hear that PostgreSQL is down, and hear nothing else',
      'Set query_wait_timeout = 15',
    );
  }
  if (!get('admin_users'))
    add(
      'ini-no-admin',
      'warn',
      'admin_users is not set',
      'nobody may RELOAD, RECONNECT or PAUSE',
      'Set admin_users = admin',
    );
  if (!get('stats_users') && !get('admin_users')) {
    add(
      'ini-no-console',
      'block',
      'Nobody may read the console',
      'neither admin_users nor stats_users is set',
      'Set stats_users = stats_user',
    );
  }
  for (const [alias, entry] of databases) {
    const host = entry.get('host') ?? '';
    if (entry.has('user') && authType !== 'hba') {
      add(
        'ini-forced-user-without-hba',
        'block',
        `Every user of the userlist becomes ${entry.get('user')} in ${alias}`,
        'a forced user without an HBA file gives stats_user and admin the role of the services',
        'Use auth_type=hba and reject the others',
      );
    }
    if (entry.has('password')) {
      add(
        'ini-password',
        'block',
        `The entry of ${alias} holds a password`,
        'the file is usually a ConfigMap, which everybody may read',
        'Put the password into the userlist of the Secret',
      );
    }
    if (/pgbouncer/.test(host)) {
      add(
        'ini-upstream-is-pooler',
        'block',
        `The pooler's own address of PostgreSQL is ${host}`,
        'an address replaced in every file (sed) makes the pooler connect to itself',
        'Set host to the Service of PostgreSQL',
      );
    } else if (host !== '' && !host.includes('.') && !host.includes('/')) {
      add(
        'ini-short-upstream',
        'info',
        `The upstream host ${host} is a short name`,
        'PgBouncer caches DNS answers itself; a full name needs one look-up',
        `Write ${host}.<namespace>.svc.cluster.local`,
      );
    }
    if (entry.has('reserve_pool_size') && !atLeast(version, 1, 24)) {
      add(
        'ini-unknown-key',
        'block',
        `PgBouncer ${version.text} does not know reserve_pool_size in [databases]`,
        alias,
        'Write reserve_pool',
      );
    }
  }
  return findings;
}
