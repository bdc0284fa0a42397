/** The database address of a service, in every form services have it: URL, JDBC, libpq and .NET strings, split settings. */
import { settingsOfFile, settingsOfFlags } from './app-settings.ts';

export interface DatabaseAddress {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** The variable or argument it was found in. */
  from: string;
}

const FIRST = [
  'DATABASE_URL',
  'DATABASE_URI',
  'DB_URL',
  'POSTGRES_URL',
  'POSTGRESQL_URL',
  'SPRING_DATASOURCE_URL',
  'SQLALCHEMY_DATABASE_URI',
  'PG_DSN',
  'DB_DSN',
  'DSN',
];

const URL_IN_TEXT = /(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?:\/\/[^\s"'`<>]+/;

export function findDatabase(
  env: ReadonlyMap<string, string>,
  args: readonly string[] = [],
  files: readonly string[] = [],
): DatabaseAddress | undefined {
  const names = [...FIRST, ...[...env.keys()].filter((name) => !FIRST.includes(name))];
  for (const name of names) {
    const value = env.get(name);
    const parsed = value ? parseDatabase(value) : undefined;
    if (parsed) return withCredentials({ ...parsed, from: name }, env);
  }
  for (const text of args) {
    const parsed = parseDatabase(URL_IN_TEXT.exec(text)?.[0] ?? text.replace(/^--?[\w.-]+[= ]/, ''));
    if (parsed) return withCredentials({ ...parsed, from: 'args' }, env);
  }
  for (const prefix of ['PG', 'DB_', 'DATABASE_', 'POSTGRES_', 'POSTGRESQL_']) {
    const host = env.get(`${prefix}HOST`) ?? (prefix === 'PG' ? env.get('PGHOSTADDR') : undefined);
    if (!host) continue;
    const port = Number(env.get(`${prefix}PORT`));
    return withCredentials(
      {
        host,
        port: Number.isInteger(port) && port > 0 ? port : 5432,
        user: '',
        password: '',
        database: '',
        from: `${prefix}HOST`,
      },
      env,
    );
  }
  for (const text of files) {
    const inside = URL_IN_TEXT.exec(text)?.[0];
    const parsed = inside ? parseDatabase(inside) : undefined;
    if (parsed) return withCredentials({ ...parsed, from: 'file' }, env);
  }
  for (const [from, settings] of [
    ['args', settingsOfFlags(args)] as const,
    ...files.map((text) => ['file', settingsOfFile(text)] as const),
  ]) {
    const found = fromSettings(settings);
    if (found) return withCredentials({ ...found, from }, env);
  }
  for (const text of files) {
    const parsed = parseDatabase(/(?:^|\s)((?:host|Host|Server)\s*=.*)/m.exec(text)?.[1] ?? '');
    if (parsed) return withCredentials({ ...parsed, from: 'file' }, env);
  }
  return undefined;
}

/** A whole address in one setting, else a host with its port, user, password and database beside it. */
function fromSettings(settings: ReadonlyMap<string, string>): Omit<DatabaseAddress, 'from'> | undefined {
  for (const value of settings.values()) {
    const whole = parseDatabase(value);
    if (whole) return whole;
  }
  for (const [key, host] of settings) {
    const prefix = /^(.*?)host$/i.exec(key)?.[1];
    if (prefix === undefined || !/^[a-z0-9.-]+$/.test(host)) continue;
    const beside = (...names: string[]): string =>
      [...settings].find(([other]) =>
        names.some((name) => other.toLowerCase() === (prefix + name).toLowerCase()),
      )?.[1] ?? '';
    const port = Number(beside('port'));
    return {
      host,
      port: Number.isInteger(port) && port > 0 ? port : 5432,
      user: beside('user', 'username'),
      password: beside('password'),
      database: beside('name', 'database', 'dbname'),
    };
  }
  return undefined;
}

/** One string; undefined when it is no address of a PostgreSQL. */
export function parseDatabase(text: string): Omit<DatabaseAddress, 'from'> | undefined {
  const url = text.match(
    /^(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?/,
  );
  if (url) {
    const [user = '', password = ''] = (url[1] ?? '').split(/:(.*)/s);
    const query = new URLSearchParams(url[4] ?? '');
    const [host = '', port] = ((url[2] ?? '').split(',')[0] ?? '').split(':');
    return {
      host: decode(host) || query.get('host') || 'localhost',
      port: Number(port || query.get('port') || 5432),
      user: decode(user) || query.get('user') || '',
      password: decode(password) || query.get('password') || '',
      database: decode(url[3] ?? ''),
    };
  }
  if (!/(?:^|[\s;])(?:host|server)\s*=/i.test(text)) return undefined;
  const pairs = new Map<string, string>();
  for (const [, key, quoted, plain] of text.matchAll(/([\w ]+?)\s*=\s*(?:'([^']*)'|([^\s;]+))/g))
    pairs.set((key as string).trim().toLowerCase(), quoted ?? plain ?? '');
  const host = pairs.get('host') ?? pairs.get('server');
  if (!host) return undefined;
  return {
    host,
    port: Number(pairs.get('port') ?? 5432),
    user: pairs.get('user') ?? pairs.get('username') ?? pairs.get('user id') ?? '',
    password: pairs.get('password') ?? '',
    database: pairs.get('dbname') ?? pairs.get('database') ?? '',
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const USERS = ['PGUSER', 'DB_USER', 'DB_USERNAME', 'DATABASE_USER', 'POSTGRES_USER', 'SPRING_DATASOURCE_USERNAME'];
const PASSWORDS = [
  'PGPASSWORD',
  'DB_PASS',
  'DB_PASSWORD',
  'DATABASE_PASSWORD',
  'POSTGRES_PASSWORD',
  'SPRING_DATASOURCE_PASSWORD',
];
const NAMES = ['PGDATABASE', 'DB_NAME', 'DB_DATABASE', 'DATABASE_NAME', 'POSTGRES_DB'];

function withCredentials(address: DatabaseAddress, env: ReadonlyMap<string, string>): DatabaseAddress {
  const first = (names: string[]) => names.map((name) => env.get(name)).find((value) => value) ?? '';
  const user = address.user || first(USERS) || 'nova_user';
  return {
    ...address,
    user,
    password: address.password || first(PASSWORDS),
    database: address.database || first(NAMES) || user,
  };
}
