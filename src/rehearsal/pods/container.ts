/** What a kind of container is given to run, and what it gives back. */
import type { Json, KubeObject } from '../contract.ts';
import type { Launcher } from '../servers/account.ts';
import type { Servers } from '../servers/find.ts';
import type { AddressPlan } from './addresses.ts';
import type { ContainerLog } from './logs.ts';
import type { RouteTable } from './routes.ts';
import type { WorkerPool } from './worker-pool.ts';

/** What all pods share. */
export interface Machine {
  servers: Servers;
  launcher: Launcher;
  addresses: AddressPlan;
  routes: RouteTable;
  workers: WorkerPool;
  /** The fault a service suffers from once it is configured for the pooler. */
  faultOf(service: string): string | undefined;
  /** Settings of PostgreSQL that follow from the size of the fleet. */
  maxConnections: number;
  /** Milliseconds that a pod takes to come up, beside what its program really needs. */
  pace: number;
}

export interface ContainerContext {
  machine: Machine;
  pod: KubeObject;
  container: Json;
  namespace: string;
  ip: string;
  env: Map<string, string>;
  /** Folder that plays the container's `/`: mounts are below it. */
  root: string;
  /** Folder of this container that survives its restarts and dies with the pod. */
  data: string;
  log: ContainerLog;
  /** The port under which a container port is really reached at `ip` (another number where pods share an address). */
  publish(containerPort: number): Promise<number>;
  /** Calls back when a mounted ConfigMap or Secret has changed on disk. */
  onVolumesChanged(listener: () => void): void;
}

export interface ContainerExit {
  exitCode: number;
  signal?: number;
  reason?: string;
}

export interface RunningContainer {
  readonly exited: Promise<ContainerExit>;
  /** SIGTERM. */
  terminate(): void;
  /** SIGKILL. */
  kill(): void;
}

/** Thrown by a starter when the container can't be started at all; `reason` is the waiting reason. */
export class StartError extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

export type StartContainer = (context: ContainerContext) => Promise<RunningContainer>;
