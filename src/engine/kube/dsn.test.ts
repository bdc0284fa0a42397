import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maskDsn, parseDsn, rewriteDsn } from './dsn.ts';

const toPooler = { host: 'pgbouncer', port: 6432 };
const isPostgres = (e: { host: string; port: number }) => e.host === 'postgres' && e.port === 5432;
const rewrite = (text: string) => rewriteDsn(parseDsn(text)!, isPostgres, toPooler);

describe('a DSN keeps every byte but host and port', () => {
  test.each([
    [
      'postgresql://u:p%40ss@postgres:5432/nova?sslmode=disable',
      'postgresql://u:p%40ss@pgbouncer:6432/nova?sslmode=disable',
    ],
    ['postgres://u@postgres/nova', 'postgres://u@pgbouncer:6432/nova'],
    ['postgresql+asyncpg://u:p@postgres:5432/nova#x', 'postgresql+asyncpg://u:p@pgbouncer:6432/nova#x'],
    [
      'jdbc:postgresql://postgres:5432/nova?user=a&password=hunter2x',
      'jdbc:postgresql://pgbouncer:6432/nova?user=a&password=hunter2x',
    ],
    ['postgresql://u:p@replica:5433,postgres:5432/nova', 'postgresql://u:p@replica:5433,pgbouncer:6432/nova'],
    ['postgresql:///nova?host=postgres&port=5432', 'postgresql:///nova?host=pgbouncer&port=6432'],
    ['postgres://u:p#a?b@postgres:5432/nova', 'postgres://u:p#a?b@pgbouncer:6432/nova'],
    ["host=postgres port=5432 password='it\\'s'", "host=pgbouncer port=6432 password='it\\'s'"],
    ['host=postgres dbname=nova', 'host=pgbouncer port=6432 dbname=nova'],
    ['host=replica,postgres port=5433,5432', 'host=replica,pgbouncer port=5433,6432'],
    [
      'host=postgres user=u password=hunter2x dbname=nova port=5432 sslmode=disable TimeZone=Asia/Shanghai',
      'host=pgbouncer user=u password=hunter2x dbname=nova port=6432 sslmode=disable TimeZone=Asia/Shanghai',
    ],
    ['Server=postgres;User Id=u;Database=nova', 'Server=pgbouncer;Port=6432;User Id=u;Database=nova'],
    ['Host=postgres;Port=5432;Password="a;b"', 'Host=pgbouncer;Port=6432;Password="a;b"'],
    ['Host=postgres;Database=nova', 'Host=pgbouncer;Port=6432;Database=nova'],
    ['Host=replica:5433,postgres:5432;Database=nova', 'Host=replica:5433,pgbouncer:6432;Database=nova'],
  ])('%s', (before, after) => {
    expect(rewrite(before)).toBe(after);
  });

  test('blanks around an address stay, and are no part of the database', () => {
    const text = ' postgresql://u:hunter2x@postgres:5432/nova\n';
    expect(parseDsn(text)).toMatchObject({ user: 'u', database: 'nova' });
    expect(rewrite(text)).toBe(' postgresql://u:hunter2x@pgbouncer:6432/nova\n');
    expect(parseDsn('postgresql://postgres/nova?sslmode=require\n')!.parameters).toEqual({ sslmode: 'require' });
    expect(rewrite('postgresql://postgres\r\n')).toBe('postgresql://pgbouncer:6432\r\n');
    expect(maskDsn(parseDsn(text)!)).not.toContain('hunter2x');
    const quoted = `"postgresql://u:hunter2x@postgres:5432/nova"`;
    expect(parseDsn(quoted)!.database).toBe('nova');
    expect(rewrite(quoted)).toBe(quoted.replace('postgres:5432', 'pgbouncer:6432'));
  });

  test('an address of something else is left alone', () => {
    expect(rewrite('postgresql://u:p@postgres:9187/nova')).toBeUndefined();
    expect(parseDsn('redis://postgres:5432')).toBeUndefined();
    expect(parseDsn('https://postgres:5432/')).toBeUndefined();
    expect(parseDsn('postgresql:///nova')).toBeUndefined();
  });

  test('an hostaddr beside the name is not guessed at', () => {
    expect(parseDsn('host=postgres hostaddr=10.0.0.1')!.fixed).toMatch(/hostaddr/);
    expect(rewrite('host=postgres hostaddr=10.0.0.1')).toBeUndefined();
  });
});

test('a mask shows no password in any form', () => {
  for (const text of [
    'postgresql://u:hunter2x@postgres/nova',
    'jdbc:postgresql://postgres/nova?password=hunter2x',
    "host=postgres password='hunter2x'",
    'Host=postgres;Password=hunter2x',
  ]) {
    expect(maskDsn(parseDsn(text)!)).not.toContain('hunter2x');
    expect(maskDsn(parseDsn(text)!)).toContain('postgres');
  }
});

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}[a-z0-9]$/);
const password = fc.string({ minLength: 1, maxLength: 20 }).filter((s) => s.trim() !== '' && !s.includes('\0'));
const hosts = fc.array(
  fc.record({ host: fc.oneof(fc.constant('postgres'), word), port: fc.option(fc.integer({ min: 1, max: 65_535 })) }),
  {
    minLength: 1,
    maxLength: 3,
  },
);
const parameters = fc.dictionary(word, fc.stringMatching(/^[A-Za-z0-9 %=/-]{0,10}$/), { maxKeys: 3 });

describe('random DSNs', () => {
  test('URLs: parsed as they were built, rewritten in host and port only', () => {
    fc.assert(
      fc.property(word, password, hosts, word, parameters, (user, secret, list, database, query) => {
        const strict = (s: string) =>
          encodeURIComponent(s).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
        const build = (all: typeof list) =>
          `postgresql://${user}:${strict(secret)}@${all.map((h) => (h.port === null ? h.host : `${h.host}:${h.port}`)).join(',')}/${database}?${Object.entries(
            query,
          )
            .map(([k, v]) => `${k}=${encodeURIComponent(v)}`)
            .join('&')}`;
        const text = build(list);
        const dsn = parseDsn(text)!;
        expect(dsn.password!.reveal()).toBe(secret);
        expect(dsn.user).toBe(user);
        expect(dsn.hosts.map(({ host, port }) => [host, port])).toEqual(list.map((h) => [h.host, h.port ?? 5432]));
        const isTarget = (h: { host: string; port: number | null }) =>
          h.host === 'postgres' && (h.port ?? 5432) === 5432;
        const expected = list.some(isTarget) ? build(list.map((h) => (isTarget(h) ? toPooler : h))) : undefined;
        expect(rewriteDsn(dsn, isPostgres, toPooler)).toBe(expected);
      }),
    );
  });

  test('libpq: the same', () => {
    fc.assert(
      fc.property(password, fc.boolean(), word, (secret, withPort, database) => {
        const quoted = `'${secret.replace(/[\\']/g, (c) => `\\${c}`)}'`;
        const port = withPort ? ' port=5432' : '';
        const text = `host=postgres${port} password=${quoted} dbname=${database}`;
        const dsn = parseDsn(text)!;
        expect(dsn.form).toBe('libpq');
        expect(dsn.password!.reveal()).toBe(secret);
        expect(rewriteDsn(dsn, isPostgres, toPooler)).toBe(
          `host=pgbouncer port=6432 password=${quoted} dbname=${database}`,
        );
      }),
    );
  });

  test('.NET: the same', () => {
    fc.assert(
      fc.property(password, word, (secret, database) => {
        const quoted = `"${secret.replaceAll('"', '""')}"`;
        const text = `Host=postgres;Password=${quoted};Database=${database}`;
        const dsn = parseDsn(text)!;
        expect(dsn.password!.reveal()).toBe(secret);
        expect(rewriteDsn(dsn, isPostgres, toPooler)).toBe(
          `Host=pgbouncer;Port=6432;Password=${quoted};Database=${database}`,
        );
      }),
    );
  });

  test('any text at all: no error, and a rewrite that parses back to the pooler', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (noise) => {
        for (const text of [noise, `postgresql://${noise}`, `host=postgres ${noise}`, `Host=postgres;${noise}`]) {
          const dsn = parseDsn(text);
          if (!dsn) continue;
          maskDsn(dsn);
          const after = rewriteDsn(dsn, isPostgres, toPooler);
          if (after !== undefined)
            expect(parseDsn(after)!.hosts.some((h) => h.host === 'pgbouncer' && h.port === 6432)).toBe(true);
        }
      }),
    );
  });
});
