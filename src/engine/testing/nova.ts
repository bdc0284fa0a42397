/** The guide's database and roles on a real server, and poolers made by the product's own code in front of it. */
import { renderHba, renderIni } from '../pgbouncer/config.ts';
import type { PoolerDatabase, PoolerSettings } from '../pgbouncer/config-types.ts';
import type { UserlistEntry } from '../pgbouncer/credential-types.ts';
import { renderUserlist } from '../pgbouncer/credentials.ts';
import type { Postgres } from '../postgres/types.ts';
import { Secret } from '../secret.ts';
import { pgbouncerVersion, startPooler, startPostgres, type TestPooler, type TestPostgres } from './servers.ts';

export const NOVA = new Secret('nova-password-of-tests');
export const ADMIN = new Secret('admin-password-of-tests');
export const STATS = new Secret('stats-password-of-tests');

export async function startNova(settings: Readonly<Record<string, string | number>> = {}): Promise<TestPostgres> {
  const postgres = await startPostgres(settings);
  await postgres.sql(`create role nova_user login password '${NOVA.reveal()}'`);
  await postgres.sql('create database nova owner nova_user');
  return postgres;
}

export interface NovaPoolerOptions {
  /** What the userlist holds for nova_user; default the clear password; null: no entry. */
  readonly nova?: Secret | null;
  readonly more?: readonly UserlistEntry[];
  readonly database?: Partial<PoolerDatabase>;
  readonly settings?: Partial<PoolerSettings>;
  /** Changes the rendered text (to make the guide's form of it). */
  readonly edit?: (ini: string) => string;
  readonly hba?: string;
  readonly userlist?: string;
}

/** A pooler with the product's own files, small timeouts, and a pool of 4. */
export async function startNovaPooler(postgres: TestPostgres, options: NovaPoolerOptions = {}): Promise<TestPooler> {
  const version = pgbouncerVersion();
  const make = (place: { port: number; authFile: string; hbaFile: string }): PoolerSettings => ({
    databases: [
      {
        name: 'nova',
        host: '127.0.0.1',
        port: postgres.port,
        dbname: 'nova',
        forcedUser: 'nova_user',
        poolSize: 4,
        minPoolSize: 2,
        reservePool: 0,
        maxDbConnections: 4,
        ...options.database,
      },
    ],
    clientUsers: ['nova_user'],
    adminUser: 'admin',
    statsUser: 'stats_user',
    maxClientConn: 50,
    listenAddr: '127.0.0.1',
    listenPort: place.port,
    authFile: place.authFile,
    hbaFile: place.hbaFile,
    serverLoginRetry: 1,
    queryWaitTimeout: 2,
    serverConnectTimeout: 2,
    ...options.settings,
  });
  const entries: UserlistEntry[] = [
    ...(options.nova === null ? [] : [{ user: 'nova_user', secret: options.nova ?? NOVA }]),
    { user: 'admin', secret: ADMIN },
    { user: 'stats_user', secret: STATS },
    ...(options.more ?? []),
  ];
  const rendered = (place: { port: number; authFile: string; hbaFile: string }) => renderIni(version, make(place));
  return startPooler({
    userlist: options.userlist ?? renderUserlist(entries).reveal(),
    hba: options.hba ?? renderHba(make({ port: 0, authFile: '', hbaFile: '' })),
    ini: (place) => (options.edit ? options.edit(rendered(place)) : rendered(place)),
  });
}

/** One statement through a pooler as nova_user; the error's message when it fails. */
export async function through(
  postgres: TestPostgres,
  pooler: TestPooler,
  options: {
    user?: string;
    password?: Secret;
    database?: string;
    sql?: string;
    hold?: (session: Postgres) => Promise<void>;
  } = {},
): Promise<string> {
  try {
    const session = await postgres.open({
      port: pooler.port,
      user: options.user ?? 'nova_user',
      password: options.password ?? NOVA,
      database: options.database ?? 'nova',
    });
    try {
      const rows = await session.query(options.sql ?? 'select current_user as who');
      if (!rows.ok) return rows.error.message;
      await options.hold?.(session);
      return String(Object.values(rows.value[0] ?? {})[0] ?? 'ok');
    } finally {
      await session.close();
    }
  } catch (error) {
    return (error as Error).message;
  }
}
