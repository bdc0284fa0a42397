/** The built wizard on a rehearsal, held at a decision with everything live: what it costs to stay open. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { startCluster } from '../../test/journeys/cluster.ts';
import { approveUntil, confirm } from '../../test/journeys/operator.ts';
import { newHome, Terminal } from '../../test/journeys/terminal.ts';

export interface Live {
  readonly seconds: number;
  readonly bytesPerSecond: number;
  /** CPU ms of one refresh of all poolers and the screen, everything else the wizard does meanwhile included. */
  readonly refreshMs: number;
  /** CPU ms of the guide's poll of one pooler: `kubectl exec … psql -c "SHOW POOLS"`. */
  readonly pollMs: number;
  readonly peakMb: number;
  readonly slopeMbPerHour: number;
}

const TICK_MS = 10;
const REFRESH_S = 2;

const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
};
const memoryKb = (pid: number, field: string): number =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

export async function measureLive(seconds: number): Promise<Live> {
  const home = newHome();
  const cluster = await startCluster(home.path);
  const open: Terminal[] = [];
  let bytes = 0;
  const wizard = (timeScale: string) => {
    const terminal = new Terminal(['run', '--kubeconfig', cluster.kubeconfig, '--time-scale', timeScale], {
      home: home.path,
      env: { PGBOUNCER_ADMIN_PASS: 'bench-admin' },
      onOutput: (data) => {
        bytes += Buffer.byteLength(data);
      },
    });
    open.push(terminal);
    return terminal;
  };
  try {
    // To the first decision fast; then, as on a real cluster, a second a second.
    const first = wizard('600');
    await approveUntil(first, /left of 30 m|soak is over/, 240_000, { phases: true });
    await first.keys('q');
    await first.see('Leave the wizard?');
    await first.keys('enter');
    await first.over();
    const terminal = wizard('1');
    await terminal.see('A run waits to be resumed');
    await terminal.keys('enter');
    await terminal.see(/will do/i);
    await confirm(terminal, 'y');
    await terminal.see(/left of 30 m|soak is over/);
    const { pid } = terminal.pty;
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    await pause(10_000);
    const samples: [number, number][] = [];
    const began = performance.now();
    const cpu = cpuMs(pid);
    bytes = 0;
    while (performance.now() - began < seconds * 1000) {
      samples.push([(performance.now() - began) / 3_600_000, memoryKb(pid, 'VmRSS') / 1024]);
      await pause(1000);
    }
    const passed = (performance.now() - began) / 1000;
    return {
      seconds,
      bytesPerSecond: bytes / passed,
      refreshMs: ((cpuMs(pid) - cpu) / passed) * REFRESH_S,
      pollMs: await pollOf(cluster.kubeconfig),
      peakMb: memoryKb(pid, 'VmHWM') / 1024,
      slopeMbPerHour: slope(samples),
    };
  } finally {
    for (const terminal of open) terminal.kill('SIGKILL');
    await cluster.stop();
    home.remove();
  }
}

/** Median of some polls; the CPU of kubectl alone, psql in the pod not counted. */
async function pollOf(kubeconfig: string): Promise<number> {
  const address = 'postgresql://admin:bench-admin@127.0.0.1:6432/pgbouncer';
  const poll = `kubectl --kubeconfig ${kubeconfig} -n nova exec svc/pgbouncer -- psql ${address} -c "SHOW POOLS" >/dev/null; times`;
  const times: number[] = [];
  for (let n = 0; n < 7; n++) {
    const { stdout } = await promisify(execFile)('bash', ['-c', poll]);
    const ofChildren = stdout.trim().split('\n')[1] ?? '';
    const parts = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => Number(m) * 60 + Number(s));
    times.push(parts.reduce((sum, one) => sum + one, 0) * 1000);
  }
  return times.sort((a, b) => a - b)[3] ?? 0;
}

/** Least squares, MB an hour. */
function slope(samples: readonly (readonly [number, number])[]): number {
  const mean = (pick: 0 | 1) => samples.reduce((sum, one) => sum + one[pick], 0) / samples.length;
  const [x, y] = [mean(0), mean(1)];
  const over = samples.reduce((sum, one) => sum + (one[0] - x) * (one[1] - y), 0);
  return over / samples.reduce((sum, one) => sum + (one[0] - x) ** 2, 0);
}
