/**
 * `npm run test:soak`: the built wizard with its screen, held in a soak of `--hours` (4) of the cluster's time that passes in
 * `--minutes` (8), with live gates and pools, while connections are cut and poolers crash now and then. After the warm-up
 * its heap must stay flat, and nothing that keeps a process alive may become more.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { runIds } from '../../src/engine/run/paths.ts';
import { startCluster } from '../journeys/cluster.ts';
import { approveUntil } from '../journeys/operator.ts';
import { newHome, Terminal } from '../journeys/terminal.ts';

interface Probe {
  readonly at: number;
  /** Bytes, after a collection. */
  readonly heap: number;
  readonly rss: number;
  readonly files: number;
  readonly resources: Readonly<Record<string, number>>;
}

const LIMIT_MB = 5;
/** What may be open more at the end than after the warm-up: a request that happens to be under way. */
const ROOM = 2;
const EVERY_MS = 5000;
/** Part of the soak that fills caches and histories. */
const WARM_UP = 0.25;
const MB = 1024 * 1024;

const { values } = parseArgs({ options: { hours: { type: 'string' }, minutes: { type: 'string' } } });
const hours = Number(values.hours ?? 4);
const minutes = Number(values.minutes ?? 8);
const scale = Math.max(1, Math.round((hours * 60) / minutes));

const home = newHome();
const cluster = await startCluster(home.path);
const probes = join(home.path, 'probes.jsonl');
const read = (): Probe[] =>
  existsSync(probes)
    ? readFileSync(probes, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
    : [];
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
let terminal: Terminal | undefined;
try {
  terminal = new Terminal(
    ['run', '--kubeconfig', cluster.kubeconfig, '--time-scale', `${scale}`, '--plan', await soakPlan()],
    {
      home: home.path,
      env: {
        NODE_OPTIONS: `--import=${pathToFileURL(resolve('test/soak/probe.mjs'))}`,
        SOAK_PROBE: probes,
      },
    },
  );
  const { pid } = terminal.pty;
  await approveUntil(terminal, /left of \d+ h|left of 4 h/, 600_000, { phases: true });
  console.log(`the soak of ${hours} h began, at ${scale} seconds a second; a measurement every ${EVERY_MS / 1000} s`);
  const began = performance.now();
  const whole = minutes * 60_000;
  // A disturbance in each tenth but the first and the last two, so that what it opened can be seen closed again.
  const trouble = [
    () => disturb('restart'),
    () => crashPooler(),
    () => disturb('compact'),
    () => disturb('restart'),
    () => crashPooler(),
    () => disturb('restart'),
    () => disturb('compact'),
  ];
  let troubles = 0;
  while (performance.now() - began < whole) {
    if (terminal.ended) throw new Error(`the wizard ended in the soak:\n${terminal.everything()}`);
    process.kill(pid, 'SIGUSR2');
    await pause(EVERY_MS);
    const passed = (performance.now() - began) / whole;
    if (troubles < trouble.length && passed > (troubles + 1) / 10) {
      await trouble[troubles]!();
      troubles += 1;
    }
  }
  const measured = read();
  const [journal] = journals();
  await terminal.keys('q');
  await terminal.see('Leave the wizard?');
  await terminal.keys('enter');
  const { exitCode } = await terminal.over();
  const verdicts = judge(measured);
  console.log(`${measured.length} measurements, ${troubles} disturbances, journal ${journal}`);
  // Ten points of it, to see whether it still grows.
  const tenth = Math.max(1, Math.floor(measured.length / 10));
  const points = measured.filter((_, index) => index % tenth === 0).map((one) => (one.heap / MB).toFixed(1));
  console.log(`heap over time, MB: ${points.join(' ')}`);
  for (const { text } of verdicts) console.log(text);
  const good = verdicts.every((one) => one.good) && exitCode === 3;
  console.log(`soak of ${hours} h in ${minutes} min: ${good ? 'flat' : 'NOT FLAT'}, left with ${exitCode}`);
  process.exitCode = good ? 0 : 1;
} finally {
  terminal?.kill('SIGKILL');
  await cluster.stop();
  home.remove();
}

function journals(): string[] {
  const ids = runIds(join(home.path, 'state'));
  return ids.ok
    ? ids.value.map((id) => {
        const path = join(home.path, 'state', 'runs', id, 'events.jsonl');
        return `${(statSync(path).size / MB).toFixed(2)} MB, ${readFileSync(path, 'utf8').split('\n').length - 1} events`;
      })
    : [];
}

/** The guide's plan with a soak as long as asked for; a busy machine must not end it by a slow answer. */
async function soakPlan(): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['bin/pgb-wizard.js', 'plan', '-o', 'json']);
  const path = join(home.path, 'plan.json');
  const { plan } = JSON.parse(stdout);
  const [pilot, ...others] = plan.phases;
  const phases = [{ ...pilot, soak: `${hours}h` }, ...others];
  const gates = { ...plan.gates, responseTimeWithin: 1000 };
  writeFileSync(path, JSON.stringify({ ...plan, phases, gates, observe: { every: '30s', for: '30s' } }));
  return path;
}

async function disturb(what: 'restart' | 'compact'): Promise<void> {
  await cluster.raw('/rehearsal/v1/faults', { do: what });
}

async function crashPooler(): Promise<void> {
  const { items } = await cluster.json<{ items: { metadata: { name: string } }[] }>('get', 'pods', '-o', 'json');
  const pooler = items.find(({ metadata }) => metadata.name.startsWith('pgbouncer-'));
  if (pooler) await cluster.kubectl('delete', 'pod', pooler.metadata.name, '--wait=false');
}

interface Verdict {
  readonly good: boolean;
  readonly text: string;
}

function judge(all: readonly Probe[]): Verdict[] {
  const kept = all.slice(Math.floor(all.length * WARM_UP));
  const third = Math.max(1, Math.floor(kept.length / 3));
  const [first, last] = [kept.slice(0, third), kept.slice(-third)];
  const middle = (numbers: readonly number[]) =>
    [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
  const grown = (of: (probe: Probe) => number) => middle(last.map(of)) - middle(first.map(of));
  const line = (good: boolean, text: string): Verdict => ({ good, text: `${good ? 'ok  ' : 'FAIL'}  ${text}` });
  const heap = grown((one) => one.heap) / MB;
  const resident = grown((one) => one.rss) / MB;
  const now = middle(last.map((one) => one.heap)) / MB;
  const kinds = [...new Set(kept.flatMap((one) => Object.keys(one.resources)))].sort();
  return [
    line(
      heap < LIMIT_MB && kept.length >= 6,
      `heap ${now.toFixed(1)} MB, grown by ${heap.toFixed(2)} MB after the warm-up (limit ${LIMIT_MB} MB)`,
    ),
    line(true, `resident memory grown by ${resident.toFixed(1)} MB (no limit: the collector decides)`),
    ...kinds.map((kind) => {
      const of = (one: Probe) => one.resources[kind] ?? 0;
      const more = grown(of);
      return line(
        more <= ROOM,
        `${kind}: ${middle(first.map(of))} after the warm-up, ${middle(last.map(of))} at the end`,
      );
    }),
    line(grown((one) => one.files) <= ROOM, `open files: grown by ${grown((one) => one.files)}`),
  ];
}
