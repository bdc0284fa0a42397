// Figures from inside of a process: the sources are bundled into a temporary file, as the product bundles them.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { inkByRows, withoutDevtools } from '../build/plugins.mjs';
import { median, quantile } from './stats.mjs';

let bundled;
let loaded;

/** The product's own functions. Bundled once a process. */
export async function product(root) {
  loaded ??= productFile(root).then((file) => import(pathToFileURL(file).href));
  return loaded;
}

/** The bundle, for a process beside this one. */
export async function productFile(root) {
  bundled ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pgb-bench-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    const outfile = join(folder, 'product.mjs');
    const contents = `
      export { benchFrames, benchScreens } from './src/screens/testing/bench.ts';
      export { openJournal } from './src/engine/run/journal.ts';
      export { realClock } from './src/engine/run/clock.ts';
      export { connectKube } from './src/engine/kube/connect.ts';
      export { discoverConsumers } from './src/engine/kube/discover.ts';
      export { listOf, ref } from './src/engine/kube/refs.ts';
      export { followRollout } from './src/engine/kube/rollout.ts';
      export { createObjects } from './src/engine/kube/new-objects.ts';
      export { changeMatch, planSwitch, sendChange } from './src/engine/kube/switch.ts';
      export { startApiServer } from './src/rehearsal/api/server.ts';
      export { createStore } from './src/rehearsal/api/store.ts';
    `;
    await build({
      stdin: { contents, resolveDir: root, loader: 'ts' },
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      jsx: 'automatic',
      minify: true,
      external: ['pg-native'],
      define: { 'process.env.NODE_ENV': '"production"' },
      plugins: [withoutDevtools, inkByRows],
      banner: { js: "import{createRequire as cr}from'node:module';const require=cr(import.meta.url);" },
      logLevel: 'error',
    });
    return outfile;
  })();
  return bundled;
}

/** The dashboard of 500 services, 20 pooler pods and 200 pools, drawn from changed pools each time. */
export async function frameTimes({ root, quick }) {
  const { benchFrames } = await product(root);
  const times = benchFrames(quick ? 50 : 300);
  const late = times.slice(Math.floor(times.length / 10));
  return {
    value: quantile(late, 0.95),
    beside: `median ${median(late).toFixed(1)} ms, 500 services, 20 poolers, 200 pools, 200x60`,
  };
}

let screens;

/** A mounted screen on a terminal that counts: both figures from one session. */
async function mounted({ root, quick }) {
  const { benchScreens } = await product(root);
  screens ??= benchScreens(quick ? 2 : 20, quick ? 6 : 200);
  return screens;
}

/** From a key to the bytes of the frame that answers it, through Ink, with 500 services and 200 pools. */
export async function keyTimes(options) {
  const { keyP95, keyCpuP95 } = await mounted(options);
  const what = 'four screens there and back, 500 services, 20 poolers, 200 pools, 200x60';
  return { value: keyP95, beside: `${keyCpuP95.toFixed(1)} ms of CPU; ${what}` };
}

/** What an unchanged dashboard writes while its clock runs and its pools are sampled every 2 s. */
export async function idleBytes(options) {
  const { idleBytes: value } = await mounted(options);
  return { value, beside: 'an unchanged dashboard, 100x30' };
}

/** One durable event, beside the bare write and fsync of as many bytes on the same disk. */
export async function journalAppend({ root, quick }) {
  const { openJournal, realClock } = await product(root);
  const folder = mkdtempSync(join(tmpdir(), 'pgb-bench-journal-'));
  try {
    const journal = await openJournal({ dir: join(folder, 'run'), runId: 'bench', clock: realClock(), create: true });
    if (!journal.ok) throw new Error(journal.error.message);
    const first = journal.value.append(startedEvent);
    if (!first.ok) throw new Error(first.error.message);
    const bytes = Buffer.alloc(Buffer.byteLength(JSON.stringify(first.value)) / 2, 120);
    const raw = openSync(join(folder, 'raw'), 'a');
    const times = { journal: [], raw: [] };
    for (let i = 0; i < (quick ? 50 : 300); i++) {
      const event = { type: 'step.evidence', id: 'p1.secret', evidence: evidence(i) };
      let began = performance.now();
      const written = journal.value.append(event);
      times.journal.push(performance.now() - began);
      if (!written.ok) throw new Error(written.error.message);
      began = performance.now();
      writeSync(raw, bytes);
      fsyncSync(raw);
      times.raw.push(performance.now() - began);
    }
    closeSync(raw);
    journal.value.close();
    return { value: median(times.journal), beside: `bare write and fsync ${median(times.raw).toFixed(2)} ms` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const evidence = (i) => ({
  check: 'rollout',
  verdict: 'pass',
  observed: `${i} of 300 updated`,
  at: new Date(0).toISOString(),
});

const startedEvent = {
  type: 'run.started',
  runId: 'bench',
  operator: 'bench@bench',
  host: 'bench',
  pid: process.pid,
  toolVersion: '0',
  planName: 'nova',
  planHash: '0',
  plan: {},
  cluster: { context: 'bench', namespace: 'nova', uid: '0', version: 'v1.36.0' },
  rehearsal: true,
  timeScale: 1,
  steps: [],
  services: [],
};
