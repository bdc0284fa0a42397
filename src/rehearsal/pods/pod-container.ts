/** One container of a pod over its runs: its status, its logs, its program. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../contract.ts';
import { now } from '../controllers/events.ts';
import type { ContainerContext, ContainerExit, RunningContainer } from './container.ts';
import { type ContainerKind, kindOf } from './images.ts';
import { ContainerLog } from './logs.ts';
import type { ContainerView } from './status.ts';

/** Restart delays: none, then 10 s doubling to 5 min; forgotten after 10 min of running. */
const FIRST_BACKOFF_MS = 10_000;
const LAST_BACKOFF_MS = 300_000;
const FORGET_AFTER_MS = 600_000;

export class PodContainer implements ContainerView {
  readonly spec: Json;
  readonly kind: ContainerKind;
  readonly root: string;
  readonly data: string;
  state: Json;
  lastState: Json = {};
  ready = false;
  started = false;
  restartCount = 0;
  containerID: string | undefined;
  log: ContainerLog | undefined;
  previous: ContainerLog | undefined;
  run: RunningContainer | undefined;
  context: ContainerContext | undefined;
  stopProbes: (() => void)[] = [];
  readonly volumeListeners = new Set<() => void>();
  #backoff = 0;
  #startedAt = 0;

  constructor(spec: Json, folder: string, waiting: string) {
    this.spec = spec;
    this.kind = kindOf(spec);
    this.root = join(folder, spec.name, 'r');
    this.data = join(folder, spec.name, 'd');
    this.state = { waiting: { reason: waiting } };
    mkdirSync(this.root, { recursive: true });
    mkdirSync(this.data, { recursive: true });
  }

  beginRun(): ContainerLog {
    if (this.log) this.previous = this.log;
    this.log = new ContainerLog();
    this.volumeListeners.clear();
    return this.log;
  }

  running(run: RunningContainer): void {
    this.run = run;
    this.#startedAt = Date.now();
    this.containerID = `containerd://${randomBytes(32).toString('hex')}`;
    this.state = { running: { startedAt: now() } };
    // Without a startup probe a container counts as started at once, without a readiness probe as ready too.
    this.started = !this.spec.startupProbe;
    this.ready = this.started && !this.spec.readinessProbe;
  }

  ended(exit: ContainerExit): void {
    for (const stop of this.stopProbes) stop();
    this.stopProbes = [];
    this.run = undefined;
    this.log?.close();
    this.ready = false;
    this.started = false;
    if (Date.now() - this.#startedAt > FORGET_AFTER_MS) this.#backoff = 0;
    this.state = {
      terminated: {
        exitCode: exit.exitCode,
        ...(exit.signal ? { signal: exit.signal } : {}),
        reason: exit.reason ?? (exit.exitCode === 0 ? 'Completed' : 'Error'),
        startedAt: this.state.running?.startedAt ?? now(),
        finishedAt: now(),
        containerID: this.containerID,
      },
    };
  }

  /** Milliseconds to wait before the next run, counted up for the one after it. */
  nextBackoff(): number {
    const delay = this.#backoff;
    this.#backoff = delay === 0 ? FIRST_BACKOFF_MS : Math.min(LAST_BACKOFF_MS, delay * 2);
    return delay;
  }
}
