/**
 * Damages journals and indexes of runs in every way we can think of and looks at what becomes of them. Promise: never a
 * crash, never a wrong resume, always a message that says what was kept and where.
 *
 * - lost: something that was acknowledged and is still whole on the disk is not there after opening, or was dropped
 *   without a word;
 * - doubled: an event is there twice, or two writers wrote at the same time;
 * - leaked: a canary password is found in a file, an error or a name, in any encoding.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '../../src/engine/plan/canonical.ts';
import { checkpointEntry, journalShortfall, openCheckpoint } from '../../src/engine/run/checkpoint.ts';
import { foldAll } from '../../src/engine/run/fold.ts';
import { journalText, openJournal, readJournal } from '../../src/engine/run/journal.ts';
import { journalPath, runDir } from '../../src/engine/run/paths.ts';
import { Secret } from '../../src/engine/secret.ts';
import { DAMAGE_KINDS, damage, lineRanges } from './damage.ts';
import { type Random, seeded } from './random.ts';
import { linesOf, sampleEvents } from './sample-run.ts';

export interface MatrixResult {
  readonly tried: number;
  readonly lost: number;
  readonly doubled: number;
  readonly leaked: number;
  /** How each case ended, counted by target, kind of damage and ending. */
  readonly endings: Readonly<Record<string, number>>;
  /** What went wrong, with the seed and number of the case. */
  readonly failures: readonly string[];
}

type Finding = 'lost' | 'doubled' | 'leaked';

interface CaseResult {
  readonly ending: string;
  readonly findings: readonly (readonly [Finding, string])[];
}

const RUN = '7f3a91c2';
const OTHER = '00c0ffee';
const CANARY = 'c4n@ry "p\\ss" ü%41+/=';
const clock = { now: () => Date.parse('2026-03-15T08:00:00.000Z') };

/** The first lines of the sample run are enough for every kind of event but keep the files small. */
const LINES = 48;
const mine = linesOf(sampleEvents(RUN).slice(0, LINES));
const theirs = linesOf(sampleEvents(OTHER).slice(0, LINES));
const mineBytes = Buffer.from(journalText(mine));
const lastKnown = checkpointEntry(foldAll(mine)!, 'https://10.0.0.1:6443');
const theirBytes = Buffer.from(journalText(theirs));

/** `sample` cases, chosen by `seed`; the same seed gives the same cases. */
export async function runCorruptionMatrix(options: {
  readonly sample: number;
  readonly seed: number;
}): Promise<MatrixResult> {
  const random = seeded(options.seed);
  const counts = { lost: 0, doubled: 0, leaked: 0 };
  const endings: Record<string, number> = {};
  const failures: string[] = [];
  const secret = new Secret(CANARY);
  const home = mkdtempSync(join(tmpdir(), 'pgbw-corruption-'));
  try {
    for (let index = 0; index < options.sample; index++) {
      const kind = DAMAGE_KINDS[index % DAMAGE_KINDS.length]!;
      const target = random.pick(['journal', 'journal', 'journal', 'index', 'writers'] as const);
      const dir = join(home, String(index));
      mkdirSync(dir, { mode: 0o700 });
      const name = `${target}, ${target === 'writers' ? 'two of them' : kind}`;
      let result: CaseResult;
      try {
        result = await CASES[target](dir, kind, random, secret);
      } catch (error) {
        result = { ending: 'exception', findings: [['lost', `exception: ${(error as Error).stack}`]] };
      }
      endings[`${name}: ${result.ending}`] = (endings[`${name}: ${result.ending}`] ?? 0) + 1;
      for (const [finding, text] of [...result.findings, ...leaksIn(dir)]) {
        counts[finding]++;
        failures.push(`seed ${options.seed} case ${index} (${name}): ${finding}: ${text}`);
      }
      rmSync(dir, { recursive: true });
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  return { tried: options.sample, ...counts, endings, failures };
}

/** The last line of the script's output. */
export function matrixLine({ tried, lost, doubled, leaked }: MatrixResult): string {
  return `tried ${tried}, lost ${lost}, doubled ${doubled}, leaked ${leaked}`;
}

type Case = (dir: string, kind: string, random: Random, secret: Secret) => Promise<CaseResult>;

const CASES: Readonly<Record<'journal' | 'index' | 'writers', Case>> = {
  journal: journalCase,
  index: indexCase,
  writers: writersCase,
};

async function journalCase(home: string, kind: string, random: Random, secret: Secret): Promise<CaseResult> {
  const findings: [Finding, string][] = [];
  const dir = runDir(home, RUN);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = journalPath(dir);
  const { bytes } = damage(kind, mineBytes, theirBytes, random);
  writeFileSync(path, bytes);
  const whole = wholeLines(bytes);

  const reading = readJournal(path, RUN);
  if (!readFileSync(path).equals(bytes)) findings.push(['lost', 'reading changed the file']);
  const opened = await openJournal({ dir, runId: RUN, clock, create: false });
  // A reader may look at a run that is just beginning; nobody can resume one that has no event.
  const readable = reading.ok && reading.value.lines.length > 0;
  if (readable !== opened.ok) findings.push(['lost', 'reading and opening disagree']);

  if (!opened.ok) {
    if (!readFileSync(path).equals(bytes)) findings.push(['lost', 'a refused journal was changed']);
    if (opened.error.message === '' || !opened.error.next?.length)
      findings.push(['lost', 'an error without a word on what to do']);
    const kept = Number(opened.error.details?.kept ?? 0);
    if (opened.error.code === 'journal-corrupt' && kept > 0) {
      const copy = readJournal(String(opened.error.details?.keptIn), RUN);
      if (!copy.ok || copy.value.lines.length !== kept || kept < whole)
        findings.push(['lost', `${kept} lines kept of ${whole} whole ones`]);
    }
    return { ending: opened.error.code, findings };
  }

  const { lines, torn } = opened.value.opened;
  if (lines.some((line, index) => canonicalJson(line) !== canonicalJson(mine[index] ?? null)))
    findings.push(['lost', 'lines were accepted that nobody wrote']);
  if (lines.length < whole) findings.push(['lost', `${lines.length} lines of ${whole} whole ones`]);
  if (torn) {
    const kept = torn.keptIn ? readFileSync(torn.keptIn) : Buffer.alloc(0);
    if (!kept.equals(bytes.subarray(torn.atByte))) findings.push(['lost', 'the torn end was not kept']);
  } else if (bytes.length > lineRanges(mineBytes)[lines.length - 1]![1]) {
    findings.push(['lost', 'bytes vanished without a word']);
  } else if (lines.length < mine.length && journalShortfall(lastKnown, lines.length) === undefined) {
    // Cut exactly between two lines, a journal looks whole: the index knows better.
    findings.push(['lost', 'a journal that lost its end looks whole']);
  }

  // It must go on from there: one more event, with a secret in it by mistake, then read by another process.
  const added = opened.value.append({ type: 'message', level: 'warn', text: `login with ${secret.reveal()} failed` });
  opened.value.close();
  const again = readJournal(path, RUN);
  if (!added.ok || !again.ok || again.value.torn || again.value.lines.length !== lines.length + 1) {
    findings.push(['lost', 'the journal does not go on after the repair']);
  } else {
    const seqs = new Set(again.value.lines.map((line) => line.seq));
    if (seqs.size !== again.value.lines.length) findings.push(['doubled', 'a line is there twice']);
    if (foldAll(again.value.lines)?.events !== again.value.lines.length)
      findings.push(['lost', 'the state misses events']);
  }
  return {
    ending: torn ? 'torn end kept aside' : lines.length === mine.length ? 'whole' : 'whole lines only',
    findings,
  };
}

/** How many lines from the start are byte for byte what was written. */
function wholeLines(bytes: Buffer): number {
  const ranges = lineRanges(mineBytes);
  let count = 0;
  while (count < ranges.length && bytes.subarray(...ranges[count]!).equals(mineBytes.subarray(...ranges[count]!)))
    count++;
  return count;
}

async function indexCase(home: string, kind: string, random: Random): Promise<CaseResult> {
  const findings: [Finding, string][] = [];
  for (const [runId, bytes] of [
    [RUN, mineBytes],
    [OTHER, theirBytes],
  ] as const) {
    mkdirSync(runDir(home, runId), { recursive: true, mode: 0o700 });
    writeFileSync(journalPath(runDir(home, runId)), bytes);
  }
  const path = join(home, 'checkpoint.json');
  const first = await openCheckpoint(home);
  if (!first.ok) return { ending: first.error.code, findings: [['lost', first.error.message]] };
  await first.value.put(checkpointEntry(foldAll(mine)!, 'https://10.0.0.1:6443'));
  const good = readFileSync(path);
  await first.value.put(checkpointEntry(foldAll(theirs)!, 'https://10.0.0.1:6443'));
  const other = readFileSync(path);
  const { bytes } = damage(kind, other, good, random);
  writeFileSync(path, bytes);

  const opened = await openCheckpoint(home);
  if (!opened.ok) {
    if (opened.error.code !== 'prerequisite-missing')
      findings.push(['lost', `the index is not opened: ${opened.error.message}`]);
    if (!readFileSync(path).equals(bytes)) findings.push(['lost', 'a refused index was changed']);
    return { ending: opened.error.code, findings };
  }
  const list = opened.value.list();
  const ids = list.ok ? list.value.map((entry) => entry.runId) : [];
  const older = bytes.equals(good);
  // The older whole index of both runs is a right one too: it has every run that it ever knew.
  for (const runId of [RUN, OTHER])
    if (!ids.includes(runId)) findings.push(['lost', `run ${runId} is not in the index`]);
  if (new Set(ids).size !== ids.length) findings.push(['doubled', 'a run is there twice']);
  const changed = !bytes.equals(other) && !older;
  const kept = readdirSync(home).filter((name) => name.includes('.damaged-'));
  if (
    changed &&
    (opened.value.notices.length === 0 || !kept.some((name) => readFileSync(join(home, name)).equals(bytes)))
  ) {
    // Another spelling of a right index (an order of keys, a line of the older one) is that index.
    const same = list.ok && [other, good].some((right) => sameJson(right, bytes));
    if (!same) findings.push(['lost', 'a damaged index was replaced without a word or a copy']);
  }
  return { ending: opened.value.notices.length > 0 ? 'rebuilt' : 'whole', findings };
}

function sameJson(a: Buffer, b: Buffer): boolean {
  return canonicalJson(JSON.parse(a.toString('utf8'))) === canonicalJson(JSON.parse(b.toString('utf8')));
}

async function writersCase(home: string, _: string, random: Random): Promise<CaseResult> {
  const findings: [Finding, string][] = [];
  const dir = runDir(home, RUN);
  const first = await openJournal({ dir, runId: RUN, clock, create: true });
  if (!first.ok) return { ending: first.error.code, findings: [['lost', first.error.message]] };
  const events = mine.slice(0, 1 + random.below(8)).map((line) => line.event);
  for (const event of events) first.value.append(event, { durable: random.below(2) === 0 });
  const second = await openJournal({ dir, runId: RUN, clock, create: random.below(2) === 0 });
  if (second.ok || second.error.code !== 'locked') findings.push(['doubled', 'a second writer was let in']);
  if (random.below(2) === 0) {
    // Someone removes the lock by hand while its holder lives: the holder must notice before it writes again.
    rmSync(`${journalPath(dir)}.lock`);
    const third = await openJournal({ dir, runId: RUN, clock, create: false });
    const late = first.value.append({ type: 'message', level: 'info', text: 'late' });
    if (!third.ok || late.ok) findings.push(['doubled', 'two writers at the same time']);
    if (third.ok) third.value.close();
  }
  first.value.close();
  const read = readJournal(journalPath(dir), RUN);
  if (!read.ok || read.value.lines.length !== events.length)
    findings.push(['lost', 'events are missing after two writers']);
  return { ending: 'one writer', findings };
}

const CANARY_FORMS = [
  CANARY,
  JSON.stringify(CANARY).slice(1, -1),
  encodeURIComponent(CANARY),
  ...[0, 1, 2].map((shift) =>
    Buffer.from('x'.repeat(shift) + CANARY)
      .toString('base64')
      .slice(4, -4),
  ),
];

function leaksIn(dir: string): [Finding, string][] {
  const found: [Finding, string][] = [];
  for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    if (CANARY_FORMS.some((form) => text.includes(form))) found.push(['leaked', `the canary is in ${entry.name}`]);
  }
  return found;
}
