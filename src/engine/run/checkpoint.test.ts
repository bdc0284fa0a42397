import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { linesOf, sampleEvents } from '../../../test/corruption/sample-run.ts';
import {
  type Checkpoint,
  type CheckpointEntry,
  checkpointEntry,
  journalShortfall,
  openCheckpoint,
} from './checkpoint.ts';
import { foldAll } from './fold.ts';
import { journalText } from './journal.ts';
import { operator } from './operator.ts';
import { isRunId, journalPath, newRunId, runDir, runIds, stateDir } from './paths.ts';

let home: string;
let count = 0;
const newDir = () => join(home, `state-${++count}`);
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'pgbw-checkpoint-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function opened(dir: string): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(dir);
  if (!checkpoint.ok) throw new Error(checkpoint.error.message);
  return checkpoint.value;
}

const entry = (runId: string, change: Partial<CheckpointEntry> = {}): CheckpointEntry => ({
  ...checkpointEntry(foldAll(linesOf(sampleEvents(runId)))!, 'https://10.0.0.1:6443'),
  ...change,
});

function withJournal(dir: string, runId: string): void {
  mkdirSync(runDir(dir, runId), { recursive: true, mode: 0o700 });
  writeFileSync(journalPath(runDir(dir, runId)), journalText(linesOf(sampleEvents(runId))));
}

const idsOf = (checkpoint: Checkpoint) => {
  const list = checkpoint.list();
  return list.ok ? list.value.map((run) => run.runId) : [list.error.code];
};

test('an entry comes back equal, newest first, in a private file', async () => {
  const dir = newDir();
  const checkpoint = await opened(dir);
  await checkpoint.put(entry('aaaa', { startedAt: '2026-03-14T20:00:00.000Z' }));
  await checkpoint.put(entry('1.5'.replace('.', ''), { startedAt: '2026-03-15T20:00:00.000Z' }));
  expect(idsOf(checkpoint)).toEqual(['15', 'aaaa']);
  expect(checkpoint.get('aaaa')).toEqual({ ok: true, value: entry('aaaa', { startedAt: '2026-03-14T20:00:00.000Z' }) });
  expect(checkpoint.get('constructor')).toEqual({ ok: true, value: undefined });
  for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

test('a folder that others may enter is closed', async () => {
  const dir = newDir();
  mkdirSync(dir);
  chmodSync(dir, 0o755);
  await opened(dir);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

test('two hundred writes from two openers at the same time all survive', async () => {
  const dir = newDir();
  const [a, b] = [await opened(dir), await opened(dir)];
  const puts = Array.from({ length: 100 }, (_, index) => [a.put(entry(`a${index}`)), b.put(entry(`b${index}`))]).flat();
  // One after the other inside each opener, interleaved between them, as two processes would.
  expect((await Promise.all(puts)).filter((put) => !put.ok)).toEqual([]);
  expect(idsOf(await opened(dir))).toHaveLength(200);
  // Two hundred times to a disk that others use too: minutes are a hang, seconds are not.
}, 60_000);

test('a damaged index is moved aside and rebuilt from the journals, and says so', async () => {
  const dir = newDir();
  withJournal(dir, '7f3a91c2');
  const first = await opened(dir);
  await first.put(entry('7f3a91c2'));
  writeFileSync(join(dir, 'checkpoint.json'), '{"version": 1, "runs": {"7f3a');
  expect(idsOf(first)).toEqual(['checkpoint-corrupt']);
  const again = await opened(dir);
  expect(again.get('7f3a91c2')).toEqual({ ok: true, value: entry('7f3a91c2') });
  expect(again.notices).toHaveLength(1);
  expect(again.notices[0]).toContain('rebuilt from the journals (1 run)');
  const aside = readdirSync(dir).find((name) => name.includes('.damaged-'))!;
  expect(readFileSync(join(dir, aside), 'utf8')).toBe('{"version": 1, "runs": {"7f3a');
});

test('a changed value that still parses is found by the checksum', async () => {
  const dir = newDir();
  withJournal(dir, '7f3a91c2');
  await (await opened(dir)).put(entry('7f3a91c2'));
  const path = join(dir, 'checkpoint.json');
  writeFileSync(
    path,
    readFileSync(path, 'utf8')
      .replace('"namespace": "nova"', '"namespace": "n0va"')
      .replace('"namespace":"nova"', '"namespace":"n0va"'),
  );
  const again = await opened(dir);
  expect(again.notices[0]).toContain('does not match its checksum');
  expect(again.get('7f3a91c2')).toMatchObject({ ok: true, value: { namespace: 'nova' } });
});

test('a run whose journal is unreadable stays in a rebuilt index as it was last known', async () => {
  const dir = newDir();
  withJournal(dir, '7f3a91c2');
  const checkpoint = await opened(dir);
  await checkpoint.put(entry('7f3a91c2'));
  writeFileSync(journalPath(runDir(dir, '7f3a91c2')), 'noise\nnoise\n');
  const rebuilt = await checkpoint.rebuild();
  expect(rebuilt).toMatchObject({ ok: true, value: { runs: 1, unreadable: [{ runId: '7f3a91c2' }] } });
  expect(checkpoint.get('7f3a91c2')).toEqual({ ok: true, value: entry('7f3a91c2') });
});

test('a newer format is refused and left alone', async () => {
  const dir = newDir();
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(join(dir, 'checkpoint.json'), '{"version":2,"everything":"else"}');
  const checkpoint = await openCheckpoint(dir);
  expect(checkpoint.ok ? '' : checkpoint.error).toMatchObject({ code: 'prerequisite-missing', exitCode: 9 });
  expect(readFileSync(join(dir, 'checkpoint.json'), 'utf8')).toBe('{"version":2,"everything":"else"}');
});

test('a lost index is found again from the journals', async () => {
  const dir = newDir();
  withJournal(dir, '7f3a91c2');
  withJournal(dir, '00c0ffee');
  const checkpoint = await opened(dir);
  expect(idsOf(checkpoint).sort()).toEqual(['00c0ffee', '7f3a91c2']);
  expect(checkpoint.notices[0]).toContain('2 runs were found again');
});

test('temporary files of killed writers are swept, fresh ones are left', async () => {
  const dir = newDir();
  mkdirSync(dir, { mode: 0o700 });
  const [old, fresh] = [join(dir, 'checkpoint.json.tmp-old'), join(dir, 'checkpoint.json.tmp-new')];
  for (const path of [old, fresh]) writeFileSync(path, '');
  utimesSync(old, 1, 1);
  await opened(dir);
  expect([existsSync(old), existsSync(fresh)]).toEqual([false, true]);
});

test('a journal that is shorter than the index remembers is told', () => {
  expect(journalShortfall(entry('aaaa', { events: 10 }), 10)).toBeUndefined();
  expect(journalShortfall(undefined, 3)).toBeUndefined();
  expect(journalShortfall(entry('aaaa', { events: 10 }), 7)).toContain('its last 3 are missing');
});

test('the state folder follows the environment', () => {
  expect(stateDir({ PGB_WIZARD_HOME: '/somewhere/pgbw', HOME: '/home/a' })).toBe('/somewhere/pgbw');
  expect(stateDir({ XDG_STATE_HOME: '/state', HOME: '/home/a' })).toBe('/state/pgb-wizard');
  expect(stateDir({ XDG_STATE_HOME: 'relative', HOME: '/home/a' })).toBe('/home/a/.local/state/pgb-wizard');
});

test('a run id can not lead out of the folder', () => {
  expect(isRunId(newRunId())).toBe(true);
  for (const id of ['', '..', 'a/b', 'A', '-a', 'a'.repeat(41), 'a\n']) expect(isRunId(id)).toBe(false);
  expect(() => runDir('/state', '../../etc')).toThrow('not a run id');
  expect(runIds(join(home, 'none'))).toEqual({ ok: true, value: [] });
});

test('the operator is user@host, and a name can hold no control characters', () => {
  expect(operator({ PGB_WIZARD_OPERATOR: 'alice' }).user).toBe('alice');
  expect(operator({ SUDO_USER: 'bob' }).user).toBe('bob');
  expect(operator({ PGB_WIZARD_OPERATOR: '=\u001b[31mx y\u202e#1' }).user).toMatch(/^[\p{L}\p{N}._+-]+$/u);
  expect(operator({}).identity).toMatch(/^[^@\s]+@[^@\s]+$/);
});
