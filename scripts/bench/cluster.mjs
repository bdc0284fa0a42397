// Figures against a cluster: the rehearsal's, served by the built program in a process of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { product } from './inside.mjs';
import { median, quantile } from './stats.mjs';

const TARGET = { service: 'postgres', port: 5432 };
const NAMESPACE = 'nova';

/** Serves a cluster, hands its client to `body`, ends it. */
async function withCluster(root, services, body) {
  const home = mkdtempSync(join(tmpdir(), 'pgb-bench-cluster-'));
  const child = spawn(
    process.execPath,
    [join(root, 'bin', 'pgb-wizard.js'), 'rehearse', '--serve', '--no-input', '--services', String(services)],
    { env: { ...process.env, HOME: home, PGB_WIZARD_HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const ended = new Promise((resolve) => child.on('close', resolve));
  let kube;
  try {
    const kubeconfig = await new Promise((resolve, reject) => {
      let out = '';
      let said = '';
      child.stderr.on('data', (data) => {
        said += data;
      });
      child.stdout.on('data', (data) => {
        out += data;
        const found = /KUBECONFIG=(.+)\n/.exec(out)?.[1];
        if (found) resolve(found);
      });
      child.on('close', (code) => reject(new Error(`the cluster ended with ${code}: ${said.slice(-300)}`)));
    });
    const own = await product(root);
    const rate = { perSecond: 10_000, burst: 10_000 };
    const connected = await own.connectKube({ kubeconfig, namespace: NAMESPACE, clock: own.realClock(), rate });
    if (!connected.ok) throw new Error(connected.error.message);
    kube = connected.value;
    return await body(kube, own);
  } finally {
    kube?.close();
    child.kill('SIGTERM');
    await ended;
    rmSync(home, { recursive: true, force: true });
  }
}

const value = (result) => {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
};

let switches;

/** Each service of a small fleet there and back; what it cost in requests, and how late the verdict was. */
function measureSwitches(root) {
  switches ??= withCluster(root, 4, async (kube, own) => {
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
    const requests = [];
    const late = [];
    let runs = 0;
    const move = async (workload, counted) => {
      const before = kube.requestCounts();
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
      if (!counted) return;
      const after = kube.requestCounts();
      requests.push(after.total - after.watches - (before.total - before.watches));
      const last = Math.max(...verdict.newPods.map((pod) => readyAt.get(pod.uid) ?? Number.NaN));
      if (Number.isFinite(last)) late.push(availableAt - last);
    };
    // The first one opens the shared watches, which a run opens once.
    const [first, ...others] = found.workloads;
    await move(first, false);
    for (const workload of others) await move(workload, true);
    stop.abort();
    return { requests, late };
  });
  return switches;
}

/** Requests for one service beside watches: plan with dry run, new object, patch, rollout. */
export async function callsPerService({ root }) {
  const { requests } = await measureSwitches(root);
  return { value: Math.max(...requests), beside: `${requests.join(', ')} requests for ${requests.length} services` };
}

/** From the moment a watch of its own shows the last new pod Ready to the verdict. */
export async function rolloutVerdict({ root }) {
  const { late } = await measureSwitches(root);
  if (late.length === 0) throw new Error('no pod was seen to turn Ready');
  return {
    value: Math.max(0, quantile(late, 0.95)),
    beside: `median ${median(late).toFixed(0)} ms of ${late.length}; the Deployment's own status comes after the pod's`,
  };
}

/** Discovery of 1,000 Deployments against one paged LIST of the same objects. */
export async function discovery({ root, quick }) {
  return withCluster(root, 1, async (kube, own) => {
    const count = quick ? 200 : 1000;
    const env = [{ name: 'DATABASE_URL', value: 'postgresql://nova_user:x@postgres:5432/nova' }];
    let next = 0;
    const create = async () => {
      while (next < count) {
        const name = `bench-${next++}`;
        const labels = { app: name };
        const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'shop/app:1', env }] } };
        const spec = { replicas: 0, selector: { matchLabels: labels }, template };
        const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: NAMESPACE }, spec };
        value(await kube.create(own.ref('Deployment', NAMESPACE, name), object));
      }
    };
    await Promise.all(Array.from({ length: 8 }, create));
    const time = async (work) => {
      const began = performance.now();
      value(await work());
      return performance.now() - began;
    };
    const lists = [];
    const finds = [];
    for (let round = 0; round < (quick ? 3 : 5); round++) {
      lists.push(await time(() => kube.list(own.listOf('Deployment', NAMESPACE))));
      finds.push(await time(() => own.discoverConsumers(kube, { namespace: NAMESPACE, target: TARGET })));
    }
    const megabytes = Math.round(process.memoryUsage().rss / 1024 / 1024);
    return {
      value: median(finds) / median(lists),
      beside: `${median(finds).toFixed(0)} ms beside ${median(lists).toFixed(0)} ms for ${count} Deployments; ${megabytes} MB in this process`,
    };
  });
}
