import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ensurePrivateDir, isRunId, newRunId, stateDir } from './paths.ts';

const folder = mkdtempSync(join(tmpdir(), 'pgb-wizard-paths-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('folders are made level by level, for their owner only', () => {
  const path = join(folder, 'a', 'b', 'c');
  expect(ensurePrivateDir(path)).toEqual({ ok: true, value: path });
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(ensurePrivateDir(path).ok).toBe(true);
});

test('a file in the way is an error that names the folder', () => {
  ensurePrivateDir(folder);
  writeFileSync(join(folder, 'file'), '');
  expect(ensurePrivateDir(join(folder, 'file', 'runs'))).toMatchObject({
    ok: false,
    error: { code: 'journal-write', details: { reason: 'ENOTDIR' } },
  });
});

test.runIf(process.platform === 'linux')('a place that takes no folder ends with an error, not in a loop', () => {
  expect(ensurePrivateDir('/proc/pgb-wizard/runs')).toMatchObject({ ok: false, error: { code: 'journal-write' } });
});

test('the state folder follows the environment, and relative XDG paths are ignored', () => {
  expect(stateDir({ PGB_WIZARD_HOME: '/srv/x' })).toBe('/srv/x');
  expect(stateDir({ XDG_STATE_HOME: '/srv/state', HOME: '/home/a' })).toBe('/srv/state/pgb-wizard');
  expect(stateDir({ XDG_STATE_HOME: 'state', HOME: '/home/a' })).toBe('/home/a/.local/state/pgb-wizard');
});

test('run ids fit into names of Kubernetes objects and never leave their folder', () => {
  expect(isRunId(newRunId())).toBe(true);
  for (const bad of ['', '..', 'a/b', 'A', '-a', 'a'.repeat(41)]) expect(isRunId(bad)).toBe(false);
});
