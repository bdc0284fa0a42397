/** What a frame and a key cost, and how much an idle dashboard writes; called by the bench script. */
import { PassThrough, Writable } from 'node:stream';
import { paintLines } from '../../components/paint.ts';
import { themeOf } from '../../components/theme.ts';
import type { RunSnapshot } from '../../engine/run/model.ts';
import { showWizard } from '../main.tsx';
import { bigSnapshot, fakeHandle, SITUATIONS } from './fixtures.ts';
import { still } from './still.ts';

interface Figures {
  /** ms: lines and paint of one frame with 500 services and 200 pools at 200x60, 95th percentile. */
  readonly frameP95: number;
  /** ms: from a key to the bytes of the frame that answers it, in a mounted screen. */
  readonly keyP95: number;
  /** Bytes a second of an unchanged dashboard whose clock runs and whose pools are sampled every 2 s. */
  readonly idleBytes: number;
}

const p95 = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? 0;

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

/** Frames from changed snapshots, without Ink: what a refresh costs in our own code. */
function frameTimes(snapshot: RunSnapshot, frames: number, size: { columns: number; rows: number }): number[] {
  const theme = themeOf('terminal');
  const times: number[] = [];
  for (let n = 0; n < frames; n++) {
    const next = { ...snapshot, now: new Date(Date.parse(snapshot.now) + n * 1000).toISOString() };
    const began = performance.now();
    paintLines(still({ snapshot: next, ...size }), theme);
    times.push(performance.now() - began);
  }
  return times;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs for about `seconds` plus the key presses. */
export async function benchScreens(seconds = 10, presses = 40): Promise<Figures> {
  const big = bigSnapshot(500, 20, 200);
  frameTimes(big, 20, { columns: 200, rows: 60 });
  const frames = frameTimes(big, 200, { columns: 200, rows: 60 });

  const idle = await withScreen(SITUATIONS.migrate(), { columns: 100, rows: 30 }, async (terminal, publish) => {
    await pause(1500);
    const before = terminal.bytes();
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      await pause(2000);
      publish(SITUATIONS.migrate());
    }
    return (terminal.bytes() - before) / seconds;
  });

  const keys = await withScreen(big, { columns: 200, rows: 60 }, async (terminal) => {
    await pause(1500);
    const times: number[] = [];
    // The first presses warm the compiler up.
    const warm = 10;
    for (let n = 0; n < presses + warm; n++) {
      await pause(150 + (n % 7) * 20);
      const before = terminal.bytes();
      const began = performance.now();
      terminal.type('?');
      while (terminal.bytes() === before && performance.now() - began < 2000) await pause(1);
      if (n >= warm) times.push(performance.now() - began);
    }
    return p95(times);
  });
  return { frameP95: p95(frames), keyP95: keys, idleBytes: idle };
}

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
  const result = await work(terminal, (next) => handle.show({ ...next, now: snapshot.now }));
  terminal.type('\u0003');
  await pause(50);
  terminal.type('\u0003');
  await shown;
  return result;
}
