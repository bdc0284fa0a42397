/** Arrangements of credentials on a real PostgreSQL (SCRAM) and a real PgBouncer: the guide's fails, ours pass. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readVerifier, setVerifier } from '../postgres/capacity.ts';
import { Secret } from '../secret.ts';
import { ADMIN, NOVA, STATS, startNova, startNovaPooler, through } from '../testing/nova.ts';
import { atLeast, connectTo, pgbouncerVersion, type TestPooler, type TestPostgres, until } from '../testing/servers.ts';
import { openConsole } from './console.ts';
import { parseUserlist, renderUserlist, scramVerifier, verifierMatches } from './credentials.ts';
import { diagnose } from './diagnosis.ts';

let postgres: TestPostgres;
let pooler: TestPooler | undefined;
const version = pgbouncerVersion();

beforeAll(async () => {
  postgres = await startNova();
});
afterEach(async () => {
  await pooler?.stop();
  pooler = undefined;
});
afterAll(async () => {
  await postgres?.stop();
});

const stored = async (): Promise<Secret> => {
  const session = await postgres.open();
  const verifier = await readVerifier(session, 'nova_user');
  await session.close();
  if (!verifier.ok || !verifier.value) throw new Error('no verifier');
  return verifier.value;
};

/** Drops every server connection, so that the next client needs a new login to PostgreSQL. */
const reconnect = async (port: number) => {
  const console = await openConsole({ connect: connectTo(port), user: 'admin', password: ADMIN });
  if (!console.ok) throw new Error(console.error.message);
  const done = await console.value.command('RECONNECT');
  await console.value.close();
  if (!done.ok) throw new Error(done.error.message);
};

describe('the arrangement of the guide', () => {
  test('a freshly salted verifier is refused by PostgreSQL, while the console looks fine', async () => {
    pooler = await startNovaPooler(postgres, {
      nova: new Secret(scramVerifier(NOVA)),
      edit: (ini) => ini.replace(' user=nova_user', ''),
    });
    expect(await through(postgres, pooler)).toMatch(
      /password authentication failed for user "nova_user"|server login failed/,
    );
    expect(pooler.log()).toMatch(/server login failed: FATAL:? password authentication failed for user "nova_user"/);
    const console = await openConsole({ connect: connectTo(pooler.port), user: 'admin', password: ADMIN });
    expect(console.ok).toBe(true);
    if (console.ok) await console.value.close();
    const findings = diagnose([pooler.log()]);
    expect(findings.map((finding) => finding.symptom)).toContain('PostgreSQL refuses PgBouncer');
  });

  test('what the guide prints as expected output is taken for a plain password', async () => {
    pooler = await startNovaPooler(postgres, { nova: new Secret('SCRAM-SHA-256$4096$...') });
    expect(await through(postgres, pooler)).toMatch(/SASL authentication failed|password authentication failed/);
    const parsed = parseUserlist('"nova_user" "SCRAM-SHA-256$4096$..."');
    expect(parsed.ok && parsed.value[0]?.kind).toBe('malformed-scram');
  });

  test('a verifier with a forced user gives PgBouncer no keys', async () => {
    pooler = await startNovaPooler(postgres, { nova: await stored() });
    expect(await through(postgres, pooler)).toMatch(/wrong password type|server login failed|query_wait_timeout/);
    expect(diagnose([pooler.log()])[0]?.symptom).toBe('PgBouncer has no keys to log in to PostgreSQL');
  });
});

describe('the arrangements of the wizard', () => {
  test('the clear password with a forced user works, also with new server connections', async () => {
    pooler = await startNovaPooler(postgres);
    expect(await through(postgres, pooler)).toBe('nova_user');
    await reconnect(pooler.port);
    expect(await through(postgres, pooler)).toBe('nova_user');
  });

  test('the HBA file keeps other users of the list from becoming the forced role', async () => {
    pooler = await startNovaPooler(postgres);
    expect(await through(postgres, pooler, { user: 'stats_user', password: STATS })).toMatch(/login rejected/);
    expect(await through(postgres, pooler, { user: 'admin', password: ADMIN })).toMatch(/login rejected/);
    await pooler.stop();
    // The same list without the file: stats_user is nova_user.
    pooler = await startNovaPooler(postgres, {
      edit: (ini) => ini.replace('auth_type = hba', 'auth_type = scram-sha-256'),
    });
    expect(await through(postgres, pooler, { user: 'stats_user', password: STATS })).toBe('nova_user');
  });

  test('the clear password without a forced user works', async () => {
    pooler = await startNovaPooler(postgres, { edit: (ini) => ini.replace(' user=nova_user', '') });
    expect(await through(postgres, pooler)).toBe('nova_user');
    await reconnect(pooler.port);
    expect(await through(postgres, pooler)).toBe('nova_user');
  });

  test('the verifier of pg_authid, byte for byte, works', async () => {
    const verifier = await stored();
    expect(verifierMatches(NOVA, verifier)).toBe(true);
    pooler = await startNovaPooler(postgres, { nova: verifier, edit: (ini) => ini.replace(' user=nova_user', '') });
    expect(await through(postgres, pooler)).toBe('nova_user');
    await reconnect(pooler.port);
    expect(await through(postgres, pooler)).toBe('nova_user');
  });

  test('a new verifier works when ALTER ROLE sets the same one, and direct logins go on', async () => {
    const verifier = scramVerifier(NOVA);
    const session = await postgres.open();
    expect(await setVerifier(session, 'nova_user', verifier)).toEqual({ ok: true, value: undefined });
    await session.close();
    pooler = await startNovaPooler(postgres, {
      nova: new Secret(verifier),
      edit: (ini) => ini.replace(' user=nova_user', ''),
    });
    expect(await through(postgres, pooler)).toBe('nova_user');
    const direct = await postgres.open({ user: 'nova_user', password: NOVA, database: 'nova' });
    await direct.close();
  });

  test('auth_query works without an entry in the list', async () => {
    const lookup = new Secret('lookup-password-of-tests');
    await postgres.sql(`create role pgbouncer_auth login password '${lookup.reveal()}'`);
    await postgres.sql(
      `create function public.get_auth(name text) returns table (usename name, passwd text) language sql security definer
       as 'select rolname, rolpassword from pg_authid where rolname = name and rolcanlogin and not rolsuper';
       revoke all on function public.get_auth(text) from public; grant execute on function public.get_auth(text) to pgbouncer_auth`,
      'nova',
    );
    pooler = await startNovaPooler(postgres, {
      nova: null,
      more: [{ user: 'pgbouncer_auth', secret: lookup }],
      settings: { authQuery: { user: 'pgbouncer_auth', query: 'select usename, passwd from public.get_auth($1)' } },
      edit: (ini) => ini.replace(' user=nova_user', ''),
    });
    expect(await through(postgres, pooler)).toBe('nova_user');
  });

  test(`before any client the pool is ${atLeast(version, 1, 21) ? 'warm' : 'empty'} with this version`, async () => {
    pooler = await startNovaPooler(postgres);
    const count = async () =>
      Number((await postgres.sql("select count(*)::int as n from pg_stat_activity where usename = 'nova_user'"))[0]?.n);
    if (atLeast(version, 1, 21))
      expect(await until('two warm connections', async () => (await count()) === 2)).toBe(true);
    else {
      expect(await count()).toBe(0);
      await through(postgres, pooler);
      expect(await count()).toBeGreaterThan(0);
    }
  });
});

describe('awkward passwords', () => {
  const awkward = [
    'with "quotes" inside',
    "it's; a #comment = 50% $HOME \\ back",
    'p@ss/word?x=1&y=2#z%41',
    'Grüße-ﬁn-Ⅸ-パスワード',
    ' leading and trailing ',
    `${'long-'.repeat(38)}end`,
  ];
  test.each(awkward)('%s', async (text) => {
    const password = new Secret(text);
    await postgres.sql(`alter role nova_user password '${text.replaceAll("'", "''")}'`);
    try {
      expect(verifierMatches(password, await stored())).toBe(true);
      pooler = await startNovaPooler(postgres, { nova: password });
      expect(await through(postgres, pooler, { password })).toBe('nova_user');
      const parsed = parseUserlist(renderUserlist([{ user: 'nova_user', secret: password }]).reveal());
      expect(parsed.ok && parsed.value[0]?.secret.reveal()).toBe(text);
    } finally {
      await postgres.sql(`alter role nova_user password '${NOVA.reveal()}'`);
    }
  });

  test('a password that SASLprep refuses is hashed as PostgreSQL hashes it', async () => {
    // U+0221 is unassigned in Unicode 3.2, and U+0007 prohibited.
    for (const text of ['unassigned-\u0221-inside', 'bell-\u0007-inside']) {
      await postgres.sql(`alter role nova_user password '${text}'`);
      expect(verifierMatches(new Secret(text), await stored()), JSON.stringify(text)).toBe(true);
    }
    await postgres.sql(`alter role nova_user password '${NOVA.reveal()}'`);
  });
});
