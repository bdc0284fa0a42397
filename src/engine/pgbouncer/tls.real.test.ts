/** TLS on both sides of a real pooler, and what drivers send when they log in. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, type TestAuthority } from '../testing/certificates.ts';
import { NOVA, type NovaPoolerOptions, startNova, startNovaPooler, through } from '../testing/nova.ts';
import {
  atLeast,
  pgbouncerVersion,
  serverFile,
  type TestPooler,
  type TestPostgres,
  until,
} from '../testing/servers.ts';
import { diagnose } from './diagnosis.ts';

let postgres: TestPostgres;
let ours: TestAuthority;
let theirs: TestAuthority;
const files: { remove(): void }[] = [];
const poolers: TestPooler[] = [];
const file = (name: string, text: string): string => {
  const made = serverFile(name, text);
  files.push(made);
  return made.path;
};
const start = async (options: NovaPoolerOptions): Promise<TestPooler> => {
  const pooler = await startNovaPooler(postgres, options);
  poolers.push(pooler);
  return pooler;
};

beforeAll(async () => {
  ours = await createAuthority('our authority');
  theirs = await createAuthority('another authority');
  const server = await ours.issue(['localhost', '127.0.0.1']);
  postgres = await startNova({
    ssl: 'on',
    ssl_cert_file: file('server.crt', server.cert),
    ssl_key_file: file('server.key', server.key),
  });
  // The superuser of the tests comes without TLS, the role of the services may not.
  await postgres.reloadHba([
    'hostssl all nova_user 127.0.0.0/8 scram-sha-256',
    'host all postgres 127.0.0.0/8 scram-sha-256',
  ]);
});
afterEach(async () => {
  await Promise.all(poolers.splice(0).map((pooler) => pooler.stop()));
});
afterAll(async () => {
  await postgres?.stop();
  for (const one of files) one.remove();
});

/** psql's words, for what libpq makes of sslmode and options. */
const psql = (port: number, more: string, env: Record<string, string> = {}): Promise<string> =>
  new Promise((resolve) => {
    const dsn = `host=127.0.0.1 port=${port} user=nova_user dbname=nova connect_timeout=5 ${more}`;
    execFile(
      join(postgres.bin, 'psql'),
      ['-X', '-A', '-t', dsn, '-c', 'select current_user'],
      { env: { ...process.env, PGPASSWORD: NOVA.reveal(), ...env } },
      (_error, stdout, stderr) => resolve(`${stdout}${stderr}`.trim()),
    );
  });

describe('to a PostgreSQL that takes nothing but TLS', () => {
  const encrypted = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';

  test('the default encrypts without a check, and disable is refused', async () => {
    expect(await through(postgres, await start({}), { sql: encrypted })).toBe('true');
    const plain = await start({ settings: { serverTls: { mode: 'disable' } } });
    await through(postgres, plain);
    expect(plain.log()).toMatch(/no pg_hba\.conf entry .* no encryption/);
  });

  test('verify-full with its authority passes; with another it is said why not', async () => {
    const serverTls = (ca: string) => ({ serverTls: { mode: 'verify-full' as const, caFile: file('ca.crt', ca) } });
    expect(await through(postgres, await start({ settings: serverTls(ours.ca) }), { sql: encrypted })).toBe('true');
    const wrong = await start({ settings: serverTls(theirs.ca) });
    await through(postgres, wrong);
    await until('the pooler to say why', () => /TLS handshake/i.test(wrong.log()));
    expect(diagnose(wrong.log().split('\n')).map((one) => one.symptom)).toContain(
      'PgBouncer does not accept the certificate of PostgreSQL',
    );
  });
});

describe('to clients', () => {
  const issue = async (names: string[]) => {
    const { cert, key } = await ours.issue(names);
    return { certFile: file('tls.crt', cert), keyFile: file('tls.key', key) };
  };

  test('prefer takes those with TLS and those without; what verifies, verifies', async () => {
    const pooler = await start({ settings: { clientTls: { mode: 'prefer', ...(await issue(['127.0.0.1'])) } } });
    const root = `sslrootcert=${file('root.crt', ours.ca)}`;
    expect(await psql(pooler.port, 'sslmode=disable')).toBe('nova_user');
    expect(await psql(pooler.port, 'sslmode=require')).toBe('nova_user');
    expect(await psql(pooler.port, `sslmode=verify-full ${root}`)).toBe('nova_user');
    expect(await psql(pooler.port, `sslmode=verify-full sslrootcert=${file('other.crt', theirs.ca)}`)).toMatch(
      /certificate verify failed/,
    );
  });

  test('require refuses those without, and the wizard’s own sessions encrypt then', async () => {
    const pooler = await start({ settings: { clientTls: { mode: 'require', ...(await issue(['pgbouncer'])) } } });
    expect(await psql(pooler.port, 'sslmode=disable')).toMatch(/SSL required/);
    expect(await through(postgres, pooler)).toBe('nova_user');
  });

  test('without a certificate a client that insists on TLS is refused: such services are not moved', async () => {
    expect(await psql((await start({})).port, 'sslmode=require')).toMatch(/server does not support SSL/);
  });
});

describe('settings that drivers send when they log in', () => {
  const version = pgbouncerVersion();

  test.each([
    ['search_path', 'options=-csearch_path=shop'],
    ['statement_timeout', "options='-c statement_timeout=5000'"],
  ])('%s in options is refused, not dropped', async (name, more) => {
    // From 1.26 on search_path is followed per client.
    const kept = name === 'search_path' && atLeast(version, 1, 26);
    const { port } = await start({});
    const said = await psql(port, more);
    if (kept) expect(said).toBe('nova_user');
    else expect(said).toMatch(/unsupported startup parameter/);
    expect(await psql(port, '', { PGOPTIONS: more.replace(/^options='?|'$/g, '') })).toBe(said);
  });

  test('ignoring options would let the client in without what it asked for', async () => {
    const pooler = await start({ settings: { ignoreStartupParameters: ['extra_float_digits', 'options'] } });
    const dsn = `host=127.0.0.1 port=${pooler.port} user=nova_user dbname=nova options='-c statement_timeout=5000'`;
    const seen = await new Promise<string>((resolve) =>
      execFile(
        join(postgres.bin, 'psql'),
        ['-X', '-A', '-t', dsn, '-c', 'show statement_timeout'],
        { env: { ...process.env, PGPASSWORD: NOVA.reveal() } },
        (_error, stdout, stderr) => resolve(`${stdout}${stderr}`.trim()),
      ),
    );
    expect(seen).toBe('0');
  });
});
