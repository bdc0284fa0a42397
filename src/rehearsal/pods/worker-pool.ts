/** The worker threads of a cluster: one for the poolers' outgoing connections, the others for service pods. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { AddressPlan } from './addresses.ts';
import type { ContainerLog } from './logs.ts';
import type { Route } from './routes.ts';
import type { FromWorker, LoadCounts, ServiceSpec, ToWorker } from './worker-messages.ts';

const PODS_PER_WORKER = 80;
const MOST_WORKERS = 4;

interface Running {
  worker: Worker;
  service: string;
  log: ContainerLog;
  started: () => void;
  exited: (exitCode: number) => void;
}

export interface WorkerPool {
  setRoute(route: Route): void;
  deleteRoute(namespace: string, name: string): void;
  startService(
    spec: ServiceSpec,
    log: ContainerLog,
  ): Promise<{ exited: Promise<{ exitCode: number }>; terminate(): void; kill(): void }>;
  openEgress(
    owner: string,
    way: { namespace: string; host: string; port: number; source: string },
  ): Promise<{ host: string; port: number }>;
  closeEgress(owner: string): void;
  close(): Promise<void>;
}

/** `folder` is where the worker's program is put when this code runs from source (tests). `load` gets every pod's counts as they come. */
export async function createWorkerPool(options: {
  folder: string;
  expectedPods: number;
  addresses: AddressPlan;
  load(service: string, counts: LoadCounts): void;
  report(error: Error): void;
}): Promise<WorkerPool> {
  const program = await workerProgram(options.folder);
  const running = new Map<string, Running>();
  const waysOut = new Map<number, { resolve(way: { host: string; port: number }): void; reject(error: Error): void }>();
  const egressCount = new Map<string, number>();
  let serial = 0;
  let closing = false;

  const start = (): Worker => {
    const worker = new Worker(program, { stdout: false, stderr: false });
    worker.on('message', (message: FromWorker) => receive(message));
    worker.on('error', (error) => options.report(error));
    worker.on('exit', () => {
      if (closing) return;
      for (const [id, pod] of running) {
        if (pod.worker !== worker) continue;
        running.delete(id);
        pod.exited(139);
      }
    });
    worker.unref();
    return worker;
  };
  const egress = start();
  const services = Array.from(
    { length: Math.max(1, Math.min(MOST_WORKERS, Math.ceil(options.expectedPods / PODS_PER_WORKER))) },
    start,
  );
  const say = (worker: Worker, message: ToWorker) => worker.postMessage(message);

  function receive(message: FromWorker): void {
    switch (message.type) {
      case 'log':
        running.get(message.id)?.log.line(message.line);
        return;
      case 'started':
        running.get(message.id)?.started();
        return;
      case 'exit': {
        const pod = running.get(message.id);
        running.delete(message.id);
        pod?.started();
        pod?.exited(message.exitCode);
        return;
      }
      case 'load':
        options.load(running.get(message.id)?.service ?? '', message.counts);
        return;
      case 'egress':
        waysOut.get(message.id)?.resolve(message);
        waysOut.delete(message.id);
        return;
      case 'egress-failed':
        waysOut.get(message.id)?.reject(new Error(message.message));
        waysOut.delete(message.id);
        return;
    }
  }

  return {
    setRoute: (route) => {
      for (const worker of [egress, ...services]) say(worker, { type: 'route', route });
    },
    deleteRoute: (namespace, name) => {
      for (const worker of [egress, ...services]) say(worker, { type: 'unroute', namespace, name });
    },
    async startService(spec, log) {
      const worker = services[serial++ % services.length] as Worker;
      let exited: (value: { exitCode: number }) => void = () => {};
      const end = new Promise<{ exitCode: number }>((resolve) => {
        exited = resolve;
      });
      await new Promise<void>((resolve) => {
        running.set(spec.id, {
          worker,
          service: spec.service,
          log,
          started: resolve,
          exited: (exitCode) => exited({ exitCode }),
        });
        say(worker, { type: 'start', spec });
      });
      return {
        exited: end,
        terminate: () => say(worker, { type: 'terminate', id: spec.id }),
        kill: () => say(worker, { type: 'kill', id: spec.id }),
      };
    },
    openEgress(owner, way) {
      const id = serial++;
      const index = egressCount.get(owner) ?? 0;
      egressCount.set(owner, index + 1);
      const { addresses } = options;
      const request = {
        ...way,
        bind: addresses.distinct,
        listen: addresses.egress(way.source, index),
        listenPort: addresses.distinct ? way.port : 0,
      };
      return new Promise((resolve, reject) => {
        waysOut.set(id, { resolve: ({ host, port }) => resolve({ host, port }), reject });
        say(egress, { type: 'egress', id, owner, request });
      });
    },
    closeEgress(owner) {
      egressCount.delete(owner);
      say(egress, { type: 'close-egress', owner });
    },
    async close() {
      closing = true;
      await Promise.all([egress, ...services].map(end));
    },
  };
}

/** How long a thread has to close its sockets by itself, and then to be torn down. */
const END_MS = 2000;

/**
 * Ends a thread. Tearing one down around open sockets can make Node 20 spin in its clean-up for ever, and `process.exit`
 * then waits for it for ever: so it is asked first. Should it happen all the same, the process ends by a signal.
 */
async function end(worker: Worker): Promise<void> {
  const gone = once(worker, 'exit').then(() => true);
  const within = (work: Promise<unknown>) =>
    Promise.race([
      work.then(() => true),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), END_MS).unref()),
    ]);
  worker.ref();
  worker.postMessage({ type: 'end' } satisfies ToWorker);
  if (await within(gone)) return;
  if (await within(worker.terminate())) return;
  process.once('exit', () => process.kill(process.pid, 'SIGKILL'));
}

/** The bundled worker beside this code; run from source it is bundled first, because Node 20 starts no TypeScript. */
async function workerProgram(folder: string): Promise<string | URL> {
  for (const place of ['./service-worker.js', '../service-worker.js']) {
    const url = new URL(place, import.meta.url);
    if (existsSync(url)) return url;
  }
  const source = fileURLToPath(new URL('./service-worker.ts', import.meta.url));
  const bundler = 'esbuild';
  const { build } = (await import(/* @vite-ignore */ bundler)) as typeof import('esbuild');
  const outfile = join(folder, 'service-worker.mjs');
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['pg-native', 'pg-cloudflare'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
  return outfile;
}
