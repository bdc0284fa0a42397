/** What a frame and a key cost, and how much an idle dashboard writes; called by the bench script. */
import { PassThrough, Writable } from 'node:stream';
import { paintLines } from '../../components/paint.ts';
import { themeOf } from '../../components/theme.ts';
import type { RunSnapshot } from '../../engine/run/model.ts';
import type { PoolTotals } from '../../hooks/pool-totals.ts';
import { extendHistory } from '../../hooks/use-history.ts';
import { showWizard } from '../main.tsx';
import { fakeHandle } from './fake-handle.ts';
import { SITUATIONS } from './situations.ts';
import { bigSnapshot } from './snapshot.ts';
import { still } from './still.ts';

interface Figures {
  /** ms: from a key to the bytes of the frame that answers it, in a mounted screen, 95th percentile. */
  readonly keyP95: number;
  /** The same in CPU ms of this process, so that a busy machine can be told from a slow screen. */
  readonly keyCpuP95: number;
  /** Bytes a second of an unchanged dashboard whose clock runs and whose pools are sampled every 2 s. */
  readonly idleBytes: number;
}

const p95 = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? 0;

const cpuMs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
};

/** A terminal that counts. */
export function countingTerminal(
  columns: number,
  rows: number,
): {
  stdout: NodeJS.WriteStream;
  stdin: NodeJS.ReadStream;
  bytes: () => number;
  text: () => string;
  type: (keys: string) => void;
} {
  let bytes = 0;
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      text = (text + chunk.toString()).slice(-200_000);
      done();
    },
  });
  Object.assign(stdout, { columns, rows, isTTY: true });
  const stdin = new PassThrough();
  Object.assign(stdin, { isTTY: true, setRawMode: () => stdin, ref: () => stdin, unref: () => stdin });
  return {
    stdout: stdout as unknown as NodeJS.WriteStream,
    stdin: stdin as unknown as NodeJS.ReadStream,
    bytes: () => bytes,
    text: () => text,
    type: (keys) => void stdin.write(keys),
  };
}

/** The next refresh of every pool: new numbers, and a sample more. */
function refreshed(snapshot: RunSnapshot, n: number): RunSnapshot {
  const { pools } = snapshot;
  const now = new Date(Date.parse(snapshot.now) + 2000).toISOString();
  const rows = pools.rows.map((row, index) => ({
    ...row,
    clActive: (row.clActive + index + n) % 40,
    queriesPerSecond: (n * 7 + index) % 300,
    avgQueryMs: ((n + index) % 90) / 10,
  }));
  return { ...snapshot, now, pools: { ...pools, rows, history: [...pools.history, { at: now, rows }].slice(-120) } };
}

/** ms of each frame with 500 services and 200 pools at 200x60, every pool changed before each; lines and paint, no Ink. */
export function benchFrames(frames: number): number[] {
  const theme = themeOf('terminal');
  const times: number[] = [];
  let snapshot = bigSnapshot(500, 20, 200);
  let history: readonly PoolTotals[] = [];
  for (let n = 0; n < frames; n++) {
    snapshot = refreshed(snapshot, n);
    const began = performance.now();
    history = extendHistory(history, snapshot.pools);
    paintLines(still({ snapshot, columns: 200, rows: 60, history }), theme);
    times.push(performance.now() - began);
  }
  return times;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs for about `seconds` plus the key presses. */
export async function benchScreens(seconds = 10, presses = 40): Promise<Figures> {
  const big = bigSnapshot(500, 20, 200);
  const idle = await withScreen(SITUATIONS.migrate(), { columns: 100, rows: 30 }, async (terminal, publish) => {
    await pause(1500);
    const { now } = SITUATIONS.migrate();
    const before = terminal.bytes();
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      await pause(2000);
      publish({ ...SITUATIONS.migrate(), now });
    }
    return (terminal.bytes() - before) / seconds;
  });

  const keys = await withScreen(big, { columns: 200, rows: 60 }, async (terminal, publish) => {
    await pause(1500);
    const wall: number[] = [];
    const cpu: number[] = [];
    let latest = big;
    // The first presses warm the compiler up.
    const warm = Math.min(10, presses);
    for (let n = 0; n < presses + warm; n++) {
      latest = refreshed(latest, n);
      publish(latest);
      // Past the frame of the refresh, and never at the same place between two ticks of the clock.
      await pause(300 + (n % 7) * 20);
      const before = terminal.bytes();
      const began = performance.now();
      const used = process.cpuUsage();
      terminal.type(KEYS[n % KEYS.length] ?? '?');
      while (terminal.bytes() === before && performance.now() - began < 2000) await nextTurn();
      if (n < warm) continue;
      wall.push(performance.now() - began);
      cpu.push(cpuMs(used));
    }
    return { wall: p95(wall), cpu: p95(cpu) };
  });
  return { keyP95: keys.wall, keyCpuP95: keys.cpu, idleBytes: idle };
}

/** There and back: help, the list of 500 services, the chart of 200 pools, the plan of 1,500 steps. */
const KEYS = ['?', '?', 's', 's', 'p', 'p', 'w', 'w'];

async function withScreen<T>(
  snapshot: RunSnapshot,
  size: { columns: number; rows: number },
  work: (terminal: ReturnType<typeof countingTerminal>, publish: (next: RunSnapshot) => void) => Promise<T>,
): Promise<T> {
  const terminal = countingTerminal(size.columns, size.rows);
  const handle = fakeHandle(snapshot);
  const shown = showWizard({
    handle,
    color: 'auto',
    ascii: false,
    stdout: terminal.stdout,
    stdin: terminal.stdin,
    env: {},
  });
  const result = await work(terminal, (next) => handle.show(next));
  terminal.type('\u0003');
  await pause(50);
  terminal.type('\u0003');
  await shown;
  return result;
}
