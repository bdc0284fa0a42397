// What an open wizard costs, from one session on a rehearsal that several figures share.
import { loadJourneys } from '../build/journeys.mjs';

let session;

async function live({ root, quick }) {
  if (process.platform !== 'linux') throw new Error('needs /proc');
  session ??= loadJourneys(root, 'scripts/bench/live-session.ts').then(({ measureLive }) =>
    quick ? measureLive(4, true) : measureLive(300),
  );
  return session;
}

export async function refreshCpu(options) {
  const { refreshMs, pollMs } = await live(options);
  return {
    value: refreshMs / pollMs,
    beside: `${refreshMs.toFixed(0)} ms CPU a refresh: 2 poolers, the chart, who is connected; beside ${pollMs.toFixed(0)} ms of kubectl for one pooler`,
  };
}

export async function liveBytes(options) {
  const { bytesPerSecond, seconds } = await live(options);
  return { value: bytesPerSecond, beside: `a decision with live gates and pools, 100x30, ${seconds} s` };
}

export async function memoryPeak(options) {
  const { peakMb } = await live(options);
  return { value: peakMb, beside: 'largest resident set of the wizard with its screen' };
}

export async function memorySlope(options) {
  const { slopeMbPerHour, heapMb, seconds } = await live(options);
  return {
    value: slopeMbPerHour,
    beside: `the heap after a collection, ${heapMb.toFixed(1)} MB: least squares over ${seconds} s; short runs say little`,
  };
}
