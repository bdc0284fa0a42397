import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { folderOf, removeFolders } from './testing/changes.ts';
import { changesOf, deployment, PASSWORD, planIn, repository, states, URL } from './testing/plans.ts';
import { writeManifests } from './write.ts';

afterAll(removeFolders);

describe('the way back', () => {
  test('a password comes from an older version of the file in Git, with its quotes', async () => {
    const text = deployment(PASSWORD);
    const dir = repository({ 'auth.yaml': text });
    const changes = changesOf(text);
    expect(writeManifests(await planIn(dir, changes)).ok).toBe(true);
    expect(readFileSync(join(dir, 'auth.yaml'), 'utf8')).not.toContain('in-the-file');
    const back = await planIn(dir, changes, 'back');
    expect(back.files[0]!.after).toBe(text);
    expect(back.files[0]!.diff.join('\n')).not.toContain('in-the-file');
  });

  test('where Git never had it, it is not taken out of the cluster into a file', async () => {
    const text = deployment(PASSWORD);
    const dir = folderOf({ 'auth.yaml': text });
    const changes = changesOf(text);
    writeManifests(await planIn(dir, changes));
    const back = await planIn(dir, changes, 'back');
    expect(states(back)).toEqual(['deployment/auth by-hand']);
    expect(back.files).toEqual([]);
  });
});

describe('writing', () => {
  test('keeps the mode, says how Git sees the file, and repeats without harm', async () => {
    const text = deployment(URL);
    const dir = repository({ 'auth.yaml': text, 'user.yaml': deployment(URL, 'user') });
    chmodSync(join(dir, 'auth.yaml'), 0o640);
    writeFileSync(join(dir, 'user.yaml'), `${deployment(URL, 'user')}# mine, not committed\n`);
    writeFileSync(join(dir, 'new.yaml'), deployment(URL, 'new'));
    const changes = ['auth', 'user', 'new'].flatMap((name) => changesOf(deployment(URL, name)));
    const found = await planIn(dir, changes);
    expect(found.files.map((file) => `${file.path} ${file.git}`)).toEqual([
      'auth.yaml clean',
      'new.yaml untracked',
      'user.yaml modified',
    ]);
    const first = writeManifests(found);
    expect(first.ok && first.value.map((file) => file.path)).toEqual(['auth.yaml', 'new.yaml', 'user.yaml']);
    expect(statSync(join(dir, 'auth.yaml')).mode & 0o777).toBe(0o640);
    expect(readFileSync(join(dir, 'user.yaml'), 'utf8')).toContain('# mine, not committed');
    expect(writeManifests(found).ok).toBe(true);
    expect(states(await planIn(dir, changes))).toEqual([
      'deployment/auth done',
      'deployment/user done',
      'deployment/new done',
    ]);
  });

  test('a file that changed since it was looked at keeps all of them from being written', async () => {
    const dir = folderOf({ 'auth.yaml': deployment(URL), 'user.yaml': deployment(URL, 'user') });
    const found = await planIn(dir, [...changesOf(deployment(URL)), ...changesOf(deployment(URL, 'user'))]);
    writeFileSync(join(dir, 'user.yaml'), 'mine: now\n');
    const written = writeManifests(found);
    expect(!written.ok && written.error.code).toBe('drift');
    expect(readFileSync(join(dir, 'auth.yaml'), 'utf8')).toBe(deployment(URL));
    expect(readFileSync(join(dir, 'user.yaml'), 'utf8')).toBe('mine: now\n');
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be written is told before any is', async () => {
    const dir = folderOf({ 'auth.yaml': deployment(URL), 'user.yaml': deployment(URL, 'user') });
    const found = await planIn(dir, [...changesOf(deployment(URL)), ...changesOf(deployment(URL, 'user'))]);
    chmodSync(join(dir, 'user.yaml'), 0o400);
    const written = writeManifests(found);
    expect(!written.ok && written.error.code).toBe('prerequisite-missing');
    expect(readFileSync(join(dir, 'auth.yaml'), 'utf8')).toBe(deployment(URL));
  });

  test('a file that became a link is not written through it', async () => {
    const dir = folderOf({ 'auth.yaml': deployment(URL) });
    const found = await planIn(dir, changesOf(deployment(URL)));
    const outside = folderOf({ 'auth.yaml': deployment(URL) });
    execFileSync('rm', [join(dir, 'auth.yaml')]);
    symlinkSync(join(outside, 'auth.yaml'), join(dir, 'auth.yaml'));
    expect(writeManifests(found).ok).toBe(false);
    expect(readFileSync(join(outside, 'auth.yaml'), 'utf8')).toBe(deployment(URL));
  });
});
