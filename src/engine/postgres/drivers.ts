/** What each driver does to a transaction pooler, by version of PgBouncer, and the setting that makes it behave. */
import type { PgBouncerVersion } from '../pgbouncer/types.ts';
import { atLeast } from '../pgbouncer/version.ts';
import type { Driver } from './types.ts';

interface DriverFacts {
  readonly title: string;
  /** Uses named prepared statements unless told otherwise: breaks where PgBouncer does not keep them. */
  readonly namedByDefault: boolean;
  /** What to set when PgBouncer does not keep prepared statements; undefined: nothing helps. */
  readonly without?: string;
  /** What to know in any case. */
  readonly always?: string;
  /** Not run by us; from its documentation. */
  readonly fromDocs?: boolean;
}

export const DRIVERS: Readonly<Record<Driver, DriverFacts>> = {
  sqlx: {
    title: 'sqlx (Rust)',
    namedByDefault: true,
    always:
      'It always sends extra_float_digits: ignore_startup_parameters must name it. Migrations (migrate!) take a session advisory lock: run them on the direct URL.',
  },
  pgx: {
    title: 'pgx (Go)',
    namedByDefault: true,
    without: 'default_query_exec_mode=exec (or cache_describe, simple_protocol) in the URL',
    always: 'Unknown URL parameters are sent to the server: remove ?pgbouncer=true.',
  },
  pgjdbc: {
    title: 'pgjdbc (Java)',
    namedByDefault: true,
    without: 'prepareThreshold=0 in the URL',
    always: 'It sends extra_float_digits; currentSchema is a startup parameter and refused before 1.26.',
  },
  npgsql: {
    title: 'Npgsql (.NET)',
    namedByDefault: false,
    without: 'Max Auto Prepare=0 (the default)',
    always: 'Set No Reset On Close=true. Its connection string is no URL.',
    fromDocs: true,
  },
  asyncpg: {
    title: 'asyncpg (Python)',
    namedByDefault: true,
    without: 'statement_cache_size=0',
    always: 'server_settings are startup parameters and refused.',
  },
  psycopg: {
    title: 'psycopg 3 (Python)',
    namedByDefault: true,
    without: 'prepare_threshold=None',
    always: 'options= in the URL is refused.',
  },
  'node-pg': {
    title: 'node-postgres',
    namedByDefault: false,
    without: 'no `name` in queries',
    always:
      "statement_timeout, lock_timeout and idle_in_transaction_session_timeout are startup parameters and refused; query_timeout is the client's own.",
  },
  'postgres.js': { title: 'postgres.js', namedByDefault: false, without: 'prepare: false' },
  prisma: {
    title: 'Prisma',
    namedByDefault: true,
    without: 'pgbouncer=true in the URL',
    always: 'Migrations need directUrl. Do not set pgbouncer=true when PgBouncer keeps prepared statements.',
    fromDocs: true,
  },
  rails: {
    title: 'Rails (Active Record)',
    namedByDefault: true,
    without: 'prepared_statements: false in database.yml',
    always:
      'Migrations take a session advisory lock: run them on the direct URL. `variables:` in database.yml are SETs of the session.',
    fromDocs: true,
  },
  django: {
    title: 'Django',
    namedByDefault: false,
    always: 'Set DISABLE_SERVER_SIDE_CURSORS = True. OPTIONS with options= is refused.',
    fromDocs: true,
  },
  libpq: { title: 'libpq', namedByDefault: false, always: 'options= in the URL is refused.' },
  unknown: { title: 'unknown driver', namedByDefault: false },
};

/** May protocol-level prepared statements be used with this pooler? `setting` is max_prepared_statements when known. */
export function keepsPreparedStatements(version: PgBouncerVersion, setting?: number): boolean {
  if (!atLeast(version, 1, 21)) return false;
  return (setting ?? (atLeast(version, 1, 24) ? 200 : 0)) > 0;
}

/** Advice for one service's driver, and whether it breaks as it is. Our own ini sets max_prepared_statements from 1.21 on. */
export function driverAdvice(
  driver: Driver,
  version: PgBouncerVersion,
  setting = 200,
): { readonly breaks: boolean; readonly advice: readonly string[] } {
  const facts = DRIVERS[driver];
  const keeps = keepsPreparedStatements(version, setting);
  const breaks = facts.namedByDefault && !keeps;
  const advice: string[] = [];
  if (breaks) {
    advice.push(
      facts.without
        ? `PgBouncer ${version.text} does not keep prepared statements: set ${facts.without}.`
        : `PgBouncer ${version.text} does not keep prepared statements and ${facts.title} cannot do without: run PgBouncer 1.21 or later.`,
    );
  }
  if (facts.always) advice.push(facts.always);
  return { breaks, advice };
}

/** The driver as far as an image name or a URL tells; `unknown` otherwise. */
export function guessDriver(hints: {
  readonly url?: string;
  readonly image?: string;
  readonly env?: readonly string[];
  readonly applicationName?: string;
}): Driver {
  const name = hints.applicationName ?? '';
  const env = (hints.env ?? []).join(' ');
  if (
    /^jdbc:postgresql:/.test(hints.url ?? '') ||
    /PostgreSQL JDBC Driver/.test(name) ||
    /SPRING_DATASOURCE|JAVA_OPTS/.test(env)
  )
    return 'pgjdbc';
  if (/^postgresql\+asyncpg:/.test(hints.url ?? '')) return 'asyncpg';
  if (/^postgresql\+psycopg/.test(hints.url ?? '')) return 'psycopg';
  if (/[?&](pgbouncer|connection_limit|schema)=/.test(hints.url ?? '') || /PRISMA_/.test(env)) return 'prisma';
  if (/\bRAILS_ENV\b/.test(env)) return 'rails';
  if (/\bDJANGO_SETTINGS_MODULE\b/.test(env)) return 'django';
  if (/\b(DOTNET_|ASPNETCORE_)/.test(env)) return 'npgsql';
  return 'unknown';
}
