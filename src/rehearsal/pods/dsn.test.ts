import { expect, test } from 'vitest';
import { findDatabase, parseDatabase } from './dsn.ts';

test.each([
  [
    'postgresql://u:p%40ss@postgres:5432/nova',
    { host: 'postgres', port: 5432, user: 'u', password: 'p@ss', database: 'nova' },
  ],
  [
    'postgresql+asyncpg://u:p@pgbouncer.nova.svc:6432/nova?ssl=false',
    { host: 'pgbouncer.nova.svc', port: 6432, user: 'u', password: 'p', database: 'nova' },
  ],
  [
    'jdbc:postgresql://postgres/nova?user=u&password=p',
    { host: 'postgres', port: 5432, user: 'u', password: 'p', database: 'nova' },
  ],
  [
    'host=postgres port=6432 user=u password=p dbname=nova',
    { host: 'postgres', port: 6432, user: 'u', password: 'p', database: 'nova' },
  ],
  [
    'Host=postgres;Port=5433;Username=u;Password=p;Database=nova',
    { host: 'postgres', port: 5433, user: 'u', password: 'p', database: 'nova' },
  ],
  ['postgres://u:p@a:1,b:2/nova', { host: 'a', port: 1, user: 'u', password: 'p', database: 'nova' }],
])('%s is read', (text, expected) => {
  expect(parseDatabase(text)).toEqual(expected);
});

test('what is no address of a PostgreSQL is not taken for one', () => {
  for (const text of ['redis://cache:6379', 'tcp://10.96.0.1:5432', 'info', 'https://example.org/?host=1'])
    expect(parseDatabase(text)).toBeUndefined();
});

test('split variables are put together with their credentials', () => {
  const env = new Map([
    ['DB_HOST', 'postgres'],
    ['DB_PORT', '5433'],
    ['DB_USER', 'u'],
    ['DB_PASSWORD', 'p'],
    ['DB_NAME', 'nova'],
  ]);
  expect(findDatabase(env)).toEqual({
    host: 'postgres',
    port: 5433,
    user: 'u',
    password: 'p',
    database: 'nova',
    from: 'DB_HOST',
  });
});

test('arguments and mounted files are looked at when the environment has nothing', () => {
  expect(findDatabase(new Map(), ['--database-url=postgres://u:p@postgres/nova'])?.from).toBe('args');
  expect(findDatabase(new Map(), ['exec app --read=postgres://u:p@postgres/nova --log=json'])).toMatchObject({
    database: 'nova',
    from: 'args',
  });
  expect(findDatabase(new Map(), [], ['db:\n  url: "postgres://u:p@postgres:5432/nova"\n'])).toMatchObject({
    host: 'postgres',
    from: 'file',
    password: 'p',
  });
});

test('so are flags, and settings of a file with a host beside a port', () => {
  const env = new Map([['DB_PASSWORD', 'p']]);
  const wanted = { host: 'postgres', port: 5433, user: 'u', password: 'p', database: 'nova' };
  expect(
    findDatabase(env, ['serve', '--db-host', 'postgres', '--db-port=5433', '--db-user=u', '--db-name=nova']),
  ).toEqual({ ...wanted, from: 'args' });
  for (const text of [
    'http:\n  port: 8080\ndb:\n  host: postgres\n  port: 5433\n  user: u\n  name: nova\n',
    '{"db": {"host": "postgres", "port": 5433, "user": "u", "password": "p", "database": "nova"}}',
    '[db]\nhost = "postgres" # here\nport = 5433\nuser = "u"\nname = "nova"\n',
    'export DB_HOST=postgres\nDB_PORT=5433\nDB_USER=u\nDB_NAME=nova\n',
  ])
    expect(findDatabase(env, [], [text])).toEqual({ ...wanted, from: 'file' });
  expect(
    findDatabase(new Map(), [], ['{"Default": "Host=postgres;Port=5433;Username=u;Password=p;Database=nova"}']),
  ).toEqual({ ...wanted, from: 'file' });
});
