/**
 * The crash matrix: a forward run and a whole rollback, killed with SIGKILL again and again at chosen places (before a
 * mutating request is sent, when it was carried out and its answer is not read, before a journal line, between the line
 * and its fsync, after it), resumed each time, and looked at from the outside at the end.
 *
 * - lost: the end is not the one of an uninterrupted run, a decision is missing or was asked for twice, a chain is broken;
 * - doubled: a workload was rolled more than once in a direction;
 * - leaked: a mutating request reached the API server without a journaled intent.
 */
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalLine } from '../../src/engine/run/events.ts';
import { journalPath, runDir } from '../../src/engine/run/paths.ts';
import { type Random, seeded } from '../corruption/random.ts';
import type { Slice } from '../slices.ts';
import { journalOf, type Lab, type LabState, openLab, runsIn, SERVICES, type Session } from './lab.ts';

export type Finding = 'lost' | 'doubled' | 'leaked';
type Direction = 'forward' | 'back';

/** A place to be killed at: a prefix of its label, and its how-manieth occurrence in the session. */
interface Place {
  readonly label: string;
  readonly nth: number;
}

const RUN_ID = /\b[0-9a-f]{8}\b/g;
const plain = (label: string) => label.replace(RUN_ID, '*');
const prefix = (label: string) => label.replace(/\b[0-9a-f]{8}\b.*$/, '');

/** Kills until the slice has tried its share. */
export async function runCrashMatrix({ sample, seed, shard, covered: before, say, report }: Slice): Promise<void> {
  const random = seeded(seed);
  let lab = await openLab();
  const covered = new Set(before);
  let tried = 0;
  try {
    let reference = await referenceRuns(lab);
    const known = new Set([...reference.forward.passed, ...reference.back.passed].map(plain));
    say(
      `an uninterrupted run passes ${reference.forward.passed.length} kill points, its rollback ${reference.back.passed.length}`,
    );
    // Each shard looks after its own places first, so that several of them don't all try the same.
    const own = new Set([...known].sort().filter((_, index) => index % shard.of === shard.index - 1));
    const wanted = (place: string) => (covered.has(place) ? 0 : own.has(place) ? 2 : 1);
    for (let cycle = 1; tried < sample; cycle++) {
      const outcome = await killedCycle(lab, reference, random, sample - tried, wanted);
      tried += outcome.kills.length;
      const counts: Record<string, number> = {};
      for (const kill of outcome.kills) {
        const kind = kill.split(' ')[0]!;
        counts[kind] = (counts[kind] ?? 0) + 1;
        covered.add(plain(kill));
      }
      const where = `seed ${seed} cycle ${cycle}`;
      const count = (kind: Finding) => outcome.findings.filter(([finding]) => finding === kind).length;
      report({
        tried: outcome.kills.length,
        lost: count('lost'),
        doubled: count('doubled'),
        leaked: count('leaked'),
        counts,
        covered: [...new Set(outcome.kills.map(plain))],
        known: known.size,
        failures: outcome.findings.map(([finding, text]) => `${where}: ${finding}: ${text}`),
        notes: outcome.notes.map((note) => `${where}: ${note}`),
      });
      say(
        `cycle ${cycle}: ${outcome.kills.length} kills, ${outcome.findings.length} findings; ${tried} tried, ${covered.size} of about ${known.size} places`,
      );
      for (const [finding, text] of outcome.findings) say(`  ${finding}: ${text}`);
      if (outcome.findings.length > 0 && tried < sample) {
        // What a finding left behind must not be blamed on the next cycle.
        await lab.close();
        lab = await openLab();
        reference = await referenceRuns(lab);
      }
    }
  } finally {
    await lab.close();
  }
}

export interface Reference {
  readonly original: LabState;
  readonly migrated: LabState;
  readonly forward: Session;
  readonly back: Session;
}

/** The ends to compare with, and the places that are passed on the way. A busy machine may fail a gate: then once more. */
export async function referenceRuns(lab: Lab, tries = 3): Promise<Reference> {
  try {
    return await uninterrupted(lab);
  } catch (thrown) {
    if (tries === 1) throw thrown;
    for (const home of lab.homes()) {
      for (const runId of runsIn(home)) await lab.wizard(home, backArgs(runId));
    }
    await lab.sweep();
    return referenceRuns(lab, tries - 1);
  }
}

async function uninterrupted(lab: Lab): Promise<Reference> {
  const home = lab.newHome();
  const original = lab.state();
  const forward = await lab.wizard(home, startArgs(lab), { killAt: 'list' });
  if (forward.code !== 0) throw new Error(`the uninterrupted run ended with ${forward.code}\n${forward.stderr}`);
  const migrated = lab.state();
  const back = await lab.wizard(home, backArgs(runsIn(home)[0]!), { killAt: 'list' });
  if (back.code !== 6) throw new Error(`the uninterrupted rollback ended with ${back.code}\n${back.stderr}`);
  const findings = compareStates(original, lab.state(), 'after the uninterrupted rollback');
  if (findings.length > 0) throw new Error(findings.join('\n'));
  await lab.sweep();
  return { original, migrated, forward, back };
}

const COMMON = ['--no-input', '-o', 'json'] as const;
export const startArgs = (lab: Lab) => ['run', ...COMMON, '--time-scale', '600', '--plan', lab.plan];
export const resumeArgs = (runId: string) => ['run', ...COMMON, '--time-scale', '600', '--run', runId];
export const backArgs = (runId: string) => ['rollback', '--all', ...COMMON, '--run', runId];

interface CycleOutcome {
  readonly kills: readonly string[];
  readonly findings: readonly (readonly [Finding, string])[];
  readonly notes: readonly string[];
}

async function killedCycle(
  lab: Lab,
  reference: Reference,
  random: Random,
  most: number,
  wanted: Wanted,
): Promise<CycleOutcome> {
  const findings: [Finding, string][] = [];
  const notes: string[] = [];
  const kills: string[] = [];
  const home = lab.newHome();
  lab.mark();
  const forwardPlaces = choose(reference.forward.passed, random, Math.ceil(most * 0.7), wanted);
  const forward = await killAndResume({ lab, home, random, places: forwardPlaces, direction: 'forward', kills, notes });
  findings.push(...forward.findings);
  if (forward.runId !== undefined && forward.findings.length === 0) {
    findings.push(...checkEnd(lab, home, forward.runId, 'forward', reference));
    const runId = forward.runId;
    lab.mark();
    const backPlaces = choose(reference.back.passed, random, most - kills.length, wanted);
    const back = await killAndResume({ lab, home, random, places: backPlaces, direction: 'back', kills, notes, runId });
    findings.push(...back.findings);
    if (back.findings.length === 0) findings.push(...checkEnd(lab, home, runId, 'back', reference));
  }
  if (findings.length === 0) await lab.sweep();
  return { kills, findings, notes };
}

/** Distance of two kills, in places: near enough to be quick, far enough that every session gets something done. */
const STRIDE = { forward: 40, back: 16 } as const;

/** How much a place is wanted: not at all (0) when it was tried, most when it is this slice's own. */
type Wanted = (place: string) => number;

/** Places along the way, those most wanted first, in the order of the reference. */
function choose(passed: readonly string[], random: Random, most: number, wanted: Wanted): Place[] {
  const stride = passed.length > 300 ? STRIDE.forward : STRIDE.back;
  const chosen: number[] = [];
  for (let at = random.below(stride); at < passed.length && chosen.length < most; at += stride) {
    const near = passed.slice(at, at + stride).map((label, i) => ({ at: at + i, worth: wanted(plain(label)) }));
    const best = Math.max(...near.map((one) => one.worth));
    chosen.push(random.pick(near.filter((one) => one.worth === best)).at);
  }
  let last = 0;
  return chosen.map((at) => {
    const label = prefix(passed[at]!);
    // The session starts about where the last one was killed: occurrences are counted from there.
    let nth = 0;
    for (let i = last; i <= at; i++) if (passed[i]!.startsWith(label)) nth++;
    last = at;
    return { label, nth: Math.max(1, nth) };
  });
}

interface Killing {
  readonly lab: Lab;
  readonly home: string;
  readonly random: Random;
  readonly places: readonly Place[];
  readonly direction: Direction;
  readonly kills: string[];
  readonly notes: string[];
  readonly runId?: string;
}

/** Sessions killed at the places one after the other, then one that is left alone. */
async function killAndResume(killing: Killing): Promise<{ runId?: string; findings: [Finding, string][] }> {
  const { lab, home, places, direction, kills, notes } = killing;
  const wanted = direction === 'forward' ? 0 : 6;
  const findings: [Finding, string][] = [];
  let runId = killing.runId;
  let quiet = 0;
  let said = direction === 'forward';
  for (let next = 0; ; next++) {
    const place = places[next];
    const args =
      runId === undefined ? startArgs(lab) : direction === 'back' && !said ? backArgs(runId) : resumeArgs(runId);
    const session = await lab.wizard(home, args, place ? { killAt: `${place.label}:${place.nth}` } : {});
    if (session.signal === 'SIGKILL' && session.killedAt !== undefined) {
      kills.push(session.killedAt);
      runId ??= journaledRun(home);
      if (runId !== undefined) {
        loseUnsynced(killing, session.killedAt, runId);
        const journal = journalOf(home, runId);
        if (typeof journal === 'string') {
          findings.push(['lost', `after a kill at ${session.killedAt}: ${journal}`]);
          return { runId, findings };
        }
        if (direction === 'back') said = journal.some((line) => line.event.type === 'rollback.started');
      }
      continue;
    }
    runId ??= journaledRun(home);
    if (session.code === wanted) return { ...(runId ? { runId } : {}), findings };
    const words = `exit ${session.code ?? session.signal} (expected ${wanted}) after kills at ${kills.slice(-3).join(' | ')}: ${tail(session)}`;
    quiet++;
    // A busy machine may fail a gate by itself; that is a message, not a lost run, as long as a resume ends well.
    if (quiet <= 2 && (session.code === 5 || session.code === 3) && runId !== undefined) notes.push(words);
    else {
      findings.push(['lost', words]);
      return { ...(runId ? { runId } : {}), findings };
    }
  }
}

/** A run that a resume can name: its journal has a whole first line. */
export function journaledRun(home: string): string | undefined {
  return runsIn(home).find((id) => {
    const lines = journalOf(home, id);
    return typeof lines !== 'string' && lines.length > 0;
  });
}

/** A kill between write and fsync, made as bad as a power cut: some or all of the line never reached the disk. */
function loseUnsynced({ home, random }: Killing, killedAt: string, runId: string): void {
  if (!killedAt.startsWith('written ')) return;
  const path = journalPath(runDir(join(home, 'state'), runId));
  const lines = journalOf(home, runId);
  if (typeof lines === 'string' || lines.length < 2) return;
  const last = Buffer.byteLength(`${JSON.stringify(lines.at(-1))}\n`);
  const size = lines.reduce((sum, line) => sum + Buffer.byteLength(`${JSON.stringify(line)}\n`), 0);
  truncateSync(path, size - random.below(last + 1));
}

export const tail = (session: Session) =>
  `${session.stderr.slice(-1200)} ${/"cause": *"[^"]*"/.exec(session.stdout)?.[0] ?? ''}`.replaceAll('\n', ' / ');

export function checkEnd(
  lab: Lab,
  home: string,
  runId: string,
  direction: Direction,
  reference: Reference,
  /** A kill must not cost or repeat a decision; after a failed gate it is rightly taken again. */
  exact = true,
  /** Those that have to be rolled: all, but for the way back of a run that stopped before it came to some of them. */
  rolled: readonly string[] = SERVICES,
): [Finding, string][] {
  const findings: [Finding, string][] = [];
  const lines = journalOf(home, runId);
  if (typeof lines === 'string') return [['lost', `at the end: ${lines}`]];
  const wanted = direction === 'forward' ? reference.migrated : reference.original;
  for (const text of compareStates(wanted, lab.state(), `at the end of ${direction}`)) findings.push(['lost', text]);
  if (direction === 'back') {
    for (const [name, uid] of Object.entries(reference.original.replicaSets)) {
      if (lab.state().replicaSets[name] !== uid) findings.push(['lost', `${name} is not on its original ReplicaSet`]);
    }
  }
  for (const service of SERVICES) {
    const changes = lab.templates.filter((change) => change.workload === service);
    if (changes.length > 1) findings.push(['doubled', `${service} was rolled ${changes.length} times ${direction}`]);
    if (changes.length === 0 && rolled.includes(service))
      findings.push(['lost', `${service} was never rolled ${direction}`]);
  }
  findings.push(...withoutIntent(lab, lines));
  if (direction === 'forward') {
    for (const phase of exact ? ['p2', 'p3'] : []) {
      const taken = lines.filter(({ event }) => event.type === 'decided' && event.phase === phase);
      if (taken.length !== 1) findings.push(['lost', `the decision of ${phase} was taken ${taken.length} times`]);
    }
  }
  return findings;
}

export function compareStates(wanted: LabState, got: LabState, when: string): string[] {
  const findings: string[] = [];
  for (const [name, template] of Object.entries(wanted.templates)) {
    if (got.templates[name] !== template) findings.push(`${when}: the template of ${name} differs`);
  }
  for (const [name, digest] of Object.entries(wanted.secrets)) {
    // The console passwords are made anew by each run.
    if (name !== 'pgbouncer-userlist' && got.secrets[name] !== digest)
      findings.push(`${when}: Secret ${name} ${name in got.secrets ? 'differs' : 'is missing'}`);
  }
  const pooler = wanted.pooler.filter((one) => !got.pooler.includes(one));
  if (pooler.length > 0) findings.push(`${when}: the pooler's objects differ: ${pooler.join(', ')}`);
  return findings;
}

/** Requests that change something and that no intent of the journal announced. The protocol's own are left out. */
export function withoutIntent(lab: Lab, lines: readonly JournalLine[]): [Finding, string][] {
  const intents = new Set(lines.flatMap(({ event }) => (event.type === 'call.intent' ? [event.auditId] : [])));
  return (
    lab.requests
      .filter(({ url }) => !/[?&]dryRun=All|reviews(\?|$)|\/leases(\/|\?|$)|\/exec|\/portforward/.test(url))
      .filter(({ url, method, body }) => !isLedger(url, method, body))
      // Refused by a fault before its body was read: what it was can't be told, and nothing came of it.
      .filter(({ method, body, code }) => !(method === 'POST' && body.length === 0 && (code ?? 500) >= 400))
      .filter(({ userAgent }) => userAgent?.startsWith('pgb-wizard'))
      .filter(({ auditId }) => auditId === undefined || !intents.has(auditId))
      .map(({ method, url, auditId }) => ['leaked', `${method} ${url} (${auditId ?? 'no Audit-ID'}) without an intent`])
  );
}

const isLedger = (url: string, method: string, body: Buffer) =>
  /\/configmaps/.test(url) && (/pgb-wizard-run-/.test(url) || (method === 'POST' && body.includes('"ledger.json"')));
