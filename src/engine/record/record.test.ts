import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { linesOf, sampleEvents, timeAt } from '../../../test/corruption/sample-run.ts';
import { sha256 } from '../plan/canonical.ts';
import { foldAll } from '../run/fold.ts';
import { journalText } from '../run/journal.ts';
import { buildRecord } from './build.ts';
import { csv, csvCell, html, markdown, markdownCode } from './escape.ts';
import { verifyRecord } from './verify.ts';
import { RECORD_FILES, renderViews } from './views.ts';
import { exportJournal, writeRecord } from './write.ts';

const lines = linesOf(sampleEvents());
const state = foldAll(lines)!;
const record = buildRecord(state, lines);
let home: string;
let count = 0;
const newDir = () => join(home, `record-${++count}`);
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'pgbw-record-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function written(upTo = lines.length): Promise<string> {
  const dir = newDir();
  const some = lines.slice(0, upTo);
  const result = await writeRecord({ dir, state: foldAll(some)!, lines: some });
  if (!result.ok) throw new Error(result.error.message);
  return dir;
}

const problemsOf = async (dir: string) => {
  const verified = await verifyRecord(dir);
  return verified.ok ? [] : String(verified.error.details?.problems).split('\n');
};

test('the header says who, what, where and with which plan', () => {
  expect(record.header).toMatchObject({
    changeNumber: 'CHG0030042',
    title: 'Move nova to PgBouncer',
    startedBy: 'alice@bastion',
    people: ['alice@bastion', 'bob@desk', 'carol@laptop'],
    plan: { name: 'nova', hash: state.planHash },
    cluster: { context: 'prod-eu-1', namespace: 'nova' },
  });
});

test('a title longer than a ticket takes is cut at 160 characters', () => {
  const long = linesOf(sampleEvents('7f3a91c2', '🐘'.repeat(400)));
  expect([...buildRecord(foldAll(long)!, long).header.title]).toHaveLength(160);
});

test('times come from the journal, in run time', () => {
  expect(record.times).toMatchObject({ actualStart: timeAt(0), actualEnd: timeAt(lines.length - 1) });
  expect(record.times.plannedMinutes).toBeGreaterThan(270);
  expect(record.followUp.dueAt).toBe(new Date(Date.parse(timeAt(lines.length - 1)) + 48 * 3_600_000).toISOString());
});

test('a workload has its digests before and after, and when it was switched and taken back', () => {
  const identity = record.workloads.find((workload) => workload.service === 'identity-service')!;
  expect(identity).toMatchObject({
    state: 'pooled',
    before: 'hmac:identity-service:direct',
    after: 'hmac:identity-service:pooled',
  });
  expect(identity.switchedAt).toBeDefined();
  expect(record.workloads.find((workload) => workload.service === 'media-service')).toMatchObject({
    state: 'rolled-back',
  });
});

test('everything that did not go as planned is a deviation', () => {
  const kinds = new Set(record.deviations.map((deviation) => deviation.kind));
  expect([...kinds].sort()).toEqual([
    'departure',
    'failure',
    'hold',
    'override',
    'parked',
    'resume',
    'retry',
    'rollback',
    'unknown-outcome',
    'waived',
  ]);
  expect(record.close.code).toBe('successful with issues');
});

test('the way back names every service in the opposite order, with what restored looks like', () => {
  expect(record.backoutPlan.map((step) => step.step)).toEqual(
    state.services.toReversed().map((service) => `rollback.${service.name}`),
  );
  expect(record.backoutPlan.every((step) => step.restored?.includes('byte for byte'))).toBe(true);
});

test('a phase without answers has the eight items of the guide open', () => {
  expect(record.checklist.filter((item) => item.phase === 'p3')).toHaveLength(8);
  expect(record.checklist.filter((item) => item.phase === 'p2')).toMatchObject([{ verdict: 'pass' }]);
});

test('the same journal gives the same bytes, in memory or from the file', async () => {
  const [a, b] = [await written(), await written()];
  for (const name of [...RECORD_FILES, 'SHA256SUMS'])
    expect(readFileSync(join(a, name))).toEqual(readFileSync(join(b, name)));
  const journal = join(home, 'events.jsonl');
  writeFileSync(journal, `${journalText(lines)}{"torn`);
  const exported = await exportJournal(journal, newDir());
  expect(exported.ok && exported.value.digest).toBe(sha256(readFileSync(join(a, 'SHA256SUMS'))));
});

test('files are private', async () => {
  const dir = await written();
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  for (const name of RECORD_FILES) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
});

test('a run can be exported after any of its events, and verifies', async () => {
  const cuts = [1, 2, 7, 33, lines.findIndex((line) => line.event.type === 'run.parked') + 1, lines.length];
  for (const cut of cuts) expect(await problemsOf(await written(cut))).toEqual([]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: lines.length }), (cut) => {
      const some = lines.slice(0, cut);
      const views = renderViews(buildRecord(foldAll(some)!, some), some);
      expect(Object.keys(views)).toEqual([...RECORD_FILES]);
    }),
    { numRuns: 20 },
  );
});

test('a changed byte in any file is found', async () => {
  const dir = await written();
  for (const name of RECORD_FILES) {
    const before = readFileSync(join(dir, name));
    appendFileSync(join(dir, name), ' ');
    expect((await problemsOf(dir))[0]).toBe(`${name} does not match its sum`);
    writeFileSync(join(dir, name), before);
  }
  expect(await problemsOf(dir)).toEqual([]);
});

test('a file that was changed together with its sum is found, because everything is made again', async () => {
  const dir = await written();
  const path = join(dir, 'checklist.csv');
  const before = readFileSync(path, 'utf8');
  const after = before.replaceAll('todo', 'pass');
  writeFileSync(path, after);
  const sums = readFileSync(join(dir, 'SHA256SUMS'), 'utf8');
  writeFileSync(join(dir, 'SHA256SUMS'), sums.replace(sha256(before), sha256(after)));
  expect(await problemsOf(dir)).toEqual(['checklist.csv is not what the journal gives']);
});

test('a missing file, missing sums and a foreign line in them are found', async () => {
  const dir = await written();
  rmSync(join(dir, 'pools.csv'));
  expect(await problemsOf(dir)).toEqual(['pools.csv is missing']);
  const bare = await written();
  rmSync(join(bare, 'SHA256SUMS'));
  expect((await problemsOf(bare))[0]).toContain('SHA256SUMS is missing');
  const odd = await written();
  appendFileSync(join(odd, 'SHA256SUMS'), `${'0'.repeat(64)}  ../../etc/passwd\n`);
  expect((await problemsOf(odd))[0]).toContain('not of this record');
  expect((await verifyRecord(join(home, 'none'))).ok).toBe(false);
});

test('a record of another format is checked by its sums and its journal, and says so', async () => {
  const dir = await written();
  expect(await verifyRecord(dir)).toMatchObject({ ok: true, value: { madeAgain: true, signature: 'none' } });
  const path = join(dir, 'record.json');
  const before = readFileSync(path, 'utf8');
  const after = before.replace('"format": 1', '"format": 2');
  writeFileSync(path, after);
  expect((await problemsOf(dir))[0]).toBe('record.json does not match its sum');
  const sums = join(dir, 'SHA256SUMS');
  writeFileSync(sums, readFileSync(sums, 'utf8').replace(sha256(before), sha256(after)));
  expect(await verifyRecord(dir)).toMatchObject({ ok: true, value: { madeAgain: false } });
});

test('the sums are those of sha256sum', async () => {
  const dir = await written();
  const checked = spawnSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], {
    cwd: dir,
    encoding: 'utf8',
  });
  expect([checked.status, checked.stdout]).toEqual([0, '']);
});

const sshKeygen = spawnSync('ssh-keygen', ['-?']).error === undefined;

test.runIf(sshKeygen)('a signature is made by ssh-keygen and checked against the allowed signers', async () => {
  const key = join(home, 'key');
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'alice', '-f', key]);
  const allowed = join(home, 'allowed');
  writeFileSync(allowed, `alice@bastion ${readFileSync(`${key}.pub`, 'utf8')}`);
  const dir = newDir();
  const result = await writeRecord({ dir, state, lines, sign: { key } });
  expect(result.ok && result.value.files.at(-1)).toBe('SHA256SUMS.sig');
  const signers = { allowedSigners: { file: allowed, identity: 'alice@bastion' } };
  expect(await verifyRecord(dir, signers)).toMatchObject({
    ok: true,
    value: { signature: 'good', signedBy: 'alice@bastion' },
  });
  expect(await verifyRecord(dir, { allowedSigners: { file: allowed, identity: 'mallory@desk' } })).toMatchObject({
    ok: false,
  });
  expect(await verifyRecord(await written(), signers)).toMatchObject({ ok: false, error: { exitCode: 10 } });
});

test('a key that does not sign is an error, and the record stays', async () => {
  const dir = newDir();
  const result = await writeRecord({ dir, state, lines, sign: { key: join(home, 'no-such-key') } });
  expect(result.ok ? '' : result.error.code).toBe('prerequisite-missing');
  expect(await problemsOf(dir)).toEqual([]);
});

const HOSTILE =
  '=HYPERLINK("http://evil","x") <script>alert(1)</script> </style> | [a](javascript:b) `code` ``` **b** @team "q" \'s\' [code]<b>[/code] +1';
const hostileLines = linesOf(sampleEvents('7f3a91c2', HOSTILE));
const hostile = renderViews(buildRecord(foldAll(hostileLines)!, hostileLines), hostileLines);

test('hostile text stays text in the report', () => {
  const report = hostile['report.html'];
  expect(report).toContain('&lt;script&gt;');
  expect(report.match(/<(script|iframe|img|link|object|embed|form|a|base)\b/gi)).toBeNull();
  expect(report.match(/\son\w+=/gi)).toBeNull();
  expect(report.match(/<\/style>/g)).toHaveLength(1);
  expect(report).toContain("default-src 'none'");
  expect(report.replaceAll('http://evil', '')).not.toMatch(/https?:|url\(|@import/);
});

test('hostile text stays text in tables and notes', () => {
  for (const name of ['checklist.csv', 'pools.csv'] as const) {
    for (const row of hostile[name].split('\r\n')) expect(row).not.toMatch(/(^|,)"?[=+@]/);
  }
  expect(hostile['work-notes.txt']).not.toMatch(/\[\/?code\]/i);
  expect(hostile['record.md']).not.toMatch(/[^\\]<script>|[^\\]\[a\]\(/);
  expect(JSON.parse(hostile['jira.json']).fields.description.type).toBe('doc');
});

test('cells by RFC 4180, and none that a spreadsheet would run', () => {
  expect(csv([['a', 'b,c', 'd"e', 'f\ng', 1, -2, undefined, true]])).toBe('a,"b,c","d""e","f\ng",1,-2,,true\r\n');
  fc.assert(
    fc.property(fc.string(), (text) => {
      const cell = csvCell(text);
      const content = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
      const without = (one: string) => one.replaceAll("'", '');
      expect(without(content)).toBe(without(text));
      expect(content.length).toBeLessThan(text.length + 2 + (text.match(/[;\t\r\n]/g)?.length ?? 0));
      expect(content).not.toMatch(/^[=+\-@\t\r]/);
    }),
  );
  for (const inner of ['a;=1+1', 'a;"=1+1', 'a\t@x', 'a; ＝1', 'a\n-1'])
    expect(csvCell(inner)).not.toMatch(/[;\t\n][\s"]*[=+\-@＝]/);
  expect(csvCell('2 of 3; 5 s')).toBe('2 of 3; 5 s');
  for (const formula of ['=1', '+1', '-1', '@x', '\t=1', ' =1', '＝1', "'=1", '"=1'])
    expect(csvCell(formula).replace(/^"/, '')).toMatch(/^'/);
});

test('escapes of HTML and Markdown leave nothing active', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      (text) => !/[<>"'`]/.test(html(text)) && !/[^\\](\\\\)*[<|`]/.test(` ${markdown(text)}`),
    ),
  );
  expect(markdown('1. x')).toBe('1\\. x');
  expect(markdown('- x')).toBe('\\- x');
  expect(markdown('see https://evil or @team, alice@bastion')).toBe('see https&#58;//evil or &#64;team, alice@bastion');
  expect(markdownCode(['a ```` b'])).toBe('`````\na ```` b\n`````');
});

test('the report has its charts inline and no script', () => {
  const report = readable(renderViews(record, lines)['report.html']);
  expect(report.match(/<svg class="chart"/g)).toHaveLength(2);
  expect(report).toContain('aria-label="Clients of the pooler: clients at most');
  expect(report).not.toMatch(/NaN|undefined|Infinity/);
});

test('ticket fields: ServiceNow in its own times, closed as the run ended', () => {
  const fields = JSON.parse(renderViews(record, lines)['servicenow.json']);
  expect(fields).toMatchObject({
    number: 'CHG0030042',
    close_code: 'successful_issues',
    work_start: '2026-03-14 20:00:00',
  });
  const running = lines.slice(0, 20);
  const open = JSON.parse(renderViews(buildRecord(foldAll(running)!, running), running)['servicenow.json']);
  expect([open.close_code, open.work_end]).toEqual([undefined, undefined]);
});

test('a rollback of everything closes the change as backed out', () => {
  const back = linesOf([...sampleEvents().slice(0, -1), { type: 'run.ended', outcome: 'rolled-back' }]);
  const closed = buildRecord(foldAll(back)!, back);
  expect([closed.close.code, closed.followUp.dueAt]).toEqual(['backed out', undefined]);
});

function readable(text: string): string {
  return text.replace(/<style>[\s\S]*?<\/style>/, '');
}
