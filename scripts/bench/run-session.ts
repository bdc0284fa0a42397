/**
 * Whole runs of the built wizard on a rehearsal of N services, and the guide's own loop beside them on the same cluster: how
 * long the switches take, and what they ask of the API server.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Cluster, startCluster } from '../../test/journeys/cluster.ts';
import { environment, newHome } from '../../test/journeys/terminal.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/pgb-wizard.js', import.meta.url));
const POOLER = 'pgbouncer:6432';
const DIRECT = 'postgres.nova:5432';
const PARKED = 3;
const ROLLED_BACK = 6;

export interface RunFigures {
  readonly services: number;
  /** Seconds in the steps that move services: patch, rollout, old pods and their direct connections gone. */
  readonly wizardSeconds: number;
  /** Seconds of `kubectl set env` and `kubectl rollout status`, a service, over `loopServices` of them. */
  readonly loopSeconds: number;
  readonly loopServices: number;
  /** From the start of the process that takes the run up again, all services moved, to its first step. */
  readonly resumeMs: number;
  /** Requests beside watches in those steps, all services together, by what was asked. */
  readonly switching: Readonly<Record<string, number>>;
  /** The same of the whole run. */
  readonly whole: Readonly<Record<string, number>>;
}

/** The guide's plan in its phases, cut to the fleet; what is beyond the guide's sixteen moves in a batch. */
function planOf(names: readonly string[]) {
  const of = (list: readonly string[], more: object = {}) => list.map((name) => ({ name, ...more }));
  const rest = names.slice(8);
  const last = rest.length > 0 ? [rest[rest.length - 1]!] : [];
  const batch = rest.slice(0, -1);
  const phases = [
    { id: 'p2', title: 'Pilots', services: of(names.slice(0, 3)) },
    { id: 'p3', title: 'Core', services: of(names.slice(3, 7)) },
    {
      id: 'p4',
      title: 'Critical',
      batches: [{ name: 'rest', parallelism: 4 }],
      services: [...of(names.slice(7, 8)), ...of(batch, { batch: 'rest' }), ...of(last)],
    },
  ];
  return {
    apiVersion: 'pgb-wizard/v1',
    kind: 'MigrationPlan',
    name: 'bench',
    namespace: 'nova',
    pooler: { image: 'pgbouncer:rehearsal', exporterImage: 'pgbouncer-exporter:rehearsal' },
    baseline: { enabled: false },
    observe: { every: '1s', for: '1s' },
    phases: phases.filter((phase) => phase.services.length > 0),
  };
}

type Counts = Record<string, number>;

/** What the wizard asked of the API, one by one. */
async function requestsOf(cluster: Cluster): Promise<{ at: number; what: string }[]> {
  const { newest } = await cluster.json<{ newest: [number, string, string][] }>(
    'get',
    '--raw',
    '/rehearsal/v1/requests',
  );
  return newest
    .filter(([, client, what]) => client === 'pgb-wizard' && !what.startsWith('watch '))
    .map(([at, , what]) => ({ at, what }));
}

const counted = (requests: readonly { readonly what: string }[]): Counts => {
  const counts: Counts = {};
  for (const { what } of requests) counts[what] = (counts[what] ?? 0) + 1;
  return counts;
};

function wizard(cluster: Cluster, home: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args, '--kubeconfig', cluster.kubeconfig], {
    env: environment(home),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

export interface RunOptions<T> {
  /** Over how many services the guide's loop is timed; it is one after the other, so a part of many tells. */
  readonly loop: number;
  /**
   * The loop comes first, on the last of the services and with the address that they have under another name, instead of last
   * and after the way back, which for hundreds takes as long as all the rest.
   */
  readonly apart: boolean;
  /** Done before anything else. */
  readonly first: (kubeconfig: string) => Promise<T>;
}

export async function measureRun<T>(
  count: number,
  options: RunOptions<T>,
): Promise<RunFigures & { readonly first: T }> {
  const { loop, apart } = options;
  const home = newHome();
  const cluster = await startCluster(home.path, ['--services', String(count)]);
  try {
    const first = await options.first(cluster.kubeconfig);
    const { items } = await cluster.json<{ items: { metadata: { name: string } }[] }>(
      'get',
      'deployments',
      '-o',
      'json',
    );
    const names = items.map((one) => one.metadata.name).sort();
    const plan = planOf(names);
    const file = join(home.path, 'plan.json');
    writeFileSync(file, JSON.stringify(plan));
    const lastPhase = plan.phases.at(-1)!.id;
    const timed = apart ? names.slice(-loop) : names.slice(0, loop);
    const before = apart ? await guideLoop(cluster, timed, DIRECT) : undefined;
    const moved = await migrate(cluster, home.path, file, lastPhase);
    if (before === undefined) await takeBack(cluster, home.path);
    const seconds = before ?? (await guideLoop(cluster, timed, POOLER));
    return { services: count, first, ...moved, loopSeconds: seconds / timed.length, loopServices: timed.length };
  } finally {
    await cluster.stop();
    home.remove();
  }
}

const takeBack = (cluster: Cluster, home: string): Promise<void> =>
  ended(wizard(cluster, home, ['rollback', '--all', '--no-input']), ROLLED_BACK);

/** Resolves when the child ends with this code. */
function ended(child: ChildProcess, wanted: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (data) => {
      said = `${said}${data}`.slice(-500);
    });
    child.on('close', (code) => (code === wanted ? resolve() : reject(new Error(`ended with ${code}: ${said}`))));
  });
}

/** When each step that moves services began and ended, from the journal: a second is a second in this run. */
function migrateSpans(home: string): { from: number; to: number }[] {
  const runs = join(home, 'state', 'runs');
  const [run] = readdirSync(runs);
  const spans: { from: number; to: number }[] = [];
  const begun = new Map<string, number>();
  for (const line of readFileSync(join(runs, run!, 'events.jsonl'), 'utf8').split('\n')) {
    if (line === '') continue;
    const entry = JSON.parse(line) as { at: string; event: { type: string; id?: string } };
    const { type, id = '' } = entry.event;
    if (!id.endsWith('.migrate')) continue;
    if (type === 'step.started') begun.set(id, Date.parse(entry.at));
    else if (type === 'step.finished') spans.push({ from: begun.get(id)!, to: Date.parse(entry.at) });
  }
  return spans;
}

async function migrate(
  cluster: Cluster,
  home: string,
  plan: string,
  lastPhase: string,
): Promise<Pick<RunFigures, 'wizardSeconds' | 'resumeMs' | 'switching' | 'whole'>> {
  // Parked when all of them have moved, and taken up again: the rest of the plan is the second session's.
  await ended(wizard(cluster, home, ['run', '--no-input', '--plan', plan, '--stop-after', lastPhase]), PARKED);
  const resumeMs = await resume(cluster, home);
  const requests = await requestsOf(cluster);
  const spans = migrateSpans(home);
  return {
    resumeMs,
    wizardSeconds: spans.reduce((sum, span) => sum + span.to - span.from, 0) / 1000,
    switching: counted(requests.filter(({ at }) => spans.some((span) => at >= span.from && at <= span.to))),
    whole: counted(requests),
  };
}

async function resume(cluster: Cluster, home: string): Promise<number> {
  const began = performance.now();
  const child = wizard(cluster, home, ['run', '--no-input']);
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  let ms: number | undefined;
  let last = '';
  for await (const line of createInterface({ input: child.stderr! })) {
    last = line;
    if (/^\S+\s+start\s/.test(line)) ms ??= performance.now() - began;
  }
  const code = await closed;
  if (code !== 0 || ms === undefined) throw new Error(`the resumed run ended with ${code}: ${last}`);
  return ms;
}

/** Guide 2.1 and on, for each service: set the variable, wait for the rollout. Returns seconds. */
async function guideLoop(cluster: Cluster, names: readonly string[], to: string): Promise<number> {
  const secret = await cluster.json<{ data: Record<string, string> }>(
    'get',
    'secret',
    'postgres-credentials',
    '-o',
    'json',
  );
  const password = Buffer.from(secret.data.password ?? '', 'base64').toString();
  const url = `postgresql://nova_user:${encodeURIComponent(password)}@${to}/nova`;
  const began = performance.now();
  for (const name of names) {
    await cluster.kubectl('set', 'env', `deployment/${name}`, `DATABASE_URL=${url}`);
    await cluster.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=5m');
  }
  return (performance.now() - began) / 1000;
}
