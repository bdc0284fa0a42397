/**
 * The fault matrix: a forward run and a whole rollback on bad days. Answers of the API server are replaced, delayed or
 * lost at every kind of call, watches end or fall silent, the server restarts and forgets its history, the pooler and
 * PostgreSQL crash; the machine's disk is full or broken, its clock jumps, it sleeps. A session must end well, or park with
 * words a human understands; it is resumed under new faults, and in the end without, and then has to end well.
 *
 * - lost: a crash, a hang, an end that is not the one of an undisturbed run, an exit without a reason;
 * - doubled: a workload was rolled more than once in a direction;
 * - leaked: a mutating request without a journaled intent.
 */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Random, seeded } from '../corruption/random.ts';
import { type Lab, openLab, type Session } from '../crash/lab.ts';
import {
  backArgs,
  checkEnd,
  compareStates,
  type Finding,
  journaledRun,
  type Reference,
  referenceRuns,
  resumeArgs,
  startArgs,
  tail,
} from '../crash/matrix.ts';
import type { Slice } from '../slices.ts';
import { openDisk } from './disk.ts';
import {
  bad,
  type Calls,
  combinations,
  type Done,
  kindOf,
  type Machine,
  placeOf,
  skewFile,
  type Weather,
} from './weather.ts';

/** Sessions in bad weather, for each direction; the ones after them have none. */
const BAD_SESSIONS = 3;
const GOOD_SESSIONS = 3;
/** Faults that one session is asked to bear. Many of them come too late: a session that parks meets no more. */
const FAULTS_OF_A_SESSION = 45;

/** Until the slice has met its share of faults. */
export async function runFaultMatrix({ sample, seed, shard, covered: before, say, report }: Slice): Promise<void> {
  const random = seeded(seed);
  let lab = await openLab();
  const covered = new Set(before);
  let tried = 0;
  try {
    let known = await referenceWithCalls(lab);
    const all = combinations(known.calls);
    say(`an undisturbed run and rollback make ${known.calls.size} kinds of calls, which ${all.length} faults can meet`);
    const own = new Set([...all].sort().filter((_, index) => index % shard.of === shard.index - 1));
    const wanted = (place: string) => (covered.has(place) ? 0 : own.has(place) ? 2 : 1);
    for (let cycle = 1; tried < sample; cycle++) {
      const day = await badDay({ lab, known, random, wanted, most: sample - tried });
      tried += day.faults.length;
      const counts: Record<string, number> = { sessions: day.sessions, 'ended well under faults': day.undisturbed };
      for (const fault of day.faults) {
        counts[`fault ${fault.name}`] = (counts[`fault ${fault.name}`] ?? 0) + 1;
        covered.add(placeOf(fault));
      }
      const count = (kind: Finding) => day.findings.filter(([finding]) => finding === kind).length;
      report({
        tried: day.faults.length,
        lost: count('lost'),
        doubled: count('doubled'),
        leaked: count('leaked'),
        counts,
        covered: [...new Set(day.faults.map(placeOf))].filter((place) => all.includes(place)),
        known: all.length,
        failures: day.findings.map(([finding, text]) => `seed ${seed} cycle ${cycle}: ${finding}: ${text}`),
        notes: day.notes.map((note) => `seed ${seed} cycle ${cycle}: ${note}`),
      });
      say(`cycle ${cycle}: ${day.faults.length} faults in ${day.sessions} sessions; ${tried} tried`);
      for (const [finding, text] of day.findings) say(`  ${finding}: ${text}`);
      if (day.findings.length > 0 && tried < sample) {
        await lab.close();
        lab = await openLab();
        known = await referenceWithCalls(lab);
      }
    }
  } finally {
    await lab.close();
  }
}

interface Known {
  readonly reference: Reference;
  readonly calls: Calls;
}

async function referenceWithCalls(lab: Lab): Promise<Known> {
  const calls = new Map<string, number>();
  const stop = lab.cluster.api.observe((request) => {
    const kind = kindOf(request);
    calls.set(kind, (calls.get(kind) ?? 0) + 1);
  });
  try {
    const reference = await referenceRuns(lab);
    return { reference, calls: new Map([...calls].sort(([a], [b]) => (a < b ? -1 : 1))) };
  } finally {
    stop();
  }
}

interface Day {
  readonly faults: readonly Done[];
  readonly findings: readonly (readonly [Finding, string])[];
  readonly notes: readonly string[];
  readonly sessions: number;
  readonly undisturbed: number;
}

type Wanted = (place: string) => number;

/** A forward run and a rollback, each begun and resumed under faults, and resumed without when it is not over yet. */
async function badDay(plan: Pick<Way, 'lab' | 'known' | 'random' | 'wanted' | 'most'>): Promise<Day> {
  const { lab, known } = plan;
  const home = lab.newHome();
  const disk = openDisk(`${home}.img`, join(home, 'state'));
  const way: Way = { ...plan, home, disk, day: emptyDay(), runId: undefined };
  if (!disk) way.day.notes.push('full and read-only disks are left out: this account may not mount one');
  try {
    const forward = await goUnderFaults(way, 'forward');
    if (forward === 'lost') return way.day;
    const moved = [...new Set(lab.templates.map(({ workload }) => workload))];
    const back = await goUnderFaults(way, 'back', moved);
    if (back === 'lost') return way.day;
    if (forward === 'stopped') {
      const differs = compareStates(known.reference.original, lab.state(), 'after the rollback of a stopped run');
      way.day.findings.push(...differs.map((text) => ['lost', text] as [Finding, string]));
    }
    if (way.day.findings.length === 0) await lab.sweep();
    return way.day;
  } finally {
    disk?.close();
  }
}

type MutableDay = {
  faults: Done[];
  findings: [Finding, string][];
  notes: string[];
  sessions: number;
  undisturbed: number;
};

interface Way {
  readonly lab: Lab;
  readonly known: Known;
  readonly random: Random;
  readonly wanted: Wanted;
  /** Faults that are still to be tried. */
  readonly most: number;
  readonly home: string;
  readonly disk: Machine['disk'];
  readonly day: MutableDay;
  runId: string | undefined;
}

const emptyDay = (): MutableDay => ({ faults: [], findings: [], notes: [], sessions: 0, undisturbed: 0 });

/** `stopped`: an outage of the database is told by the checklist of the phase, until a human waives it. */
async function goUnderFaults(
  way: Way,
  direction: 'forward' | 'back',
  moved?: readonly string[],
): Promise<'ended' | 'stopped' | 'lost'> {
  const { lab, home, day, known } = way;
  const wanted = direction === 'forward' ? 0 : 6;
  lab.mark();
  const weathers: Weather[] = [];
  const lost = (text: string): 'lost' => {
    day.findings.push(['lost', text]);
    return 'lost';
  };
  let good = 0;
  for (;;) {
    const under = weathers.length < BAD_SESSIONS;
    const { session, weather } = await oneSession(way, direction, under, weathers);
    if (weather) weathers.push(weather);
    way.runId ??= journaledRun(home);
    const names = () => [...new Set(weathers.flatMap((one) => one.done()).map(placeOf))].join(', ');
    const happened = `${direction} under ${names()}: exit ${session.code ?? session.signal}`;
    if (session.code === wanted) {
      if (under) day.undisturbed++;
      if (way.runId === undefined) return lost(`${happened}: a run without a journal`);
      const ended = checkEnd(lab, home, way.runId, direction, known.reference, false, moved);
      day.findings.push(...ended.map(([finding, text]) => [finding, `${text} (${names()})`] as [Finding, string]));
      return ended.length > 0 ? 'lost' : 'ended';
    }
    const wrong = problemOf(session, under);
    if (wrong) return lost(`${happened}: ${wrong}`);
    if (under || ++good < GOOD_SESSIONS) continue;
    const outage = weathers.some((one) => one.outage());
    if (session.code === 5 && direction === 'forward' && outage) return 'stopped';
    return lost(`${happened}: ${GOOD_SESSIONS} sessions without faults did not end it: ${tail(session)}`);
  }
}

async function oneSession(
  way: Way,
  direction: 'forward' | 'back',
  under: boolean,
  before: readonly Weather[],
): Promise<{ session: Session; weather?: Weather }> {
  const { lab, known, random, wanted, home, disk, day } = way;
  let pid = 0;
  const machine: Machine = { home, pid: () => pid, disk };
  const weather = under
    ? bad({
        lab,
        machine,
        calls: known.calls,
        random,
        most: Math.max(1, Math.min(FAULTS_OF_A_SESSION, way.most - day.faults.length)),
        wanted,
        // One outage of a direction is enough: what it leaves in the logs stops the run until a human has read it.
        outages: random.below(3) === 0 && !before.some((one) => one.outage()),
      })
    : undefined;
  const args =
    way.runId === undefined ? startArgs(lab) : direction === 'back' ? backArgs(way.runId) : resumeArgs(way.runId);
  const session = await lab.wizard(home, args, {
    limitMs: SESSION_LIMIT_MS,
    onStart: (started) => {
      pid = started;
    },
    env: {
      NODE_OPTIONS: `--import=${pathToFileURL(resolve('test/faults/skewed-clock.mjs'))}`,
      CLOCK_SKEW_FILE: skewFile(home),
    },
  });
  day.sessions++;
  if (weather) day.faults.push(...weather.clear());
  return { session, ...(weather ? { weather } : {}) };
}

/** With retries and a sleep of 40 s; a session that is still there then hangs. */
const SESSION_LIMIT_MS = 240_000;

const EXITS: ReadonlySet<number | null> = new Set([1, 3, 4, 5, 6, 7]);

/** What is wrong with the way a session ended that did not end well; undefined when it parked or failed in good order. */
function problemOf(session: Session, under: boolean): string | undefined {
  const words = tail(session);
  const text = session.stderr + session.stdout;
  if (session.code === null) return `it hung or was killed (${session.signal}): ${words}`;
  if (!EXITS.has(session.code)) return `an exit code that says nothing of it: ${words}`;
  // The API server's own 500 says «Internal error occurred: …».
  const bug = /.*(an error in pgb-wizard|internal error(?! occurred)|at file:|Unhandled|node:internal).*/i.exec(
    text,
  )?.[0];
  if (bug) return `a bug showed: ${bug.slice(0, 1500)}`;
  if (session.stderr.trim() === '') return 'it ended without a word';
  if (!under && session.code === 7) return `nobody else is there, and it is locked out: ${words}`;
  return undefined;
}
