import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { linesOf, sampleEvents, startedEvent } from '../../../test/corruption/sample-run.ts';
import { Secret } from '../secret.ts';
import type { RunEvent } from './events.ts';
import { type Journal, journalText, openJournal, readJournal, verifyChain } from './journal.ts';
import { type JournalFiles, nodeFiles } from './journal-files.ts';
import { isRunning, processStart } from './journal-lock.ts';
import { journalPath } from './paths.ts';

const RUN = '7f3a91c2';
const clock = { now: () => Date.parse('2026-03-14T20:00:00.000Z') };
const note = (text: string): RunEvent => ({ type: 'message', level: 'info', text });
let home: string;
let count = 0;
const newDir = () => join(home, `run-${++count}`);

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'pgbw-journal-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function journalIn(dir: string, create: boolean, files?: JournalFiles): Promise<Journal> {
  const opened = await openJournal({ dir, runId: RUN, clock, create }, files);
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
}

async function begun(dir: string, files?: JournalFiles): Promise<Journal> {
  const journal = await journalIn(dir, true, files);
  journal.append(startedEvent(RUN));
  return journal;
}

const linesIn = (dir: string) => {
  const read = readJournal(journalPath(dir), RUN);
  if (!read.ok) throw new Error(read.error.message);
  return read.value.lines;
};

test('what was appended is read back, chained, private', async () => {
  const dir = newDir();
  const journal = await journalIn(dir, true);
  for (const event of sampleEvents(RUN)) expect(journal.append(event).ok).toBe(true);
  const head = journal.head;
  journal.close();
  const lines = linesIn(dir);
  expect(lines.map((line) => JSON.parse(JSON.stringify(line.event)))).toEqual(
    JSON.parse(JSON.stringify(sampleEvents(RUN))),
  );
  expect(verifyChain(lines)).toEqual({ ok: true, value: { head } });
  expect(statSync(journalPath(dir)).mode & 0o777).toBe(0o600);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

test('a new journal is not made over an old one, an old one is not invented', async () => {
  const dir = newDir();
  (await begun(dir)).close();
  const again = await openJournal({ dir, runId: RUN, clock, create: true });
  expect(again.ok ? '' : again.error.code).toBe('already-exists');
  const missing = await openJournal({ dir: newDir(), runId: RUN, clock, create: false });
  expect(missing.ok ? '' : missing.error.code).toBe('not-found');
});

test('a torn end is cut off, kept aside and told', async () => {
  const dir = newDir();
  (await begun(dir)).close();
  writeFileSync(journalPath(dir), '{"at":"2026-03-14T2', { flag: 'a' });
  const journal = await journalIn(dir, false);
  const torn = journal.opened.torn!;
  expect(readFileSync(torn.keptIn!, 'utf8')).toBe('{"at":"2026-03-14T2');
  journal.append(note('goes on'));
  journal.close();
  expect(linesIn(dir).map((line) => line.seq)).toEqual([1, 2]);
});

test('a whole last line without its line feed counts', async () => {
  const dir = newDir();
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(journalPath(dir), journalText(linesOf(sampleEvents(RUN).slice(0, 3))).slice(0, -1));
  const journal = await journalIn(dir, false);
  expect([journal.events, journal.opened.torn]).toEqual([3, undefined]);
  journal.append(note('goes on'));
  journal.close();
  expect(linesIn(dir)).toHaveLength(4);
});

test('damage in the middle stops, with the whole part in a copy and the file untouched', async () => {
  const dir = newDir();
  mkdirSync(dir, { mode: 0o700 });
  const text = journalText(linesOf(sampleEvents(RUN).slice(0, 9))).replace('p1.deploy', 'p1.depl0y');
  writeFileSync(journalPath(dir), text);
  const opened = await openJournal({ dir, runId: RUN, clock, create: false });
  if (opened.ok) throw new Error('a damaged journal was opened');
  expect(opened.error).toMatchObject({ code: 'journal-corrupt', details: { kept: 0 } });
  expect(readFileSync(journalPath(dir), 'utf8')).toBe(text);
});

test('a journal of another run is refused', async () => {
  const dir = newDir();
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(journalPath(dir), journalText(linesOf(sampleEvents('00c0ffee'))));
  const opened = await openJournal({ dir, runId: RUN, clock, create: false });
  expect(opened.ok ? '' : opened.error.message).toContain('belongs to run 00c0ffee, not to run 7f3a91c2');
});

test('a secret that reaches an event by mistake is masked in the file', async () => {
  const dir = newDir();
  const secret = new Secret('hunter2-"quoted"');
  const journal = await begun(dir);
  journal.append(note(`could not log in with ${secret.reveal()} or postgresql://u:other-pass@postgres/nova`));
  journal.append({
    type: 'fact',
    key: 'x',
    value: { [secret.reveal()]: [Buffer.from(secret.reveal()).toString('base64')] },
  });
  journal.close();
  const text = readFileSync(journalPath(dir), 'utf8');
  expect(text).not.toMatch(/hunter2|other-pass|aHVudGVyMi/);
  expect(linesIn(dir)).toHaveLength(3);
});

test('a full disk fails the one append, loses nothing before it, and the next one works', async () => {
  const dir = newDir();
  let full = false;
  const files: JournalFiles = {
    ...nodeFiles,
    write: (fd, data, offset, position) => {
      if (!full) return nodeFiles.write(fd, data, offset, position);
      // A disk that fills up takes a part of the line first.
      if (offset === 0 && data.length > 20) return nodeFiles.write(fd, data.subarray(0, 20), 0, position);
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    },
  };
  const journal = await begun(dir, files);
  journal.append(note('lazy'), { durable: false });
  full = true;
  const failed = journal.append(note('does not fit'));
  expect(failed.ok ? '' : `${failed.error.code}: ${failed.error.cause}`).toBe('journal-write: the disk is full');
  full = false;
  expect(journal.append(note('fits')).ok).toBe(true);
  journal.close();
  expect(linesIn(dir).map((line) => (line.event.type === 'message' ? line.event.text : line.event.type))).toEqual([
    'run.started',
    'lazy',
    'fits',
  ]);
});

test('after a failed fsync the lazy lines are written again, because the page cache may have dropped them', async () => {
  const dir = newDir();
  let failing = false;
  let dropped = 0;
  const files: JournalFiles = {
    ...nodeFiles,
    sync: (fd) => {
      if (!failing) return nodeFiles.sync(fd);
      // What Linux does after a failed write-back: the pages are marked clean and their content is gone.
      dropped = nodeFiles.size(fd);
      nodeFiles.truncate(fd, 0);
      nodeFiles.truncate(fd, dropped);
      nodeFiles.write(fd, synced, 0, 0);
      throw Object.assign(new Error('i/o error'), { code: 'EIO' });
    },
  };
  const journal = await begun(dir, files);
  const synced = readFileSync(journalPath(dir));
  journal.append(note('lazy 1'), { durable: false });
  journal.append(note('lazy 2'), { durable: false });
  failing = true;
  expect(journal.append(note('refused')).ok).toBe(false);
  expect(dropped).toBeGreaterThan(synced.length);
  failing = false;
  expect(journal.append(note('accepted')).ok).toBe(true);
  journal.close();
  expect(linesIn(dir).map((line) => (line.event.type === 'message' ? line.event.text : line.event.type))).toEqual([
    'run.started',
    'lazy 1',
    'lazy 2',
    'accepted',
  ]);
});

test('lazy lines are on the disk every 64 KiB at the latest, whatever follows them', async () => {
  const dir = newDir();
  let onDisk = 0;
  const files: JournalFiles = {
    ...nodeFiles,
    sync: (fd) => {
      nodeFiles.sync(fd);
      onDisk = nodeFiles.size(fd);
    },
  };
  const journal = await begun(dir, files);
  const longest = 64 * 1024;
  for (let n = 0; n < 200; n++) {
    expect(journal.append(note('x'.repeat(1000)), { durable: false }).ok).toBe(true);
    expect(statSync(journalPath(dir)).size - onDisk).toBeLessThanOrEqual(longest);
  }
  expect(onDisk).toBeGreaterThan(2 * longest);
  journal.close();
  expect(linesIn(dir)).toHaveLength(201);
});

test('a read-only disk is an error before anything is opened', async () => {
  const files: JournalFiles = {
    ...nodeFiles,
    open: () => {
      throw Object.assign(new Error('read-only'), { code: 'EROFS' });
    },
  };
  const opened = await openJournal({ dir: newDir(), runId: RUN, clock, create: true }, files);
  expect(opened.ok ? '' : `${opened.error.code}: ${opened.error.cause}`).toBe('journal-write: the disk is read-only');
});

test('a second writer is told who has the journal', async () => {
  const dir = newDir();
  const first = await begun(dir);
  const second = await openJournal({ dir, runId: RUN, clock, create: false });
  expect(second.ok ? '' : second.error).toMatchObject({ code: 'locked', exitCode: 7, details: { pid: process.pid } });
  first.close();
  (await journalIn(dir, false)).close();
  expect(readdirSync(dir)).toEqual(['events.jsonl']);
});

test.each([
  ['a process that is gone', { pid: 2 ** 22 + 1, host: hostname() }],
  ['a stranger with the same pid', { pid: process.pid, started: `${processStart(process.pid)}0`, host: hostname() }],
])('the lock of %s is taken over', async (_, holder) => {
  const dir = newDir();
  (await begun(dir)).close();
  writeFileSync(`${journalPath(dir)}.lock`, JSON.stringify({ ...holder, nonce: 'x' }));
  const journal = await journalIn(dir, false);
  expect(journal.append(note('mine now')).ok).toBe(true);
  journal.close();
});

test('the lock of another host stays: nobody can tell from here whether it lives', async () => {
  const dir = newDir();
  (await begun(dir)).close();
  writeFileSync(`${journalPath(dir)}.lock`, JSON.stringify({ pid: 1, host: 'another-host', nonce: 'x' }));
  const opened = await openJournal({ dir, runId: RUN, clock, create: false });
  expect(opened.ok ? '' : opened.error.message).toBe('run 7f3a91c2 is in use by process 1 on another-host');
});

let childFile: string;
beforeAll(() => {
  childFile = join(home, 'writer-child.mjs');
  const entry = new URL('../../../test/corruption/writer-child.ts', import.meta.url).pathname;
  buildSync({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: childFile,
    logLevel: 'error',
    // Some packages are CommonJS and ask for `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
});

function child(dir: string, mode: 'create' | 'open' | 'hold') {
  const spawned = spawn(process.execPath, [childFile, dir, RUN, mode], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { spawned, lines: createInterface({ input: spawned.stdout }) };
}

test('kill -9 at any time: every acknowledged event is there, and the run goes on', async () => {
  const dir = newDir();
  let acknowledged = 1;
  for (let round = 0; round < 5; round++) {
    const { spawned, lines } = child(dir, round === 0 ? 'create' : 'open');
    const enough = acknowledged + 3 + round * 2;
    for await (const line of lines) {
      if (line.startsWith('ack ')) acknowledged = Number(line.slice(4));
      if (acknowledged >= enough) spawned.kill('SIGKILL');
    }
    if (spawned.exitCode === null && spawned.signalCode === null) await once(spawned, 'exit');
    const read = readJournal(journalPath(dir), RUN);
    expect(read.ok && read.value.lines.length).toBeGreaterThanOrEqual(acknowledged);
  }
  const journal = await journalIn(dir, false);
  expect(journal.events).toBeGreaterThanOrEqual(acknowledged);
  journal.close();
});

test('of several processes that open the journal at once exactly one writes', { timeout: 60_000 }, async () => {
  const dir = newDir();
  (await begun(dir)).close();
  const children = Array.from({ length: 4 }, () => child(dir, 'hold'));
  const exits = children.map(({ spawned }) => once(spawned, 'exit'));
  const answers = await Promise.all(children.map(async ({ lines }) => (await once(lines, 'line'))[0] as string));
  expect(answers.toSorted()).toEqual(['locked', 'locked', 'locked', 'open']);
  children[answers.indexOf('open')]!.spawned.stdin.end('stop\n');
  expect((await Promise.all(exits)).map(([code]) => code).toSorted()).toEqual([0, 7, 7, 7]);
  expect(readdirSync(dir)).toEqual(['events.jsonl']);
});

test.runIf(process.platform === 'linux')('a killed process that nobody has reaped yet does not run', async () => {
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = Number((await once(createInterface({ input: parent.stdout }), 'line'))[0]);
  await vi.waitFor(() => expect(isRunning(pid)).toBe(false));
  expect(() => process.kill(pid, 0)).not.toThrow();
  expect(isRunning(parent.pid!)).toBe(true);
  parent.kill('SIGKILL');
});
