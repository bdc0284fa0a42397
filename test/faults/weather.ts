/** The bad weather of one session: faults of the API server, of the cluster behind it, and of the machine the wizard runs on. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultAction } from '../../src/rehearsal/api/faults.ts';
import type { ObservedRequest } from '../../src/rehearsal/api/server.ts';
import type { Random } from '../corruption/random.ts';
import { type Lab, NAMESPACE } from '../crash/lab.ts';
import type { Disk } from './disk.ts';

const STATUS = ([401, 403, 409, 500, 503, 504] as const).map((code) => ({
  name: `${code}`,
  action: { type: 'status' as const, code },
}));
const ACTIONS: readonly { readonly name: string; readonly action: FaultAction }[] = [
  ...STATUS,
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

/** The session that a fault of the machine hits. */
export interface Machine {
  readonly home: string;
  readonly pid: () => number;
  readonly disk: Disk | undefined;
}

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
const OUTAGE = /PostgreSQL|PgBouncer|pooler/;

/** Longer than a lock may go without being renewed (20 s) and a lease lasts (30 s). */
const SLEEP_MS = 40_000;
const HOUR_MS = 3_600_000;

export const skewFile = (home: string) => join(home, 'clock-skew');

function setClock({ home, pid }: Machine, skewMs: number): void {
  writeFileSync(skewFile(home), `${skewMs}`);
  signal(pid(), 'SIGUSR2');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself a moment ago.
  }
}

/** What happens to the machine. Answers what undoes it, when the session is over. */
const MACHINE: Readonly<Record<string, (machine: Machine) => void>> = {
  'clock two hours ahead': (machine) => setClock(machine, 2 * HOUR_MS),
  'clock two hours back': (machine) => setClock(machine, -2 * HOUR_MS),
  'sleep of 40 s': ({ pid }) => {
    signal(pid(), 'SIGSTOP');
    setTimeout(() => signal(pid(), 'SIGCONT'), SLEEP_MS);
  },
  'full disk': ({ disk }) => disk?.fill(),
  'read-only disk': ({ disk }) => disk?.break(),
};
const NEEDS_DISK = /disk/;
const SLOW = /sleep/;

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

/** A fault that was carried out. */
export interface Done {
  readonly name: string;
  readonly kind: string;
}

export const placeOf = ({ name, kind }: Done): string => `${kind} ${name}`;

/** Kinds of calls that an undisturbed session makes, and how often. */
export type Calls = ReadonlyMap<string, number>;

export interface Forecast {
  readonly lab: Lab;
  readonly machine: Machine;
  readonly calls: Calls;
  readonly random: Random;
  /** At most so many faults of calls. */
  readonly most: number;
  /** How much a combination of call and fault is wanted. */
  readonly wanted: (place: string) => number;
  /** May the pooler or the database go down? */
  readonly outages: boolean;
}

export interface Weather {
  /** What was carried out so far. */
  done(): readonly Done[];
  /** The machine was hit in a way that ends the session (its disk). */
  readonly broken: () => boolean;
  /** Clients of the pooler were really cut off from the database. */
  readonly outage: () => boolean;
  /** Ends the faults; what was carried out. */
  clear(): readonly Done[];
}

/** Sets up the faults of one session. */
export function bad({ lab, machine, calls, random, most, wanted, outages }: Forecast): Weather {
  const { faults } = lab.cluster.api;
  const rules: { id: string; name: string; kind: string }[] = [];
  const events: Done[] = [];
  for (const { kind, name, action } of choose(calls, random, most, wanted)) {
    rules.push({ id: faults.add({ ...matching(kind, calls, random), action }), name, kind });
  }
  const world = random.pick(Object.keys(WORLD).filter((name) => outages || !OUTAGE.test(name)));
  const bodies = Object.keys(MACHINE).filter((name) => machine.disk || !NEEDS_DISK.test(name));
  // Sleep is slow, and a session of half a minute has room for one.
  const body = random.pick(bodies.filter((name) => !SLOW.test(name) || random.below(3) === 0));
  const stops = [
    atRequest(lab, 10 + random.below(120), () => {
      events.push({ name: world, kind: 'the cluster' });
      WORLD[world]!(lab);
    }),
    atRequest(lab, 10 + random.below(150), () => {
      events.push({ name: body, kind: 'the machine' });
      MACHINE[body]!(machine);
    }),
  ];
  let over: readonly Done[] | undefined;
  const done = () => {
    if (over) return over;
    const waiting = new Map(faults.list().map((rule) => [rule.id, rule.done]));
    // A rule that is not in the list any more was carried out as often as it should.
    return [...events, ...rules.filter(({ id }) => waiting.get(id) !== 0)];
  };
  const happened = (pattern: RegExp) => events.some((one) => pattern.test(one.name));
  return {
    done,
    broken: () => happened(NEEDS_DISK),
    outage: () => happened(OUTAGE),
    clear() {
      for (const stop of stops) stop();
      over = done();
      faults.clear();
      machine.disk?.mend();
      return over;
    },
  };
}

function atRequest(lab: Lab, count: number, act: () => void): () => void {
  let left = count;
  return lab.cluster.api.observe(({ userAgent }) => {
    if (!userAgent?.startsWith('pgb-wizard')) return;
    left -= 1;
    // After the answer is out.
    if (left === 0) setImmediate(act);
  });
}

/** Combinations of a call and a fault, those most wanted first. */
function choose(calls: Calls, random: Random, most: number, wanted: Forecast['wanted']) {
  const left = [...calls.keys()].flatMap((kind) =>
    (kind.startsWith('WATCH') ? [...WATCHES, ...ACTIONS] : ACTIONS).map((one) => {
      const worth = wanted(placeOf({ kind, name: one.name })) * 2 + random.below(3);
      return { kind, ...one, worth, order: random.below(1_000_000) };
    }),
  );
  left.sort((a, b) => b.worth - a.worth || a.order - b.order);
  const chosen: typeof left = [];
  for (const one of left) {
    if (chosen.length >= most) break;
    // Either of them parks a session; more than one would only hide the others.
    const once = one.name === '403' || one.name === '401' || one.name === 'silent watch';
    if (once && chosen.some(({ name }) => name === one.name)) continue;
    // What is sent again after one fault should get through after it, unless it is meant to be hit three times.
    if (chosen.filter(({ kind }) => kind === one.kind).length >= 3) continue;
    chosen.push(one);
  }
  return chosen;
}

function matching(kind: string, calls: Calls, random: Random) {
  const [verb = '', ...rest] = kind.split(' ');
  const dry = kind.endsWith(' (dry run)');
  const path = rest.join(' ').replace(' (dry run)', '');
  const pattern = path.replace(/[.*+?^${}()|[\]\\]/g, (char) => (char === '*' ? '[^/?]+' : `\\${char}`));
  const query = verb === 'WATCH' ? '\\?.*watch=' : dry ? '\\?.*dryRun=' : '(\\?(?!.*(watch|dryRun)=)|$)';
  return {
    method: verb === 'WATCH' ? 'GET' : verb,
    path: `/${pattern}${query}`,
    nth: 1 + random.below(Math.max(1, calls.get(kind) ?? 1)),
    times: random.below(5) === 0 ? 3 : 1,
  };
}

/** All combinations there are, for the count. */
export const combinations = (calls: Calls): string[] =>
  [...calls.keys()].flatMap((kind) =>
    (kind.startsWith('WATCH') ? [...WATCHES, ...ACTIONS] : ACTIONS).map(({ name }) => placeOf({ kind, name })),
  );
