/**
 * The fault matrix: a forward run and a whole rollback on a bad day. Answers of the API server are replaced, delayed or
 * lost at every kind of call, watches end or fall silent, the server restarts and forgets its history, the pooler and
 * PostgreSQL crash. A session must end well, or park with words a human understands and end well when it is resumed.
 *
 * - lost: a crash, a hang, an end that is not the one of an undisturbed run, an exit without a reason;
 * - doubled: a workload was rolled more than once in a direction;
 * - leaked: a mutating request without a journaled intent.
 */
import type { FaultAction } from '../../src/rehearsal/api/faults.ts';
import type { ObservedRequest } from '../../src/rehearsal/api/server.ts';
import { type Random, seeded } from '../corruption/random.ts';
import { type Lab, NAMESPACE, openLab, type Session } from '../crash/lab.ts';
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

export interface FaultResult {
  /** Faults that were carried out. */
  readonly tried: number;
  readonly lost: number;
  readonly doubled: number;
  readonly leaked: number;
  readonly byFault: Readonly<Record<string, number>>;
  /** Kinds of calls a fault hit, of those that an undisturbed run makes. */
  readonly kindsHit: number;
  readonly kinds: number;
  /** Sessions, and how many of them ended well by themselves. */
  readonly sessions: number;
  readonly undisturbed: number;
  readonly failures: readonly string[];
}

const ACTIONS: readonly { readonly name: string; readonly action: FaultAction }[] = [
  ...([401, 403, 409, 500, 503, 504] as const).map((code) => ({
    name: `${code}`,
    action: { type: 'status' as const, code },
  })),
  { name: '429 with Retry-After', action: { type: 'status', code: 429, retryAfterSeconds: 1 } },
  { name: '503 with Retry-After', action: { type: 'status', code: 503, retryAfterSeconds: 1 } },
  { name: 'reset before the commit', action: { type: 'drop', when: 'before' } },
  { name: 'reset after the commit', action: { type: 'drop', when: 'after' } },
  { name: 'reset, late commit', action: { type: 'drop', when: 'late', milliseconds: 300 } },
  { name: 'delay', action: { type: 'delay', milliseconds: 400 } },
];
const WATCHES: typeof ACTIONS = [
  { name: 'truncated watch', action: { type: 'watch', how: 'truncate', afterEvents: 1 } },
  { name: 'silent watch', action: { type: 'watch', how: 'stall', afterEvents: 1 } },
];

/** What happens to the cluster itself, at some request of the session. */
const WORLD: Readonly<Record<string, (lab: Lab) => void>> = {
  'API restart': (lab) => lab.cluster.api.faults.restart(),
  'history compaction': (lab) => lab.cluster.api.faults.compactHistory(),
  'killed pooler pod': ({ cluster }) => {
    const pod = cluster.store.list('pods', NAMESPACE).find((one) => one.metadata.name.startsWith('pgbouncer-'));
    if (pod) cluster.store.delete('pods', NAMESPACE, pod.metadata.name);
  },
  'crashed PgBouncer': ({ cluster }) => crash(cluster, (name) => name.startsWith('pgbouncer-')),
  'restarted PostgreSQL': ({ cluster }) => crash(cluster, (name) => name === 'postgres'),
};

function crash(cluster: Lab['cluster'], which: (pod: string) => boolean): void {
  for (const agent of cluster.kubelet.agents()) if (agent.namespace === NAMESPACE && which(agent.name)) agent.crash();
}

/** `GET deployments/*`, `WATCH pods`, `PATCH deployments/* (dry run)`: what a request is for, without names. */
export function kindOf({ method, url }: Pick<ObservedRequest, 'method' | 'url'>): string {
  const { pathname, searchParams } = new URL(url, 'https://rehearsal');
  const path = pathname
    .replace(/^\/(api\/v1|apis\/[^/]+\/[^/]+)\/?/, '')
    .replace(/^namespaces\/[^/]+\/(?=.)/, '')
    .split('/')
    .map((part, index) => (index === 1 ? '*' : part))
    .join('/');
  const verb = searchParams.has('watch') ? 'WATCH' : method;
  return `${verb} ${path}${searchParams.has('dryRun') ? ' (dry run)' : ''}`;
}

export async function runFaultMatrix(options: {
  readonly sample: number;
  readonly seed: number;
  readonly say?: (line: string) => void;
}): Promise<FaultResult> {
  const say = options.say ?? (() => {});
  const random = seeded(options.seed);
  let lab = await openLab();
  const counts = { lost: 0, doubled: 0, leaked: 0 };
  const byFault: Record<string, number> = {};
  const failures: string[] = [];
  const hit = new Set<string>();
  let tried = 0;
  let sessions = 0;
  let undisturbed = 0;
  try {
    let known = await referenceWithKinds(lab);
    say(`an undisturbed run and rollback make ${known.kinds.length} kinds of calls`);
    for (let cycle = 1; tried < options.sample; cycle++) {
      const outcome = await badDay(lab, known, random, Math.min(60, options.sample - tried), hit);
      tried += outcome.faults.length;
      sessions += outcome.sessions;
      undisturbed += outcome.undisturbed;
      for (const { name, kind } of outcome.faults) {
        byFault[name] = (byFault[name] ?? 0) + 1;
        hit.add(`${kind} ${name}`);
      }
      for (const [finding, text] of outcome.findings) {
        counts[finding]++;
        failures.push(`seed ${options.seed} cycle ${cycle}: ${finding}: ${text}`);
        say(`  ${finding}: ${text}`);
      }
      say(`cycle ${cycle}: ${outcome.faults.length} faults in ${outcome.sessions} sessions; ${tried} tried`);
      if (outcome.findings.length > 0 && tried < options.sample) {
        await lab.close();
        lab = await openLab();
        known = await referenceWithKinds(lab);
      }
    }
    const kindsHit = new Set([...hit].map((one) => known.kinds.find((kind) => one.startsWith(`${kind} `)))).size;
    return { tried, ...counts, byFault, kindsHit, kinds: known.kinds.length, sessions, undisturbed, failures };
  } finally {
    await lab.close();
  }
}

interface Known {
  readonly reference: Reference;
  readonly kinds: readonly string[];
  /** How many requests of each kind an undisturbed run and rollback make. */
  readonly counts: ReadonlyMap<string, number>;
}

async function referenceWithKinds(lab: Lab): Promise<Known> {
  const counts = new Map<string, number>();
  const stop = lab.cluster.api.observe((request) => {
    const kind = kindOf(request);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  });
  try {
    const reference = await referenceRuns(lab);
    return { reference, kinds: [...counts.keys()].sort(), counts };
  } finally {
    stop();
  }
}

interface Day {
  readonly faults: readonly { readonly name: string; readonly kind: string }[];
  readonly findings: readonly (readonly [Finding, string])[];
  readonly sessions: number;
  readonly undisturbed: number;
}

/** A forward run and a rollback, each begun under faults and resumed without when it parked. */
async function badDay(lab: Lab, known: Known, random: Random, most: number, hit: ReadonlySet<string>): Promise<Day> {
  const faults: { name: string; kind: string }[] = [];
  const findings: [Finding, string][] = [];
  const home = lab.newHome();
  let sessions = 0;
  let undisturbed = 0;
  let runId: string | undefined;
  let stopped = false;
  for (const direction of ['forward', 'back'] as const) {
    const wanted = direction === 'forward' ? 0 : 6;
    lab.mark();
    const weather = bad(
      lab,
      known,
      random,
      Math.max(1, Math.ceil((most * (direction === 'forward' ? 2 : 1)) / 3)),
      hit,
    );
    const args = direction === 'forward' ? startArgs(lab) : backArgs(runId!);
    let session = await lab.wizard(home, args);
    faults.push(...weather.clear());
    sessions++;
    if (session.code === wanted) undisturbed++;
    for (let again = 0; session.code !== wanted; again++) {
      const wrong = problemOf(session);
      runId ??= journaledRun(home);
      const happened = `under ${weather.names()}: exit ${session.code ?? session.signal}`;
      if (wrong) return { faults, findings: [['lost', `${happened}: ${wrong}`]], sessions, undisturbed };
      if (again === 3 && session.code === 5 && direction === 'forward' && weather.outage) {
        // The poolers' logs of the phase tell of the outage, so its checklist rightly fails until a human waives it.
        stopped = true;
        break;
      }
      if (again === 3) {
        const text = `${happened}: three resumes without faults did not end it: ${tail(session)}`;
        return { faults, findings: [['lost', text]], sessions, undisturbed };
      }
      const started = direction === 'forward' ? runId !== undefined : session.code !== 7;
      session = await lab.wizard(
        home,
        started && runId !== undefined ? (direction === 'forward' ? resumeArgs(runId) : backArgs(runId)) : args,
      );
      sessions++;
    }
    runId ??= journaledRun(home);
    if (runId === undefined) return { faults, findings: [['lost', 'a run without a journal']], sessions, undisturbed };
    if (stopped) {
      if (direction === 'forward') continue;
      const differs = compareStates(known.reference.original, lab.state(), 'after the rollback of a stopped run');
      findings.push(...differs.map((text) => ['lost', text] as [Finding, string]));
      if (findings.length > 0) return { faults, findings, sessions, undisturbed };
      continue;
    }
    const ended = checkEnd(lab, home, runId, direction, known.reference, false);
    findings.push(...ended.map(([finding, text]) => [finding, `${text} (${weather.names()})`] as [Finding, string]));
    if (findings.length > 0) return { faults, findings, sessions, undisturbed };
  }
  await lab.sweep();
  return { faults, findings, sessions, undisturbed };
}

const EXITS: ReadonlySet<number | null> = new Set([1, 3, 4, 5, 6, 7]);

/** What is wrong with the way a disturbed session ended; undefined when it parked or failed in good order. */
function problemOf(session: Session): string | undefined {
  const words = tail(session);
  if (session.code === null) return `it hung or was killed (${session.signal}): ${words}`;
  if (!EXITS.has(session.code)) return `an exit code that says nothing of it: ${words}`;
  if (
    /an error in pgb-wizard|internal error|at file:|UnhandledPromise|node:internal/i.test(
      session.stderr + session.stdout,
    )
  ) {
    return `a bug showed: ${/.*(an error in pgb-wizard|internal error|at file:|Unhandled).*/i.exec(session.stderr + session.stdout)?.[0]?.slice(0, 1500)}`;
  }
  if (session.stderr.trim() === '') return 'it ended without a word';
  return undefined;
}

/** Sets up the faults of one session; `clear` ends them and says which were carried out. */
function bad(lab: Lab, known: Known, random: Random, most: number, hit: ReadonlySet<string>) {
  const { faults } = lab.cluster.api;
  const rules: { id: string; name: string; kind: string }[] = [];
  const done: { name: string; kind: string }[] = [];
  const add = (kind: string, name: string, action: FaultAction) => {
    const [verb = '', ...rest] = kind.split(' ');
    const dry = kind.endsWith(' (dry run)');
    const path = rest.join(' ').replace(' (dry run)', '');
    const pattern = path.replace(/[.*+?^${}()|[\]\\]/g, (char) => (char === '*' ? '[^/?]+' : `\\${char}`));
    const query = verb === 'WATCH' ? '\\?.*watch=' : dry ? '\\?.*dryRun=' : '(\\?(?!.*(watch|dryRun)=)|$)';
    const id = faults.add({
      method: verb === 'WATCH' ? 'GET' : verb,
      path: `/${pattern}${query}`,
      nth: 1 + random.below(Math.max(1, known.counts.get(kind) ?? 1)),
      times: random.below(5) === 0 ? 3 : 1,
      action,
    });
    rules.push({ id, name, kind });
  };
  // Those not seen yet first.
  const combinations = known.kinds.flatMap((kind) =>
    (kind.startsWith('WATCH') ? [...WATCHES, ...ACTIONS] : ACTIONS).map((one) => ({ kind, ...one })),
  );
  const fresh = combinations.filter(({ kind, name }) => !hit.has(`${kind} ${name}`));
  for (let i = 0; i < most; i++) {
    const { kind, name, action } = random.pick(fresh.length > 0 && random.below(3) > 0 ? fresh : combinations);
    // A 403 parks a session; more than one of it would only hide the others.
    if (name === '403' && rules.some((rule) => rule.name === '403')) continue;
    if (name === 'silent watch' && rules.some((rule) => rule.name === name)) continue;
    add(kind, name, action);
  }
  const world = random.pick(Object.keys(WORLD));
  let left = 20 + random.below(120);
  const stop = lab.cluster.api.observe(() => {
    left -= 1;
    if (left !== 0) return;
    done.push({ name: world, kind: 'the cluster' });
    setImmediate(() => WORLD[world]!(lab));
  });
  return {
    /** Clients of the pooler really were cut off from the database. */
    outage: /PostgreSQL|PgBouncer|pooler/.test(world),
    names: () => [...new Set(done.map(({ name, kind }) => `${name} at ${kind}`))].join(', '),
    clear() {
      stop();
      const waiting = new Map(faults.list().map((rule) => [rule.id, rule.done]));
      for (const { id, name, kind } of rules) {
        // A rule that is not in the list any more was carried out as often as it should.
        if (waiting.get(id) !== 0) done.push({ name, kind });
      }
      faults.clear();
      return done;
    },
  };
}

export const faultLine = ({ tried, lost, doubled, leaked }: FaultResult) =>
  `tried ${tried}, lost ${lost}, doubled ${doubled}, leaked ${leaked}`;
