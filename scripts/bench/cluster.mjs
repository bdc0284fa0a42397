// Figures against an API server of the rehearsal.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { product, productFile } from './inside.mjs';
import { median } from './stats.mjs';

const TARGET = { service: 'postgres', port: 5432 };
const NAMESPACE = 'nova';
const MOST_MEGABYTES = 300;
const COLD_ROUNDS = 10;

/** Hands a client of that cluster to `body`. */
async function connected(root, kubeconfig, body) {
  const own = await product(root);
  const rate = { perSecond: 10_000, burst: 10_000 };
  const kube = value(await own.connectKube({ kubeconfig, namespace: NAMESPACE, clock: own.realClock(), rate }));
  try {
    return await body(kube, own);
  } finally {
    kube.close();
  }
}

const value = (result) => {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
};

/**
 * Moves some services of that cluster to another name of the same PostgreSQL; ms from the moment a watch of its own shows the
 * last new pod Ready to the verdict, for each but the first, which opens the shared watches.
 */
export function verdictTimes(root, kubeconfig, count) {
  return connected(root, kubeconfig, async (kube, own) => {
    const found = value(await own.discoverConsumers(kube, { namespace: NAMESPACE, target: TARGET }));
    const stop = new AbortController();
    const readyAt = new Map();
    kube.watch(own.listOf('Pod', NAMESPACE), {
      signal: stop.signal,
      onEvent({ object }) {
        const ready = object?.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True');
        if (ready && !readyAt.has(object.metadata.uid)) readyAt.set(object.metadata.uid, performance.now());
      },
    });
    const late = [];
    let runs = 0;
    const move = async (workload, counted) => {
      const to = { host: 'postgres.nova', port: 5432 };
      const change = value(await own.planSwitch(kube, workload, { to, runId: `bench${++runs}` }));
      value(await own.createObjects(kube, change));
      value(await own.sendChange(kube, change, 'forward'));
      let availableAt;
      const verdict = await own.followRollout(kube, workload.ref, {
        uid: workload.uid,
        match: own.changeMatch(change, 'forward'),
        limitMs: 60_000,
        until: 'drained',
        clock: own.realClock(),
        signal: stop.signal,
        onAvailable: () => {
          availableAt = performance.now();
        },
      });
      if (verdict.outcome !== 'drained') throw new Error(verdict.message);
      const last = Math.max(...verdict.newPods.map((pod) => readyAt.get(pod.uid) ?? Number.NaN));
      if (counted && Number.isFinite(last)) late.push(availableAt - last);
    };
    const [first, ...others] = found.workloads.slice(0, count);
    await move(first, false);
    for (const workload of others) await move(workload, true);
    stop.abort();
    return late;
  });
}

/** A script of this folder as a process of its own; its first message. */
async function first(child, what) {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('close', (code) => reject(new Error(`${what} ended with ${code}`)));
  });
}

const beside = (script, args) =>
  fork(fileURLToPath(new URL(script, import.meta.url)), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });

/** Discovery of 1,000 Deployments, each with an address and a password of its own, against one paged LIST of the same objects. */
export async function discovery({ root, quick }) {
  const count = 1000;
  const dir = mkdtempSync(join(tmpdir(), 'pgb-bench-many-'));
  const bundle = await productFile(root);
  const server = beside('many-workloads.mjs', [bundle, dir, String(count)]);
  try {
    const kubeconfig = await first(server, 'the API server');
    const once = await first(beside('discover-once.mjs', [bundle, kubeconfig]), 'one discovery');
    if (once.megabytes > MOST_MEGABYTES)
      throw new Error(`it took ${once.megabytes.toFixed(0)} MB, more than ${MOST_MEGABYTES}`);
    return await connected(root, kubeconfig, async (kube, own) => {
      const time = async (work) => {
        const began = performance.now();
        value(await work());
        return performance.now() - began;
      };
      const lists = [];
      const finds = [];
      for (let round = 0; round < (quick ? 18 : 40); round++) {
        const list = await time(() => kube.list(own.listOf('Deployment', NAMESPACE)));
        const find = await time(() => own.discoverConsumers(kube, { namespace: NAMESPACE, target: TARGET }));
        // The first rounds are those of a cold compiler.
        if (round < COLD_ROUNDS) continue;
        lists.push(list);
        finds.push(find);
      }
      const cold = `the first one of a process ${once.discoverMs.toFixed(0)} beside ${once.listMs.toFixed(0)} ms`;
      return {
        value: median(finds) / median(lists),
        beside: `${median(finds).toFixed(0)} ms beside ${median(lists).toFixed(0)} ms for ${count} Deployments; ${cold}; ${once.megabytes.toFixed(0)} MB at most in that process, limit ${MOST_MEGABYTES}`,
      };
    });
  } finally {
    server.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}
