/** Each row of the diagnosis table, provoked on a real PostgreSQL and a real PgBouncer. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Postgres } from '../postgres/types.ts';
import { Secret } from '../secret.ts';
import { createAuthority } from '../testing/certificates.ts';
import { ADMIN, NOVA, type NovaPoolerOptions, STATS, startNova, startNovaPooler, through } from '../testing/nova.ts';
import {
  atLeast,
  connectTo,
  freePort,
  pgbouncerVersion,
  REFUSED_PORT,
  serverFile,
  type TestPooler,
  type TestPostgres,
  until,
} from '../testing/servers.ts';
import { openConsole } from './console.ts';
import { DIAGNOSES, diagnose } from './diagnosis.ts';
import { classifyLine, scanPoolerLog } from './log-scan.ts';

let postgres: TestPostgres;
let pooler: TestPooler | undefined;
const open: Postgres[] = [];
const version = pgbouncerVersion();

beforeAll(async () => {
  postgres = await startNova();
  await postgres.sql(
    'create table public.orders (id int, at timestamptz); grant all on public.orders to nova_user',
    'nova',
  );
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
  await pooler?.stop();
  pooler = undefined;
});
afterAll(async () => {
  await postgres?.stop();
});

const start = async (options: NovaPoolerOptions = {}) => {
  pooler = await startNovaPooler(postgres, options);
  return pooler;
};
const session = async (port: number) => {
  const opened = await postgres.open({ port, user: 'nova_user', password: NOVA, database: 'nova' });
  open.push(opened);
  return opened;
};
const console = async (port: number, user = 'admin', password = ADMIN) => {
  const opened = await openConsole({ connect: connectTo(port), user, password });
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
};
/** psql's words, for what only libpq sends. */
const psql = (port: number, query: string, env: Record<string, string> = {}): Promise<string> =>
  new Promise((resolve) => {
    const dsn = `host=127.0.0.1 port=${port} user=nova_user dbname=nova connect_timeout=5`;
    execFile(
      join(postgres.bin, 'psql'),
      ['-X', dsn, '-c', query],
      { env: { ...process.env, PGPASSWORD: NOVA.reveal(), ...env } },
      (_error, stdout, stderr) => resolve(`${stdout}${stderr}`),
    );
  });
/** What the client heard and what the pooler logged. */
const heard = (pooled: TestPooler, ...texts: string[]) => [...texts, pooled.log()];
const setting = (key: string, value: string | number) => (ini: string) =>
  `${ini.replace(new RegExp(`^${key} = .*\n`, 'm'), '')}${key} = ${value}\n`;

/** Makes each symptom; answers the texts in which it stands. */
const PROVOKE: Record<string, () => Promise<string[]>> = {
  'scram-keys-missing': async () => {
    const [row] = await postgres.sql("select rolpassword as v from pg_authid where rolname = 'nova_user'");
    const pooled = await start({ nova: new Secret(String(row!.v)) });
    return heard(pooled, await through(postgres, pooled));
  },
  'server-password': async () => {
    await postgres.sql("alter role nova_user valid until '2020-01-01'");
    const pooled = await start();
    const said = await through(postgres, pooled);
    await postgres.sql("alter role nova_user valid until 'infinity'");
    return heard(pooled, said);
  },
  'server-login-cached': async () => {
    // Both are clients already, and the pool has been logged in once: then the second one's query is refused at once.
    const pooled = await start({ edit: setting('server_login_retry', 30) });
    const [a, b] = [await session(pooled.port), await session(pooled.port)];
    await a.query('select 1');
    await postgres.sql("alter role nova_user valid until '2020-01-01'");
    const admin = await console(pooled.port);
    await admin.command('RECONNECT');
    await admin.close();
    const first = await a.query('select 1');
    const second = await b.query('select 1');
    await postgres.sql("alter role nova_user valid until 'infinity'");
    return [first, second].flatMap((one) => (one.ok ? [] : [one.error.message])).slice(1);
  },
  'auth-file': async () => {
    const pooled = await start({ nova: new Secret(`md5${'0'.repeat(32)}`) });
    return heard(pooled, await through(postgres, pooled));
  },
  'hba-rejected': async () => {
    const pooled = await start();
    return heard(pooled, await through(postgres, pooled, { user: 'stats_user', password: STATS }));
  },
  'no-such-database': async () => {
    const pooled = await start({ hba: 'host all all 0.0.0.0/0 scram-sha-256\n' });
    return heard(pooled, await through(postgres, pooled, { database: 'novaa' }));
  },
  'upstream-database-missing': async () => {
    const pooled = await start({ database: { dbname: 'not_there' } });
    return heard(pooled, await through(postgres, pooled));
  },
  'auth-query': async () => {
    await postgres.sql(
      "do $$ begin create role lookup login password 'lookup-password-x'; exception when duplicate_object then null; end $$",
    );
    const pooled = await start({
      nova: null,
      more: [{ user: 'lookup', secret: new Secret('lookup-password-x') }],
      settings: { authQuery: { user: 'lookup', query: 'select a, b from missing_function($1)' } },
      edit: (ini) => ini.replace(' user=nova_user', ''),
    });
    return heard(pooled, await through(postgres, pooled));
  },
  'postgres-hba': async () => {
    await postgres.reloadHba(['host all postgres 127.0.0.0/8 scram-sha-256']);
    const pooled = await start();
    const said = await until('PostgreSQL to use the new file', async () => {
      const text = await through(postgres, pooled);
      return /pg_hba/.test(text + pooled.log()) ? text : undefined;
    });
    await postgres.reloadHba(['host all all 127.0.0.0/8 scram-sha-256']);
    return heard(pooled, said);
  },
  'startup-parameter': async () => {
    const pooled = await start();
    return heard(pooled, await psql(pooled.port, 'select 1', { PGOPTIONS: '-c statement_timeout=5s' }));
  },
  'prepared-statement': async () => {
    const pooled = await start();
    const [a, b] = [await session(pooled.port), await session(pooled.port)];
    await a.query('prepare find as select 1');
    await b.query('begin');
    await b.query('select 1');
    const missing = await a.query('execute find');
    await b.query('rollback');
    return missing.ok ? [] : [missing.error.message];
  },
  'cached-plan': async () => {
    const pooled = await start();
    const a = await session(pooled.port);
    await a.query('select * from orders', [], 'all_orders');
    await postgres.sql('alter table orders add column note text', 'nova');
    const stale = await a.query('select * from orders', [], 'all_orders');
    return stale.ok ? [] : [stale.error.message];
  },
  'upstream-dns': async () => {
    const pooled = await start({ database: { host: 'postgres.does-not-exist.invalid' } });
    const said = await through(postgres, pooled);
    await until('the look-up to fail', () => /DNS|dns/.test(pooled.log()));
    return heard(pooled, said);
  },
  'upstream-tls': async () => {
    const pooled = await start({ settings: { serverTls: { mode: 'require' } } });
    return heard(pooled, await through(postgres, pooled));
  },
  'upstream-certificate': async () => {
    const [ours, theirs] = [await createAuthority('ours'), await createAuthority('theirs')];
    const { cert, key } = await ours.issue(['127.0.0.1']);
    const files = [serverFile('a.crt', cert), serverFile('a.key', key), serverFile('ca.crt', theirs.ca)];
    const [certFile, keyFile, caFile] = files.map((one) => one.path);
    const encrypted = await startNova({ ssl: 'on', ssl_cert_file: certFile!, ssl_key_file: keyFile! });
    pooler = await startNovaPooler(encrypted, { settings: { serverTls: { mode: 'verify-ca', caFile: caFile! } } });
    const said = await through(encrypted, pooler);
    await encrypted.stop();
    for (const one of files) one.remove();
    return heard(pooler, said);
  },
  'upstream-unreachable': async () => {
    const pooled = await start({ database: { port: REFUSED_PORT } });
    return heard(pooled, await through(postgres, pooled));
  },
  'max-client-conn': async () => {
    const pooled = await start({ settings: { maxClientConn: 1 } });
    // The pooler may not have noticed yet that the connection which tested its port is gone.
    await until('one client to be let in', () => session(pooled.port).catch(() => undefined));
    return heard(pooled, await through(postgres, pooled));
  },
  'postgres-full': async () => {
    await postgres.sql('alter role nova_user connection limit 0');
    const pooled = await start();
    const said = await through(postgres, pooled);
    await postgres.sql('alter role nova_user connection limit -1');
    return heard(pooled, said);
  },
  'query-wait-timeout': async () => {
    const pooled = await start({ settings: { queryWaitTimeout: 1 } });
    for (let n = 0; n < 4; n++) await (await session(pooled.port)).query('begin');
    return heard(pooled, await through(postgres, pooled));
  },
  'pooler-timeouts': async () => {
    const pooled = await start({ settings: { extra: { query_timeout: 1 } } });
    return heard(pooled, await through(postgres, pooled, { sql: 'select pg_sleep(20)' }));
  },
  'client-login-timeout': async () => {
    const pooled = await start({ settings: { clientLoginTimeout: 1 } });
    const silent = await connectTo(pooled.port)();
    await until('the pooler to give up', () => pooled.log().includes('client_login_timeout'));
    if (silent.ok) silent.value.destroy();
    return heard(pooled);
  },
  'server-crashed': async () => {
    const pooled = await start();
    const a = await session(pooled.port);
    const running = a.query('select pg_sleep(20)');
    await until('the query to run', async () => {
      const rows = await postgres.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(20)%' and usename = 'nova_user' and state = 'active'",
      );
      return rows.length > 0;
    });
    const broken = await running;
    return heard(pooled, broken.ok ? '' : broken.error.message);
  },
  'pooler-restart': async () => {
    const refused = await connectTo(REFUSED_PORT)();
    return refused.ok ? [] : [refused.error.message];
  },
  'database-disabled': async () => {
    const pooled = await start();
    const admin = await console(pooled.port);
    await admin.command('DISABLE nova');
    await admin.close();
    return heard(pooled, await through(postgres, pooled));
  },
  'client-tls': async () => {
    const pooled = await start();
    return heard(pooled, await psql(pooled.port, 'select 1', { PGSSLMODE: 'require' }));
  },
  'console-simple-protocol': async () => {
    const pooled = await start();
    const said = await postgres.open({ port: pooled.port, user: 'admin', password: ADMIN, database: 'pgbouncer' });
    const answer = await said.query('SHOW VERSION', ['x']);
    await said.close();
    return heard(pooled, answer.ok ? '' : answer.error.message);
  },
  'console-rights': async () => {
    const pooled = await start();
    const stats = await console(pooled.port, 'stats_user', STATS);
    const answer = await stats.command('RECONNECT');
    await stats.close();
    return heard(pooled, answer.ok ? '' : answer.error.message);
  },
  configuration: async () => {
    const port = await freePort();
    const { startPooler } = await import('../testing/servers.ts');
    pooler = await startPooler({
      userlist: '',
      ini: () => `[databases]\n[pgbouncer]\nlisten_port = ${port}\nno_such_key = 1\n`,
      expectStart: false,
    });
    return heard(pooler);
  },
  'advisory-lock': async () => {
    const pooled = await start();
    const before = postgres.log().length;
    const [a, b] = [await session(pooled.port), await session(pooled.port)];
    await a.query('select pg_advisory_lock(77)');
    await b.query('begin');
    await b.query('select 1');
    const given = await a.query('select pg_advisory_unlock(77) as done');
    expect(given.ok && given.value[0]?.done).toBe(false);
    await b.query('select pg_advisory_unlock_all()');
    return [postgres.log().slice(before)];
  },
  'read-only-leak': async () => {
    const pooled = await start();
    const [a, b] = [await session(pooled.port), await session(pooled.port)];
    // From 1.26 on the setting is followed per client; there a standby's words are made with a transaction of its own.
    if (atLeast(version, 1, 26)) await b.query('begin read only');
    else await a.query('set default_transaction_read_only = on');
    const refused = await b.query('create table leak (n int)');
    return refused.ok ? [] : [refused.error.message];
  },
  'relation-missing': async () => {
    const pooled = await start();
    const [a, b] = [await session(pooled.port), await session(pooled.port)];
    await a.query('create temp table scratch (n int)');
    await b.query('begin');
    await b.query('select 1');
    const missing = await a.query('select * from scratch');
    return missing.ok ? [] : [missing.error.message];
  },
  'client-password': async () => {
    const pooled = await start();
    return heard(pooled, await through(postgres, pooled, { password: new Secret('not-the-password') }));
  },
};

describe('every row of the diagnosis table is provoked', () => {
  // What it follows from stands in the log, and is named instead of it (diagnose): here it is told by what clients hear.
  const heardOnly = new Set(['server-login-cached']);
  test.each(DIAGNOSES.map((row) => row.id))('%s', async (id) => {
    const texts = await PROVOKE[id]!();
    // Newer versions name the cause in the same words ("cached error: password authentication failed …"), and so do we.
    const named = texts.some((text) => /cached error: password authentication failed/.test(text));
    const row = DIAGNOSES.find((each) => each.id === (named ? 'server-password' : id))!;
    // The client hears the error before the pooler's log line has come through its pipe.
    await vi.waitFor(
      () => {
        const seen = [...texts, ...(pooler && !heardOnly.has(id) ? [pooler.log()] : [])];
        expect(
          diagnose(seen, { poolerVersion: version }).map((finding) => finding.symptom),
          seen.join('\n').slice(-1500),
        ).toContain(row.title);
      },
      { timeout: 5000, interval: 20 },
    );
  });
});

test('paused and disabled databases are found without a log line', async () => {
  const pooled = await start();
  const admin = await console(pooled.port);
  expect(await admin.command('PAUSE nova')).toEqual({ ok: true, value: undefined });
  const paused = await admin.show('DATABASES');
  expect(diagnose([], { databases: paused.ok ? paused.value : [] }).map((finding) => finding.fix)).toEqual([
    'RESUME nova',
  ]);
  await admin.command('RESUME nova');
  await admin.command('DISABLE nova');
  const disabled = await admin.show('DATABASES');
  expect(diagnose([], { databases: disabled.ok ? disabled.value : [] }).map((finding) => finding.fix)).toEqual([
    'ENABLE nova',
  ]);
  await admin.close();
});

test('an ordinary hour of a pooler has no error in its log', async () => {
  const pooled = await start();
  for (let n = 0; n < 3; n++) expect(await through(postgres, pooled)).toBe('nova_user');
  const admin = await console(pooled.port);
  await admin.command('RELOAD');
  await admin.command('RECONNECT');
  await admin.close();
  expect(await through(postgres, pooled)).toBe('nova_user');
  const scan = scanPoolerLog(pooled.log().split('\n'));
  expect(scan.lines).toBeGreaterThan(5);
  expect(scan.entries.filter((entry) => entry.severity !== 'info')).toEqual([]);
  expect(scan.errors).toBe(0);
});

test('the guide’s grep finds neither a lost upstream nor a timeout, the scan finds both', async () => {
  const pooled = await start({ database: { port: REFUSED_PORT }, edit: setting('query_wait_timeout', 1) });
  await through(postgres, pooled);
  const lines = await until('the log', () =>
    /connect failed/.test(pooled.log()) ? pooled.log().split('\n') : undefined,
  );
  expect(lines.filter((line) => /query_timeout/.test(line))).toEqual([]);
  expect(lines.some((line) => classifyLine(line)?.id === 'upstream-unreachable' && !/error/i.test(line))).toBe(true);
  const scan = scanPoolerLog(lines);
  expect(scan.entries.map((entry) => entry.id)).toContain('upstream-unreachable');
  expect(scan.errors).toBeGreaterThan(0);
});
