/**
 * The kubelet's care for one pod: sandbox, volumes, init containers, containers, probes, restarts, and the end. The
 * order of status writes and events is that of recordings 02, 03 and 06.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { type EventRecorder, now } from '../controllers/events.ts';
import { freePort } from './addresses.ts';
import type { ContainerContext, Machine } from './container.ts';
import { StartError } from './container.ts';
import { graceOf, stopContainer, stopRun } from './container-end.ts';
import { startProbes } from './container-probes.ts';
import { effectiveEnvironment, environmentSources } from './environment.ts';
import { pullImage } from './image-pull.ts';
import { STARTERS } from './images.ts';
import { PodContainer } from './pod-container.ts';
import { PodTimers } from './pod-timers.ts';
import { mentions, PodVolumes } from './pod-volumes.ts';
import type { PodPlace } from './programs.ts';
import { podStatus } from './status.ts';
import { crashLoop, notLocated } from './waiting-states.ts';

export interface AgentOptions {
  store: ObjectStore;
  machine: Machine;
  events: EventRecorder;
  folder: string;
  hostIP: string;
  report(error: unknown): void;
  servicesIn(namespace: string): readonly KubeObject[];
}

/** A container that can't be created is tried again this often; the kubelet takes longer, a rehearsal should not. */
const RETRY_MS = 2_000;

export class PodAgent {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  readonly containers: PodContainer[];
  readonly initContainers: PodContainer[];
  readonly #options: AgentOptions;
  readonly #folder: string;
  readonly #volumes: PodVolumes;
  readonly #ports = new Map<number, number>();
  readonly #timers = new PodTimers();
  readonly #startTime = now();
  #pod: KubeObject;
  #sandbox = false;
  #initialized: boolean;
  #stopping = false;
  #finished = false;
  #lastStatus = '';
  #ended: 'Succeeded' | 'Failed' | undefined;

  constructor(pod: KubeObject, options: AgentOptions) {
    this.#pod = pod;
    this.#options = options;
    this.uid = pod.metadata.uid as string;
    this.namespace = pod.metadata.namespace as string;
    this.name = pod.metadata.name;
    this.ip = options.machine.addresses.pod();
    // Short on purpose: the path of a Unix socket may have 107 characters.
    this.#folder = join(options.folder, this.uid.slice(0, 13));
    mkdirSync(this.#folder, { recursive: true });
    this.#volumes = new PodVolumes(join(this.#folder, 'v'), options.store, options.machine.launcher);
    const init: Json[] = pod.spec?.initContainers ?? [];
    this.#initialized = init.length === 0;
    const waiting = this.#initialized ? 'ContainerCreating' : 'PodInitializing';
    this.initContainers = init.map((spec) => new PodContainer(spec, this.#folder, 'PodInitializing'));
    this.containers = (pod.spec?.containers ?? []).map((spec: Json) => new PodContainer(spec, this.#folder, waiting));
    for (const container of [...this.initContainers, ...this.containers]) {
      for (const path of [this.#folder, join(this.#folder, container.spec.name), container.root])
        chmodSync(path, 0o755);
      chmodSync(container.data, 0o700);
      options.machine.launcher.own(container.data);
    }
  }

  /** As the kubelet names a pod in its messages. */
  get #fullName(): string {
    return `${this.name}_${this.namespace}(${this.uid})`;
  }

  get pod(): KubeObject {
    return this.#pod;
  }

  container(name: string): PodContainer | undefined {
    return [...this.containers, ...this.initContainers].find((container) => container.spec.name === name);
  }

  /** The number under which a container port is really bound. */
  port(containerPort: number): number {
    return this.#ports.get(containerPort) ?? containerPort;
  }

  start(): void {
    this.#write();
    void this.#bringUp().catch((error) => this.#options.report(error));
  }

  /** A newer version of the object. */
  update(pod: KubeObject): void {
    this.#pod = pod;
  }

  /** A ConfigMap or Secret changed: mounted copies follow. */
  refreshVolumes(): void {
    if (!this.#sandbox || this.#stopping || !this.#volumes.refresh(this.#pod)) return;
    for (const container of this.containers) for (const listener of container.volumeListeners) listener();
  }

  uses(resource: string, name: string): boolean {
    return mentions(this.#pod, resource, name);
  }

  place(container: PodContainer): PodPlace {
    return {
      machine: this.#options.machine,
      namespace: this.namespace,
      ip: this.ip,
      root: container.root,
      data: container.data,
      container: container.spec,
      env: container.context?.env ?? new Map(),
      postgres: container.kind === 'postgres',
      port: (port) => this.port(port),
    };
  }

  // ---- up

  async #bringUp(): Promise<void> {
    if (!(await this.#mount())) return;
    await this.#timers.sleep(this.#options.machine.pace / 2);
    this.#sandbox = true;
    this.#write();
    for (const container of this.initContainers) if (!(await this.#runInit(container))) return;
    if (!this.#initialized) {
      this.#initialized = true;
      for (const container of this.containers) container.state = { waiting: { reason: 'PodInitializing' } };
      this.#write();
    }
    for (const container of this.containers)
      void this.#startContainer(container).catch((error) => this.#options.report(error));
  }

  async #mount(): Promise<boolean> {
    for (;;) {
      if (this.#stopping) return false;
      const missing = this.#volumes.mount(this.#pod, [...this.initContainers, ...this.containers]);
      if (!missing) return true;
      this.#options.events.event(this.#pod, 'Warning', 'FailedMount', missing);
      await this.#timers.sleep(RETRY_MS);
    }
  }

  async #runInit(container: PodContainer): Promise<boolean> {
    for (;;) {
      if (this.#stopping) return false;
      await this.#startContainer(container);
      const run = container.run;
      if (!run && !container.state.terminated) {
        await this.#timers.sleep(RETRY_MS);
        continue;
      }
      if (container.spec.restartPolicy === 'Always') return true;
      await run?.exited;
      if (container.state.terminated?.exitCode === 0) {
        container.ready = true;
        this.#write();
        return true;
      }
      if (this.#pod.spec?.restartPolicy === 'Never') {
        this.#end('Failed');
        return false;
      }
      container.lastState = container.state;
      container.restartCount++;
      const delay = container.nextBackoff();
      if (delay > 0) container.state = crashLoop(container.spec.name, this.#fullName, delay);
      this.#write();
      await this.#timers.sleep(delay);
    }
  }

  async #startContainer(container: PodContainer): Promise<void> {
    const { machine, events } = this.#options;
    const path = `spec.${this.initContainers.includes(container) ? 'initContainers' : 'containers'}{${container.spec.name}}`;
    if (!(await this.#pull(container, path))) return;
    const env = this.#environment(container);
    if (!env.ok) {
      container.state = { waiting: { reason: 'CreateContainerConfigError', message: env.message } };
      events.event(this.#pod, 'Warning', 'Failed', `Error: ${env.message}`, path);
      this.#write();
      if (this.initContainers.includes(container)) return;
      await this.#timers.sleep(RETRY_MS);
      if (!this.#stopping) await this.#startContainer(container);
      return;
    }
    const context: ContainerContext = {
      machine,
      pod: this.#pod,
      container: container.spec,
      namespace: this.namespace,
      ip: this.ip,
      env: env.env,
      root: container.root,
      data: container.data,
      log: container.beginRun(),
      publish: (port) => this.#publish(port),
      onVolumesChanged: (listener) => void container.volumeListeners.add(listener),
    };
    container.context = context;
    events.event(this.#pod, 'Normal', 'Created', 'Container created', path);
    try {
      const run = await STARTERS[container.kind](context);
      if (this.#stopping) {
        run.kill();
        return;
      }
      container.running(run);
      events.event(this.#pod, 'Normal', 'Started', 'Container started', path);
      this.#write();
      void run.exited.then((exit) => this.#containerEnded(container, exit, path));
      this.#probe(container, path);
    } catch (error) {
      // Nothing ran: runc's exit code for that is 128.
      const message = (error as Error).message;
      const reason = error instanceof StartError ? error.reason : 'RunContainerError';
      context.log.line(message);
      events.event(this.#pod, 'Warning', 'Failed', `Error: ${message}`, path);
      await this.#containerEnded(
        container,
        { exitCode: 128, reason: reason === 'RunContainerError' ? 'StartError' : reason },
        path,
      );
    }
  }

  #pull(container: PodContainer, path: string): Promise<boolean> {
    return pullImage(container.spec.image, {
      event: (type, reason, message) => this.#options.events.event(this.#pod, type, reason, message, path),
      state: (state) => {
        container.state = state;
        this.#write();
      },
      sleep: (milliseconds) => this.#timers.sleep(milliseconds),
      stopping: () => this.#stopping,
    });
  }

  #environment(container: PodContainer) {
    return effectiveEnvironment(container.spec, this.namespace, environmentSources(this.#pod, this.ip, this.#options));
  }

  async #publish(containerPort: number): Promise<number> {
    const known = this.#ports.get(containerPort);
    if (known !== undefined) return known;
    const port = this.#options.machine.addresses.distinct ? containerPort : await freePort(this.ip);
    this.#ports.set(containerPort, port);
    return port;
  }

  // ---- probes

  #probe(container: PodContainer, path: string): void {
    const { events } = this.#options;
    startProbes(container, {
      pod: this.#pod,
      ip: this.ip,
      place: this.place(container),
      unhealthy: (message) => {
        if (!this.#stopping && container.run) events.event(this.#pod, 'Warning', 'Unhealthy', message, path);
      },
      changed: () => this.#write(),
      restart: (kind) => this.#restartUnhealthy(container, kind, path),
    });
  }

  #restartUnhealthy(container: PodContainer, kind: string, path: string): void {
    this.#options.events.event(
      this.#pod,
      'Normal',
      'Killing',
      `Container ${container.spec.name} failed ${kind} probe, will be restarted`,
      path,
    );
    void stopRun(container, graceOf(this.#pod));
  }

  // ---- restarts and the end

  async #containerEnded(
    container: PodContainer,
    exit: { exitCode: number; signal?: number; reason?: string },
    path: string,
  ): Promise<void> {
    container.ended(exit);
    if (this.#stopping || this.initContainers.includes(container)) {
      if (!this.#stopping) this.#write();
      return;
    }
    const policy = this.#pod.spec?.restartPolicy ?? 'Always';
    if (policy === 'Never' || (policy === 'OnFailure' && exit.exitCode === 0)) {
      const all = this.containers.every((item) => item.state.terminated);
      if (all)
        this.#end(this.containers.every((item) => item.state.terminated.exitCode === 0) ? 'Succeeded' : 'Failed');
      else this.#write();
      return;
    }
    this.#write();
    const delay = container.nextBackoff();
    const terminated = container.state;
    if (delay > 0) {
      await this.#timers.sleep(50);
      container.lastState = terminated;
      container.state = crashLoop(container.spec.name, this.#fullName, delay);
      this.#options.events.event(
        this.#pod,
        'Warning',
        'BackOff',
        `Back-off restarting failed container ${container.spec.name} in pod ${this.#fullName}`,
        path,
      );
      if (!this.#stopping) this.#write();
      await this.#timers.sleep(delay);
    } else await this.#timers.sleep(100);
    if (this.#stopping) return;
    container.lastState = terminated;
    container.restartCount++;
    await this.#startContainer(container);
  }

  #end(phase: 'Succeeded' | 'Failed'): void {
    this.#ended = phase;
    this.#write();
  }

  /** The pod was deleted: hooks, SIGTERM, the grace period, SIGKILL, then the object goes. */
  async terminate(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#timers.clear();
    const stopped = [...this.containers, ...this.initContainers].map((container) =>
      stopContainer(container, this.#pod, this.place(container), this.#options.events),
    );
    await Promise.all(stopped);
    const failed = this.containers.some((container) => (container.state.terminated?.exitCode ?? 137) !== 0);
    for (const container of this.containers) if (!container.state.terminated) container.state = notLocated();
    this.#end(failed ? 'Failed' : 'Succeeded');
    await this.cleanUp();
    this.#options.store.finalise('pods', this.namespace, this.name, this.uid);
  }

  /** The object is already gone (force delete), or the cluster ends: nothing is reported any more. */
  async abandon(): Promise<void> {
    this.#stopping = true;
    this.#finished = true;
    this.#timers.clear();
    const runs = [...this.containers, ...this.initContainers].map((container) => {
      for (const stop of container.stopProbes) stop();
      container.run?.kill();
      return container.run?.exited;
    });
    await Promise.all(runs);
    await this.cleanUp();
  }

  /** Kills the container's process, as a crash does; the restart policy does the rest. */
  crash(name?: string): void {
    for (const container of this.containers) if (!name || container.spec.name === name) container.run?.kill();
  }

  async cleanUp(): Promise<void> {
    this.#options.machine.workers.closeEgress(this.uid);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #write(): void {
    if (this.#finished) return;
    const current = this.#options.store.get('pods', this.namespace, this.name);
    if (!current || current.metadata.uid !== this.uid) return;
    const status = podStatus(current, {
      initialized: this.#initialized,
      sandbox: this.#sandbox,
      ip: this.ip,
      hostIP: this.#options.hostIP,
      startTime: this.#startTime,
      containers: this.containers,
      initContainers: this.initContainers,
      ended: this.#ended,
    });
    const text = JSON.stringify(status);
    if (text === this.#lastStatus) return;
    this.#lastStatus = text;
    this.#pod = this.#options.store.updateStatus('pods', { ...current, status }, { manager: 'kubelet' });
  }
}
