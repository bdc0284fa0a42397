/**
 * A rehearsal cluster in this process, a small plan, and the built wizard as a child that can be killed. What the API
 * server was asked for and what became of the workloads is kept aside, so that promises are checked against the cluster
 * and not against what the wizard says of itself.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JournalLine, RunEvent } from '../../src/engine/run/events.ts';
import { readJournal } from '../../src/engine/run/journal.ts';
import { journalPath, runDir } from '../../src/engine/run/paths.ts';
import type { ObservedRequest } from '../../src/rehearsal/api/server.ts';
import { type Cluster, startCluster } from '../../src/rehearsal/cluster.ts';
import type { Json, KubeObject } from '../../src/rehearsal/contract.ts';

export const NAMESPACE = 'nova';
/** A service that takes its address from a Secret is among them; two of the four move as a batch. */
export const SERVICES = ['identity-service', 'notification-service', 'cdn-service', 'auth-service'] as const;

const PLAN = {
  apiVersion: 'pgb-wizard/v1',
  kind: 'MigrationPlan',
  name: 'crash',
  namespace: NAMESPACE,
  // One pooler pod: what is proved here is the order of writes, not the pooler's availability.
  // Its sizes are given, because computed ones follow the connections of the moment, and two runs are compared.
  pooler: { replicas: 1, poolSize: 8, minPoolSize: 2, reserve: 2, maxClientConn: 500 },
  phases: [
    {
      id: 'p2',
      title: 'Pilot',
      soak: '1s',
      services: [{ name: 'identity-service' }, { name: 'notification-service' }],
    },
    {
      id: 'p3',
      title: 'Core',
      soak: '1s',
      services: [
        { name: 'cdn-service', batch: 'pair' },
        { name: 'auth-service', batch: 'pair' },
      ],
      batches: [{ name: 'pair', parallelism: 2 }],
    },
  ],
  observe: { every: '1s', for: '1s' },
  baseline: { enabled: false },
  gates: { consecutive: 3 },
};

/** One change of a pod template, as the store saw it. */
export interface TemplateChange {
  readonly workload: string;
  readonly template: string;
  readonly manager: string | undefined;
}

export interface Session {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The label of the place where it was killed. */
  readonly killedAt: string | undefined;
  /** Every kill point it passed, when it was asked to list them. */
  readonly passed: readonly string[];
  readonly ms: number;
}

export interface Lab {
  readonly cluster: Cluster;
  readonly plan: string;
  /** Since the last `mark`. */
  readonly requests: readonly ObservedRequest[];
  readonly templates: readonly TemplateChange[];
  mark(): void;
  /** A new, empty state folder: a machine that has never seen a run. */
  newHome(): string;
  /** Those made so far, newest first. */
  homes(): string[];
  wizard(
    home: string,
    args: readonly string[],
    more?: { killAt?: string; env?: Record<string, string>; onStart?: (pid: number) => void; limitMs?: number },
  ): Promise<Session>;
  /** The objects that a run must leave as they are, or as it found them. */
  state(): LabState;
  /** Removes what a finished run leaves in the cluster on purpose. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export interface LabState {
  /** Canonical template by workload. */
  readonly templates: Readonly<Record<string, string>>;
  /** Uid of the ReplicaSet that has pods, by workload. */
  readonly replicaSets: Readonly<Record<string, string>>;
  /** Digest of each Secret that is not the run's own. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly pooler: readonly string[];
}

const digest = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
const OWN = /^pgb-wizard-run-/;
/** Objects of a run carry its id in their name; two runs are compared without it. */
export const withoutRun = (text: string) => text.replace(/-pgb-[0-9a-f]{8}\b/g, '-pgb-RUN');
const POOLER = ['deployments.apps', 'services', 'poddisruptionbudgets.policy', 'networkpolicies.networking.k8s.io'];

function activeReplicaSet({ store }: Cluster, name: string): string {
  const own = store
    .list('replicasets.apps', NAMESPACE)
    .filter((set) => set.metadata.ownerReferences?.some((owner) => owner.name === name));
  return own
    .filter((set) => (set.spec.replicas ?? 0) > 0)
    .map((set) => set.metadata.uid)
    .sort()
    .join(' ');
}

export async function openLab(options: { password?: string; faults?: readonly string[] } = {}): Promise<Lab> {
  const root = mkdtempSync(join(tmpdir(), 'pgbw-crash-'));
  const cluster = await startCluster({
    services: SERVICES.length,
    pace: 10,
    ...(options.faults ? { faults: options.faults } : {}),
    ...(options.password === undefined ? { seed: 1 } : { password: options.password }),
  });
  const { store } = cluster;
  for (const name of SERVICES) {
    const live = store.get('deployments.apps', NAMESPACE, name);
    if (live && live.spec.replicas !== 1) {
      live.spec.replicas = 1;
      store.update('deployments.apps', live, { manager: 'kubectl-scale' });
    }
  }
  await cluster.ready();
  const plan = join(root, 'plan.json');
  writeFileSync(plan, JSON.stringify(PLAN));

  let requests: ObservedRequest[] = [];
  let templates: TemplateChange[] = [];
  cluster.api.observe((request) => {
    if (request.method !== 'GET') requests.push(request);
  });
  const unwatch = store.watch((event) => {
    if (event.resource !== 'deployments.apps' || event.type !== 'MODIFIED') return;
    const [now, before] = [event.object.spec.template, event.old?.spec.template];
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    templates.push({
      workload: event.object.metadata.name,
      template: digest(now),
      manager: event.object.metadata.managedFields?.at(-1)?.manager,
    });
  });
  let homes = 0;
  return {
    cluster,
    plan,
    get requests() {
      return requests;
    },
    get templates() {
      return templates;
    },
    mark() {
      requests = [];
      templates = [];
    },
    newHome() {
      homes += 1;
      const home = join(root, `home-${homes}`);
      mkdirSync(home, { mode: 0o700 });
      return home;
    },
    homes: () => Array.from({ length: homes }, (_, k) => join(root, `home-${homes - k}`)),
    wizard: (home, args, more = {}) => wizard(cluster, home, args, more),
    state: () => ({
      templates: Object.fromEntries(
        SERVICES.map((name) => [
          name,
          withoutRun(JSON.stringify(store.get('deployments.apps', NAMESPACE, name)?.spec.template)),
        ]),
      ),
      replicaSets: Object.fromEntries(SERVICES.map((name) => [name, activeReplicaSet(cluster, name)])),
      secrets: Object.fromEntries(
        store
          .list('secrets', NAMESPACE)
          .filter((one) => !OWN.test(one.metadata.name))
          .map((one) => [withoutRun(one.metadata.name), digest(one.data)]),
      ),
      pooler: poolerObjects(cluster),
    }),
    async sweep() {
      for (const resource of POOLER) {
        if (store.get(resource, NAMESPACE, 'pgbouncer')) store.delete(resource, NAMESPACE, 'pgbouncer');
      }
      for (const resource of ['secrets', 'configmaps']) {
        for (const object of store.list(resource, NAMESPACE)) {
          const { name } = object.metadata;
          if (OWN.test(name) || /-pgb-[0-9a-f]{8}$|^pgbouncer/.test(name)) store.delete(resource, NAMESPACE, name);
        }
      }
      for (const pod of store.list('pods', NAMESPACE)) {
        // Nobody waits for its clients any more.
        if (pod.metadata.name.startsWith('pgbouncer-'))
          store.delete('pods', NAMESPACE, pod.metadata.name, { gracePeriodSeconds: 0 });
      }
      await until(() => !store.list('pods', NAMESPACE).some((pod) => pod.metadata.name.startsWith('pgbouncer-')));
    },
    async close() {
      unwatch();
      await cluster.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Waits for a fact of the store; rejects after a minute. */
export async function until(fact: () => boolean): Promise<void> {
  const end = performance.now() + 60_000;
  while (!fact()) {
    if (performance.now() > end) throw new Error(`waited a minute for: ${fact}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Kind, name and digest of what matters of each object of the pooler. */
function poolerObjects({ store }: Cluster): string[] {
  const of = (resource: string, content: (object: KubeObject) => Json) => {
    return store
      .list(resource, NAMESPACE)
      .filter(({ metadata }) => metadata.name === 'pgbouncer' || metadata.name.startsWith('pgbouncer-config'))
      .map((object) => `${resource} ${digest(content(object))}`)
      .sort();
  };
  return [
    ...of('deployments.apps', (object) => object.spec),
    ...of('services', (object) => object.spec?.ports),
    ...of('configmaps', (object) => object.data),
  ];
}

/** No session of so small a plan takes longer, unless it hangs. */
const SESSION_LIMIT_MS = 120_000;

function wizard(
  cluster: Cluster,
  home: string,
  args: readonly string[],
  more: { killAt?: string; env?: Record<string, string>; onStart?: (pid: number) => void; limitMs?: number },
): Promise<Session> {
  const began = performance.now();
  const child = spawn(process.execPath, ['bin/pgb-wizard.js', ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: home,
      PGB_WIZARD_HOME: join(home, 'state'),
      KUBECONFIG: cluster.kubeconfigPath,
      USER: 'operator',
      ...(more.killAt === undefined ? {} : { PGB_WIZARD_KILL_AT: more.killAt }),
      ...more.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  if (child.pid !== undefined) more.onStart?.(child.pid);
  const late = setTimeout(() => child.kill('SIGKILL'), more.limitMs ?? SESSION_LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      resolve({
        code,
        signal,
        stdout,
        stderr,
        killedAt: /^killed at (.*)$/m.exec(stderr)?.[1],
        passed: [...stderr.matchAll(/^kill-point (.*)$/gm)].map((match) => match[1] as string),
        ms: performance.now() - began,
      });
    });
  });
}

/** Runs whose journal has at least one whole line, in a home. */
export function runsIn(home: string): string[] {
  try {
    return readdirSync(join(home, 'state', 'runs'));
  } catch {
    // Killed before the folder was made.
    return [];
  }
}

/** The lines of a run's journal; an error text when its chain is broken. */
export function journalOf(home: string, runId: string): readonly JournalLine[] | string {
  const read = readJournal(journalPath(runDir(join(home, 'state'), runId)), runId);
  return read.ok ? read.value.lines : `${read.error.code}: ${read.error.message}`;
}

/** What a run that may have only just begun has written so far: its folder is there a moment before its journal. */
export function eventsOf(home: string, runId: string | undefined = runsIn(home)[0]): readonly RunEvent[] {
  const lines = runId === undefined ? [] : journalOf(home, runId);
  if (typeof lines !== 'string') return lines.map((line) => line.event);
  if (lines.startsWith('not-found')) return [];
  throw new Error(lines);
}
