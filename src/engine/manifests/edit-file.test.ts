import { afterAll, describe, expect, test } from 'vitest';
import { changeOf, folderOf, livesIn, removeFolders } from './testing/changes.ts';
import { changesOf, deployment, planIn, states } from './testing/plans.ts';

afterAll(removeFolders);

describe('shared by an anchor', () => {
  const shared = (use: string): string =>
    deployment(`- name: DATABASE_URL\n  value: &db postgres://u@postgres:5432/nova\n- name: ${use}\n  value: *db`);

  test('two entries that both change stay one', async () => {
    const found = await planIn(folderOf({ 'a.yaml': shared('REPORT_URL') }), changesOf(shared('REPORT_URL')));
    expect(found.files[0]!.after).toBe(shared('REPORT_URL').replace('postgres:5432', 'pgbouncer:6432'));
  });

  test('an entry that must not change keeps the whole from being edited', async () => {
    const text = shared('OTHER').replace('value: *db', `value: *db\n      initContainers: []`);
    const live = livesIn(text);
    const [change] = live.map((one) => changeOf(one));
    const only = { ...change!, edits: change!.edits.slice(0, 1) };
    const found = await planIn(folderOf({ 'a.yaml': text }), [only]);
    expect(states(found)).toEqual(['deployment/auth by-hand']);
    expect(found.files).toEqual([]);
  });
});

test('two equal arguments change both, and go back both', async () => {
  const DSN = 'postgres://u@postgres/nova';
  const text = deployment('[]').replace(/env:[\s\S]*/, `args: ['--rw', '${DSN}', '--ro', '${DSN}']\n`);
  const changes = changesOf(text);
  const there = await planIn(folderOf({ 'auth.yaml': text }), changes);
  expect(there.files[0]!.after).toBe(text.replaceAll('@postgres/', '@pgbouncer:6432/'));
  const back = await planIn(folderOf({ 'auth.yaml': there.files[0]!.after }), changes, 'back');
  expect(back.files[0]!.after).toBe(text);
});
