/** The kubelets of the cluster: an agent for each scheduled pod, and the streams the API server asks for. */
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ExecSession, KubeObject, ObjectStore, PodRuntime } from '../contract.ts';
import { createEventRecorder } from '../controllers/events.ts';
import type { ServiceIndex } from '../controllers/service-index.ts';
import type { Machine } from './container.ts';
import { statusError } from './errors.ts';
import { runInPod } from './exec.ts';
import type { LogLine } from './logs.ts';
import { PodAgent } from './pod-agent.ts';
import type { PodContainer } from './pod-container.ts';

export interface KubeletOptions {
  store: ObjectStore;
  machine: Machine;
  index: ServiceIndex;
  /** Folder for the pods' files. */
  folder: string;
  report(error: unknown): void;
}

export class Kubelet implements PodRuntime {
  readonly #options: KubeletOptions;
  readonly #agents = new Map<string, PodAgent>();
  readonly #stop: () => void;
  readonly #ending = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: KubeletOptions) {
    this.#options = options;
    const { store } = options;
    this.#stop = store.watch(({ resource, type, object }) => {
      if (resource === 'pods') {
        // In a turn of its own: a pod's start writes to the store.
        setImmediate(() => this.#podChanged(type, object));
      } else if ((resource === 'secrets' || resource === 'configmaps') && type === 'MODIFIED') {
        for (const agent of this.#agents.values())
          if (agent.namespace === object.metadata.namespace && agent.uses(resource, object.metadata.name))
            agent.refreshVolumes();
      }
    });
  }

  agents(): PodAgent[] {
    return [...this.#agents.values()];
  }

  agent(namespace: string, name: string): PodAgent | undefined {
    return this.agents().find((agent) => agent.namespace === namespace && agent.name === name);
  }

  boundPort(pod: KubeObject, port: number): number {
    return this.#agents.get(pod.metadata.uid as string)?.port(port) ?? port;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    await Promise.allSettled(this.agents().map((agent) => agent.abandon()));
    this.#agents.clear();
  }

  #podChanged(type: string, object: KubeObject): void {
    if (this.#closed) return;
    const { store, machine, index, folder, report } = this.#options;
    const uid = object.metadata.uid as string;
    const agent = this.#agents.get(uid);
    if (type === 'DELETED') {
      this.#agents.delete(uid);
      if (agent) this.#track(agent.abandon());
      return;
    }
    const pod = store.get('pods', object.metadata.namespace, object.metadata.name);
    if (!pod || pod.metadata.uid !== uid) return;
    if (agent) {
      agent.update(pod);
      if (pod.metadata.deletionTimestamp) this.#track(agent.terminate());
      return;
    }
    if (!pod.spec?.nodeName || ['Succeeded', 'Failed'].includes(pod.status?.phase)) return;
    if (pod.metadata.deletionTimestamp) {
      store.finalise('pods', pod.metadata.namespace, pod.metadata.name, uid);
      return;
    }
    const created = new PodAgent(pod, {
      store,
      machine,
      events: createEventRecorder(store, 'kubelet', pod.spec.nodeName),
      folder,
      hostIP: machine.addresses.node,
      report,
      servicesIn: (namespace) => index.in(namespace),
    });
    this.#agents.set(uid, created);
    created.start();
  }

  #track(work: Promise<unknown>): void {
    const tracked = work.catch((error) => this.#options.report(error)).finally(() => this.#ending.delete(tracked));
    this.#ending.add(tracked);
  }

  // ---- PodRuntime

  #find(namespace: string, pod: string, container: string): { agent: PodAgent; container: PodContainer } {
    const agent = this.agent(namespace, pod);
    if (!agent) throw statusError(404, 'NotFound', `pods "${pod}" not found`, { name: pod, kind: 'pods' });
    const found = agent.container(container);
    if (!found) throw statusError(400, 'BadRequest', `container ${container} is not valid for pod ${pod}`);
    return { agent, container: found };
  }

  async *log(
    namespace: string,
    pod: string,
    name: string,
    options: { previous: boolean; follow: boolean; tailLines?: number; sinceTime?: Date; signal: AbortSignal },
  ): AsyncIterable<LogLine> {
    const { container } = this.#find(namespace, pod, name);
    const log = options.previous ? container.previous : container.log;
    if (!log) {
      const message = options.previous
        ? `previous terminated container "${name}" in pod "${pod}" not found`
        : `container "${name}" in pod "${pod}" is waiting to start: ${container.state.waiting?.reason ?? 'ContainerCreating'}`;
      throw statusError(400, 'BadRequest', message);
    }
    yield* log.read(options);
  }

  async exec(namespace: string, pod: string, name: string, command: string[], session: ExecSession): Promise<number> {
    const { agent, container } = this.#find(namespace, pod, name);
    if (!container.run) throw statusError(500, 'InternalError', `container not found ("${name}")`);
    return runInPod(agent.place(container), command, session);
  }

  dial(namespace: string, pod: string, port: number): Promise<Duplex> {
    const agent = this.agent(namespace, pod);
    if (!agent)
      return Promise.reject(statusError(404, 'NotFound', `pods "${pod}" not found`, { name: pod, kind: 'pods' }));
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host: agent.ip, port: agent.port(port), noDelay: true });
      const refused = (error: Error) =>
        reject(
          new Error(
            `failed to connect to localhost:${port} inside namespace "${agent.uid}", IPv4: dial tcp4 127.0.0.1:${port}: connect: ${(error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'connection refused' : error.message}`,
          ),
        );
      socket.once('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        resolve(socket);
      });
    });
  }
}
