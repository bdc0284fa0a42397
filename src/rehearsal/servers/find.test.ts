import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findAccount } from './account.ts';
import { findServers, installCommand, which } from './find.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'find-servers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const program = (name: string, output: string) => {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho '${output}'\n`);
  chmodSync(path, 0o755);
  return path;
};

test('the overrides are taken and asked for their versions', () => {
  for (const name of ['initdb', 'psql']) program(name, '');
  program('postgres', 'postgres (PostgreSQL) 16.4 (Debian 16.4-1)');
  const pgbouncer = program('pgbouncer', 'PgBouncer 1.23.1\nlibevent 2.1');
  const found = findServers({ PGB_POSTGRES_BIN: folder, PGB_PGBOUNCER: pgbouncer });
  expect(found).toMatchObject({
    ok: true,
    value: { postgres: { bin: folder, version: '16.4', major: 16 }, pgbouncer: { version: '1.23.1' } },
  });
});

test('what is missing is named with the command that installs it', () => {
  const found = findServers({ PGB_POSTGRES_BIN: folder, PGB_PGBOUNCER: join(folder, 'nothing') });
  expect(found).toMatchObject({
    ok: false,
    missing: ['postgresql', 'pgbouncer'],
    message: expect.stringContaining('PostgreSQL and PgBouncer'),
  });
  expect(installCommand(['pgbouncer'], 'linux')).toContain('apt-get install --no-install-recommends pgbouncer');
  expect(installCommand(['postgresql'], 'darwin')).toBe('brew install postgresql@16');
});

test('a program that does not run is not found', () => {
  for (const name of ['initdb', 'psql', 'postgres']) {
    const path = program(name, '');
    if (name === 'postgres') writeFileSync(path, '#!/bin/sh\nexit 1\n');
  }
  expect(
    findServers({ PGB_POSTGRES_BIN: folder, PGB_PGBOUNCER: program('pgbouncer', 'PgBouncer 1.18.0') }),
  ).toMatchObject({ ok: false, missing: ['postgresql'] });
});

test('PATH is searched in order, a path is taken as it is', () => {
  const path = program('thing', '');
  expect(which('thing', { PATH: `/nowhere:${folder}` })).toBe(path);
  expect(which(path)).toBe(path);
  expect(which('thing', { PATH: '' })).toBeUndefined();
});

test('root hands the servers to an existing unprivileged account, a user keeps them', () => {
  const passwd =
    'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\npostgres:x:101:104::/var/lib/postgresql:/bin/sh\n';
  expect(findAccount(0, passwd)).toEqual({ name: 'postgres', uid: 101, gid: 104 });
  expect(findAccount(0, 'nobody:x:65534:65534::/:/bin/false')?.name).toBe('nobody');
  expect(findAccount(1000, passwd)).toBeUndefined();
});
