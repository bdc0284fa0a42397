/**
 * The rehearsal cluster: API server, controllers, real servers, services with live load, in this process. `startCluster`
 * resolves when every pod of the fleet is Ready; `close` leaves no process, no listener and no file behind.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type ApiServer, startApiServer } from './api/server.ts';
import { createStore, type RehearsalStore } from './api/store.ts';
import type { Json, ObjectStore } from './contract.ts';
import { isReady } from './controllers/pod-sets.ts';
import { startControllers } from './controllers/start.ts';
import { createAdversaries } from './faults/adversaries.ts';
import { type FaultSpec, faultTable, parseFault } from './faults/kinds.ts';
import { LoadBook, type LoadReport } from './fleet/load-report.ts';
import { clusterObjects, NAMESPACE, postgresObjects, serviceObjects } from './fleet/objects.ts';
import { fleetOf, type ServicePlan } from './fleet/services.ts';
import type { Kubelet } from './pods/kubelet.ts';
import { createRunFolder } from './pods/run-folder.ts';
import { type RunningMachine, startMachine } from './pods/start.ts';
import { findServers } from './servers/find.ts';

export type { LoadReport } from './fleet/load-report.ts';

export interface ClusterOptions {
  /** Services in the fleet: the guide's 16 unless given; more are generated. */
  services?: number;
  seed?: number;
  /** `KIND[:SERVICE]`, see faults/kinds.ts. */
  faults?: readonly string[];
  /** Password of the database role `nova_user`; random unless given. */
  password?: string;
  /** Port of the API server; a free one unless given. */
  port?: number;
  /** Folder for the kubeconfig; a temporary one, removed at the end, unless given. */
  dir?: string;
  log?: (line: string) => void;
  /** Milliseconds that a pod takes to come up beside what its program needs; a real cluster takes longer. */
  pace?: number;
  /** Resolve before the fleet is Ready. */
  noWait?: boolean;
  signal?: AbortSignal;
}

export interface Cluster {
  kubeconfigPath: string;
  url: string;
  store: ObjectStore;
  /** Request counts, and faults of the API itself. */
  api: ApiServer;
  kubelet: Kubelet;
  services: readonly ServicePlan[];
  report(): LoadReport;
  /** Waits until every Deployment and the database are ready. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** An expected failure of the start: servers missing, a bad fault, a port in use. `next` says what to do. */
export class ClusterError extends Error {
  readonly code: 'prerequisite-missing' | 'usage' | 'port-in-use';
  readonly next: readonly string[];
  constructor(code: ClusterError['code'], message: string, next: readonly string[] = []) {
    super(message);
    this.name = 'ClusterError';
    this.code = code;
    this.next = next;
  }
}

/** Enough to see a rolling update happen, little enough to rehearse sixteen of them in half a minute. */
const PACE_MS = 400;

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const log = options.log ?? (() => {});
  const begun = performance.now();
  const lap = (what: string) => log(`rehearsal: ${what} after ${((performance.now() - begun) / 1000).toFixed(2)} s`);
  const services = fleetOf(options.services);
  const names = services.map((service) => service.name);
  const faults = readFaults(options.faults ?? [], names);
  const servers = findServers();
  if (!servers.ok) throw new ClusterError('prerequisite-missing', servers.message, servers.next);

  const undo: (() => void | Promise<void>)[] = [];
  let machine: RunningMachine | undefined;
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      for (const step of undo.reverse()) await step();
    })();
    return closing;
  };
  try {
    const folder = createRunFolder(options.dir);
    undo.push(() => folder.remove());
    // Whatever ends the process: no file and no server stays.
    const lastResort = () => {
      machine?.machine.launcher.killAll();
      folder.remove();
    };
    process.on('exit', lastResort);
    undo.push(() => void process.off('exit', lastResort));
    const store = createStore({ namespaces: [NAMESPACE] });
    const book = new LoadBook();
    const table = faultTable(faults, names);
    const report = (key: string, error: unknown) =>
      log(`rehearsal: ${key}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    const pods = services.reduce((sum, service) => sum + service.replicas, 0);
    machine = await startMachine({
      store,
      servers: servers.value,
      folder: folder.pods,
      expectedPods: pods,
      // Every pod twice during a rolling update, the poolers, and room for the operator.
      maxConnections: services.length <= 16 ? 200 : 200 + services.length * 2,
      pace: options.pace ?? (services.length <= 16 ? PACE_MS : PACE_MS / 4),
      faultOf: (service) => table.get(service),
      load: (service, counts) => book.add(service, counts),
      report,
    });
    undo.push(() => machine?.close());
    lap('machine');

    const api = await startApi(options, store, machine.kubelet, folder.path);
    undo.push(() => api.close());
    lap(`API server on ${api.url}`);

    const stopControllers = startControllers(store, machine.index, report);
    undo.push(stopControllers);
    create(store, clusterObjects(machine.address));
    const password =
      options.password ??
      (options.seed === undefined
        ? randomBytes(15)
        : createHash('sha256').update(`nova_user ${options.seed}`).digest().subarray(0, 15)
      ).toString('base64url');
    create(store, postgresObjects(password));
    // The database first: a fleet that starts before it would fill its logs with refused connections.
    await podReady(store, 'postgres', options.signal);
    lap('PostgreSQL');
    for (const service of services) create(store, serviceObjects(service, password));
    lap('objects');

    const counts = (service: string) => {
      const own = store.list('pods', NAMESPACE, { app: service });
      return { pods: own.length, ready: own.filter(isReady).length };
    };
    const cluster: Cluster = {
      kubeconfigPath: api.kubeconfigPath as string,
      api,
      url: api.url,
      store,
      kubelet: machine.kubelet,
      services,
      report: () => book.report(counts, names),
      ready: () => fleetReady(store, names, options.signal),
      close,
    };
    api.extend('/rehearsal/v1/load', () => cluster.report());
    api.extend('/rehearsal/v1/requests', () => ({ counts: api.requestBook(), newest: api.requestNotes() }));
    const adversaries = createAdversaries({
      store,
      kubelet: machine.kubelet,
      namespace: NAMESPACE,
      serviceFaults: table,
    });
    undo.push(() => adversaries.close());
    api.extend('/rehearsal/v1/faults', ({ path, body }) => adversaries.handle(path.split('/').at(-1) ?? '', body));
    if (!options.noWait) {
      await cluster.ready();
      lap(`${pods + 1} pods ready`);
    }
    return cluster;
  } catch (error) {
    await close();
    throw error;
  }
}

async function startApi(options: ClusterOptions, store: RehearsalStore, runtime: Kubelet, dir: string) {
  try {
    // A wizard that is pointed here by a kubeconfig sees by the version that nothing is at stake.
    const personality = { build: 'rehearsal' };
    return await startApiServer({ store, runtime, port: options.port, dir, personality });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new ClusterError('port-in-use', `Port ${options.port} is in use.`, [
      'Choose another with --port, or leave it out for a free one.',
    ]);
  }
}

function readFaults(texts: readonly string[], services: readonly string[]): FaultSpec[] {
  return texts.map((text) => {
    const parsed = parseFault(text, services);
    if (!parsed.ok) throw new ClusterError('usage', parsed.message);
    return parsed.value;
  });
}

function create(store: ObjectStore, objects: readonly { resource: string; object: Json }[]): void {
  for (const { resource, object } of objects) {
    if (store.get(resource, object.metadata.namespace, object.metadata.name)) continue;
    const created = store.create(resource, object, { manager: 'kubectl-create' });
    if (object.status) store.updateStatus(resource, { ...created, status: object.status }, { manager: 'kubelet' });
  }
}

/** Resolves when every Deployment of the fleet has its replicas ready; rejects when the signal aborts. */
function fleetReady(store: ObjectStore, names: readonly string[], signal?: AbortSignal): Promise<void> {
  const settled = (deployment: Json) =>
    (deployment.status?.readyReplicas ?? 0) >= deployment.spec.replicas &&
    deployment.status?.observedGeneration >= deployment.metadata.generation;
  return allSettled(store, 'deployments.apps', names, settled, signal);
}

function podReady(store: ObjectStore, name: string, signal?: AbortSignal): Promise<void> {
  return allSettled(store, 'pods', [name], isReady, signal);
}

function allSettled(
  store: ObjectStore,
  resource: string,
  names: readonly string[],
  settled: (object: Json) => boolean,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = new Set(names);
  return new Promise((resolve, reject) => {
    const look = (object: Json) => {
      if (object.metadata.namespace === NAMESPACE && settled(object)) waiting.delete(object.metadata.name);
      if (waiting.size > 0) return;
      stop();
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    const stop = store.watch((event) => {
      if (event.resource === resource) look(event.object);
    });
    const abort = () => {
      stop();
      reject(signal?.reason ?? new Error('aborted'));
    };
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort, { once: true });
    for (const object of store.list(resource, NAMESPACE)) look(object);
    return undefined;
  });
}
