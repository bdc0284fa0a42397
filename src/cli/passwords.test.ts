import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPasswords } from './passwords.ts';
import { testIo } from './testing/io.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgb-passwords-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

test('a file gives its one line, without the line feed', async () => {
  const read = await readPasswords({ rolePasswordFile: file('role', 'pa ss@word\n') }, testIo());
  expect(read.ok && read.value.inputs.rolePassword?.reveal()).toBe('pa ss@word');
  expect(read.ok && read.value.notices).toEqual([]);
});

test('a file that others can read is used, and said', async () => {
  const read = await readPasswords({ adminPasswordFile: file('open', 'adminpass1', 0o644) }, testIo());
  expect(read.ok && read.value.notices[0]).toContain('chmod 600');
});

test('standard input gives one password', async () => {
  const read = await readPasswords({ statsPasswordFile: '-' }, testIo({ input: 'statspass1\n' }));
  expect(read.ok && read.value.inputs.statsPassword?.reveal()).toBe('statspass1');
});

test('standard input cannot give two', async () => {
  const read = await readPasswords({ rolePasswordFile: '-', adminPasswordFile: '-' }, testIo({ input: 'x\n' }));
  expect(read).toMatchObject({ ok: false, error: { code: 'usage', exitCode: 2 } });
});

test("the guide's variables are read and taken out of the environment", async () => {
  const env = { PGBOUNCER_NOVA_USER_PASS: 'securepass123!', PGBOUNCER_ADMIN_PASS: 'adminpass456!', PATH: '/bin' };
  const read = await readPasswords({}, testIo({ env }));
  expect(read.ok && read.value.inputs.rolePassword?.reveal()).toBe('securepass123!');
  expect(read.ok && read.value.inputs.statsPassword).toBeUndefined();
  expect(env).toEqual({ PATH: '/bin' });
});

test('a file wins over a variable', async () => {
  const env = { PGBOUNCER_ADMIN_PASS: 'from-variable' };
  const read = await readPasswords({ adminPasswordFile: file('admin', 'from-file\n') }, testIo({ env }));
  expect(read.ok && read.value.inputs.adminPassword?.reveal()).toBe('from-file');
});

test.each([
  ['empty', '\n'],
  ['two-lines', 'a\nb\n'],
  ['huge', 'x'.repeat(5000)],
])('a file that is no password (%s) is refused with its flag', async (name, content) => {
  const read = await readPasswords({ rolePasswordFile: file(name, content) }, testIo());
  expect(read).toMatchObject({
    ok: false,
    error: { exitCode: 2, message: expect.stringContaining('--role-password-file') },
  });
});

test('a missing file is refused', async () => {
  const read = await readPasswords({ rolePasswordFile: join(folder, 'none') }, testIo());
  expect(read).toMatchObject({ ok: false, error: { code: 'secret-missing', exitCode: 2 } });
});
