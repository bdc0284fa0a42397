/** The main job: the guide's own plan, once without a terminal and once with an operator who reads and says yes. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { type Cluster, startCluster } from './cluster.ts';
import { approveUntil } from './operator.ts';
import { environment, newHome, Terminal } from './terminal.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/pgb-wizard.js', import.meta.url));
const LIMIT_MS = 240_000;

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
}, 60_000);

async function cluster(): Promise<{ cluster: Cluster; home: string }> {
  const home = newHome();
  undo.push(home.remove);
  const started = await startCluster(home.path);
  undo.push(() => started.stop());
  return { cluster: started, home: home.path };
}

interface Pods {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
    readonly status: { readonly podIP: string };
  }[];
}

interface Load {
  readonly totals: { readonly queries: number; readonly failed: number };
}

/** Which pods PostgreSQL itself sees as its clients, by the label `app`. */
async function clientsOfPostgres({ kubectl, json }: Cluster): Promise<string[]> {
  const sql = 'select distinct host(client_addr) from pg_stat_activity where client_addr is not null';
  const addresses = (await kubectl('exec', 'postgres', '--', 'psql', '-Atc', sql)).trim().split('\n');
  const pods = await json<Pods>('get', 'pods', '-o', 'json');
  const byAddress = new Map(pods.items.map((pod) => [pod.status.podIP, pod.metadata.labels.app ?? pod.metadata.name]));
  return [...new Set(addresses.flatMap((address) => byAddress.get(address) ?? []))].sort();
}

const load = async ({ json }: Cluster) => json<Load>('get', '--raw', '/rehearsal/v1/load');

/** The largest resident set of a process so far, MB; 0 for one that has ended and is not waited for yet: it has none. */
function peakMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

interface Envelope {
  readonly schema: string;
  readonly outcome: string;
  readonly exitCode: number;
  readonly services: readonly { readonly name: string; readonly state: string }[];
  readonly steps: readonly { readonly id: string; readonly state: string; readonly evidence: readonly unknown[] }[];
  readonly checklist: readonly { readonly verdict: string }[];
}

test('without a terminal: sixteen services pooled, every step passed, no query lost', {
  timeout: LIMIT_MS,
}, async () => {
  const { cluster: nova, home } = await cluster();
  const direct = await clientsOfPostgres(nova);
  expect(direct.filter((app) => app.endsWith('-service') || app === 'graphql-gateway')).toHaveLength(16);

  const child = spawn(
    process.execPath,
    [PROGRAM, 'run', '--no-input', '--kubeconfig', nova.kubeconfig, '--time-scale', '600', '-o', 'json'],
    { env: environment(home), stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let out = '';
  let peak = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  const exitCode = await new Promise<number | null>((resolve) => {
    const look = setInterval(() => {
      if (process.platform === 'linux' && child.exitCode === null) peak = Math.max(peak, readPeak(child.pid!));
    }, 500);
    child.on('close', (code) => {
      clearInterval(look);
      resolve(code);
    });
  });
  const envelope = JSON.parse(out) as Envelope;
  expect(envelope).toMatchObject({ schema: 'pgb-wizard/v1', outcome: 'done', exitCode: 0 });
  expect(exitCode).toBe(0);
  expect(envelope.services).toHaveLength(16);
  expect(envelope.services.filter((one) => one.state !== 'pooled')).toEqual([]);
  expect(envelope.steps.filter((one) => one.state !== 'pass').map((one) => `${one.id} ${one.state}`)).toEqual([]);
  expect(envelope.steps.filter((one) => one.evidence.length === 0).map((one) => one.id)).toEqual([]);
  expect(envelope.checklist.filter((one) => one.verdict === 'fail')).toEqual([]);

  // Asked from the other side: PostgreSQL's own list of clients, and the clients' own count.
  expect(await clientsOfPostgres(nova)).toEqual(['pgbouncer']);
  const { totals } = await load(nova);
  expect(totals.failed).toBe(0);
  expect(totals.queries).toBeGreaterThan(1000);
  if (process.platform === 'linux') {
    expect(peak).toBeGreaterThan(20);
    expect(peak).toBeLessThan(200);
  }
});

function readPeak(pid: number): number {
  try {
    return peakMb(pid);
  } catch {
    // It ended between two looks.
    return 0;
  }
}

test('in a terminal: the same, and a summary that stays', { timeout: LIMIT_MS }, async () => {
  const { cluster: nova, home } = await cluster();
  const terminal = new Terminal(['run', '--kubeconfig', nova.kubeconfig, '--time-scale', '600'], { home });
  undo.push(() => terminal.kill('SIGKILL'));

  const welcome = await terminal.see('Enter show the first change');
  expect(welcome).toContain('16 services from PostgreSQL to PgBouncer');
  expect(welcome).toContain('Nothing has been changed yet');
  const end = await approveUntil(terminal, 'Enter close', LIMIT_MS, { phases: true });
  expect(end).toContain('Done: every service of the plan reaches PostgreSQL through PgBouncer');
  if (process.platform === 'linux') expect(peakMb(terminal.pty.pid)).toBeLessThan(200);
  await terminal.keys('enter');
  expect((await terminal.over()).exitCode).toBe(0);

  const left = terminal.everything();
  expect(left).toContain('16 pooled');
  expect(left).toMatch(/record\s+\S+/);
  expect(left).toMatch(/after 48 h/);
  expect(left).toMatch(/pgb-wizard rollback/);
  expect(await clientsOfPostgres(nova)).toEqual(['pgbouncer']);
  expect((await load(nova)).totals.failed).toBe(0);
});
