/** The built wizard on a rehearsal, held at a decision with everything live: what it costs to stay open. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { startCluster } from '../../test/journeys/cluster.ts';
import { approveUntil } from '../../test/journeys/operator.ts';
import { newHome, Terminal } from '../../test/journeys/terminal.ts';

export interface Live {
  readonly seconds: number;
  readonly bytesPerSecond: number;
  /** CPU ms of one refresh of all poolers and the screen, with whatever else the wizard does meanwhile. */
  readonly refreshMs: number;
  /** CPU ms of the guide's poll of one pooler: `kubectl exec … psql -c "SHOW POOLS"`. */
  readonly pollMs: number;
  readonly peakMb: number;
  /** Of the heap after a collection: the resident set goes up and down with the collector. */
  readonly slopeMbPerHour: number;
  readonly heapMb: number;
}

const PROBES = 'heap.jsonl';
const PROGRAM = fileURLToPath(new URL('../../bin/pgb-wizard.js', import.meta.url));
const PROBE = fileURLToPath(new URL('../../test/soak/probe.mjs', import.meta.url));
const TICK_MS = 10;
const REFRESH_S = 2;
const POLLS = 9;
const HEAP_EVERY_MS = 5000;
/** By then the histories on the screen have their length (4 minutes, 12 at the chart's full grain), and what runs is compiled. */
const SETTLED_MS = 12 * 60_000;
const MB = 1024 * 1024;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
};
const memoryKb = (pid: number, field: string): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** `quick`: two pilots alone, to look whether it works; a fleet of sixteen holds more in memory and in its pools. */
export async function measureLive(seconds: number, quick = false): Promise<Live> {
  const home = newHome();
  const cluster = await startCluster(home.path, quick ? ['--services', '2'] : []);
  const open: Terminal[] = [];
  let bytes = 0;
  const wizard = (plan: string) => {
    // A second a second, as on a real cluster.
    const terminal = new Terminal(['run', '--kubeconfig', cluster.kubeconfig, '--time-scale', '1', '--plan', plan], {
      home: home.path,
      env: {
        PGBOUNCER_ADMIN_PASS: 'bench-admin',
        NODE_OPTIONS: `--import=${pathToFileURL(PROBE)}`,
        SOAK_PROBE: join(home.path, PROBES),
      },
      onOutput: (data) => {
        bytes += Buffer.byteLength(data);
      },
    });
    open.push(terminal);
    return terminal;
  };
  try {
    const terminal = wizard(await hastyPlan(home.path, quick));
    await approveUntil(terminal, /Migrate notification-service +guide/, 600_000);
    const { pid } = terminal.pty;
    const refresh = await measureRefresh(
      terminal,
      quick ? seconds : Math.max(20, seconds / 4),
      cluster.kubeconfig,
      // A screen that was opened just now pays for its compilation.
      quick ? 2000 : 30_000,
    );
    await approveUntil(terminal, /left of 30 m/, 600_000, { phases: !quick });
    await pause(quick ? 1000 : SETTLED_MS);
    const began = performance.now();
    bytes = 0;
    while (performance.now() - began < seconds * 1000) {
      process.kill(pid, 'SIGUSR2');
      await pause(Math.min(HEAP_EVERY_MS, (seconds * 1000) / 4));
    }
    const bytesPerSecond = (bytes / (performance.now() - began)) * 1000;
    const samples = heaps(join(home.path, PROBES));
    return {
      ...refresh,
      seconds,
      bytesPerSecond,
      peakMb: memoryKb(pid, 'VmHWM') / 1024,
      slopeMbPerHour: slope(samples),
      heapMb: samples.at(-1)?.[1] ?? Number.NaN,
    };
  } finally {
    for (const terminal of open) terminal.kill('SIGKILL');
    await cluster.stop();
    home.remove();
  }
}

/** What the wizard's own probe wrote (test/soak/probe.mjs): hours since its start, MB of heap after a collection. */
function heaps(path: string): [number, number][] {
  if (!existsSync(path)) throw new Error('the wizard told nothing of its heap');
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { at: number; heap: number })
    .map(({ at, heap }) => [at / 3_600_000, heap / MB]);
}

/** The pools on the screen while a question waits: every 2 s all poolers are asked and the chart is drawn, and nothing else. */
async function measureRefresh(terminal: Terminal, seconds: number, kubeconfig: string, settleMs: number) {
  const { pid } = terminal.pty;
  await terminal.keys('p');
  await terminal.see('Pools over the change');
  await pause(settleMs);
  const began = performance.now();
  const cpu = cpuMs(pid);
  // The guide's poll now and then meanwhile: a busy machine makes both dearer.
  const polls: number[] = [];
  while (performance.now() - began < seconds * 1000) {
    polls.push(await pollOf(kubeconfig));
    await pause((seconds * 1000) / POLLS);
  }
  const refreshMs = ((cpuMs(pid) - cpu) / (performance.now() - began)) * REFRESH_S * 1000;
  await terminal.keys('escape');
  await terminal.see(/^ y approve/m);
  return { refreshMs, pollMs: polls.sort((a, b) => a - b)[Math.floor(polls.length / 2)] ?? Number.NaN };
}

/** The guide's plan, its pools watched for half a minute instead of five, so that the soak comes soon. */
async function hastyPlan(folder: string, quick: boolean): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, 'plan', '-o', 'json']);
  const path = join(folder, 'plan.json');
  const { plan } = JSON.parse(stdout);
  // A machine that is busy with something else must not end the run: what it costs is measured, not how fast services answer.
  const gates = { ...plan.gates, responseTimeWithin: 1000 };
  const [pilots] = plan.phases;
  const first = { ...pilots, services: pilots.services.slice(0, 2) };
  const short = { phases: [first], baseline: { enabled: false }, observe: { every: '1s', for: '1s' } };
  const hasty = { ...plan, gates, observe: { every: '30s', for: '30s' }, ...(quick ? short : {}) };
  writeFileSync(path, JSON.stringify(hasty));
  return path;
}

/** The CPU of kubectl alone, psql in the pod not counted. */
async function pollOf(kubeconfig: string): Promise<number> {
  const address = 'postgresql://admin:bench-admin@127.0.0.1:6432/pgbouncer';
  const poll = `kubectl --kubeconfig ${kubeconfig} -n nova exec svc/pgbouncer -- psql ${address} -c "SHOW POOLS" >/dev/null && times`;
  const { stdout } = await promisify(execFile)('bash', ['-c', poll]);
  const ofChildren = stdout.trim().split('\n')[1] ?? '';
  const parts = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => Number(m) * 60 + Number(s));
  return parts.reduce((sum, one) => sum + one, 0) * 1000;
}

/** Least squares, MB an hour. */
function slope(samples: readonly (readonly [number, number])[]): number {
  const mean = (pick: 0 | 1) => samples.reduce((sum, one) => sum + one[pick], 0) / samples.length;
  const [x, y] = [mean(0), mean(1)];
  const over = samples.reduce((sum, one) => sum + (one[0] - x) * (one[1] - y), 0);
  return over / samples.reduce((sum, one) => sum + (one[0] - x) ** 2, 0);
}
