/** Sessions in a real PostgreSQL over streams that are already open: TLS when asked for, limits, errors in its own words. */
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ok } from '../result.ts';
import { Secret } from '../secret.ts';
import { NOVA, startNova } from '../testing/nova.ts';
import { connectTo, REFUSED_PORT, serverFile, type TestPostgres, until } from '../testing/servers.ts';
import { openPostgres } from './connect.ts';

let postgres: TestPostgres;
const files: { remove(): void }[] = [];

beforeAll(async () => {
  const pem = await generate([{ name: 'commonName', value: 'postgres' }]);
  const [key, certificate] = [serverFile('server.key', pem.private), serverFile('server.crt', pem.cert)];
  files.push(key, certificate);
  postgres = await startNova({ ssl: 'on', ssl_key_file: key.path, ssl_cert_file: certificate.path });
});
afterAll(async () => {
  await postgres?.stop();
  for (const file of files) file.remove();
});

const nova = (more: Partial<Parameters<typeof openPostgres>[0]> = {}) =>
  openPostgres({ connect: connectTo(postgres.port), user: 'nova_user', password: NOVA, database: 'nova', ...more });

test('a server that admits TLS only is reached with TLS', async () => {
  await postgres.reloadHba([
    'host all postgres 127.0.0.0/8 scram-sha-256',
    'hostssl all nova_user 127.0.0.0/8 scram-sha-256',
  ]);
  const session = await until('the new HBA file', async () => {
    const opened = await nova();
    if (!opened.ok) throw new Error(opened.error.message);
    const tls = await opened.value.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    if (tls.ok && tls.value[0]?.ssl === true) return opened.value;
    await opened.value.close();
    return undefined;
  });
  await session.close();
  await postgres.reloadHba(['host all all 127.0.0.0/8 scram-sha-256']);
});

test('a wrong password, a missing database and a dead port are told apart', async () => {
  expect(await nova({ password: new Secret('not-the-password') })).toMatchObject({
    ok: false,
    error: { code: 'auth-failed' },
  });
  expect(await nova({ database: 'not_there' })).toMatchObject({
    ok: false,
    error: { message: 'database "not_there" does not exist' },
  });
  expect(await nova({ connect: connectTo(REFUSED_PORT) })).toMatchObject({
    ok: false,
    error: { code: 'stream-failed' },
  });
});

test('a query that takes too long is given up and closes the session', async () => {
  const session = await nova({ timeoutMs: 300 });
  if (!session.ok) throw new Error(session.error.message);
  expect(await session.value.query('select pg_sleep(30)')).toMatchObject({ ok: false, error: { code: 'timeout' } });
  expect(session.value.open).toBe(false);
  expect(await session.value.query('select 1')).toMatchObject({ ok: false, error: { code: 'postgres-unreachable' } });
  await session.value.close();
});

test('an abort ends a wait at once', async () => {
  const controller = new AbortController();
  const session = await nova({ signal: controller.signal });
  if (!session.ok) throw new Error(session.error.message);
  const running = session.value.query('select pg_sleep(30)');
  controller.abort(new Error('enough'));
  expect(await running).toMatchObject({ ok: false, error: { code: 'aborted' } });
  await session.value.close();
});

test('a server that ends the session is an error of the next query, never an exception', async () => {
  const session = await nova();
  if (!session.ok) throw new Error(session.error.message);
  await postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'nova_user'");
  await until('the end to be noticed', () => !session.value.open);
  expect(await session.value.query('select 1')).toMatchObject({ ok: false, error: { code: 'postgres-unreachable' } });
});

test('PGOPTIONS of the shell do not reach the server', async () => {
  process.env.PGOPTIONS = '-c work_mem=1234kB';
  const session = await nova();
  delete process.env.PGOPTIONS;
  if (!session.ok) throw new Error(session.error.message);
  expect(await session.value.query("select current_setting('work_mem') as work_mem")).not.toEqual(
    ok([{ work_mem: '1234kB' }]),
  );
  await session.value.close();
});
