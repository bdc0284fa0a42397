/** What the host and its workers say to each other. */
import type { EgressRequest } from './egress.ts';
import type { Route } from './routes.ts';

/** Everything a service pod's program needs; plain data, because it crosses to a worker thread. */
export interface ServiceSpec {
  id: string;
  name: string;
  service: string;
  namespace: string;
  ip: string;
  /** Bind outgoing connections to `ip`. */
  bind: boolean;
  /** Ports to listen on, as they are really bound. */
  ports: number[];
  env: [string, string][];
  args: string[];
  files: string[];
  fault: string | undefined;
  /** Milliseconds from the start of the program to its first connection. */
  boot: number;
  /** Queries per second of one pod. */
  rate: number;
  connections: number;
}

export type ToWorker =
  | { type: 'route'; route: Route }
  | { type: 'unroute'; namespace: string; name: string }
  | { type: 'start'; spec: ServiceSpec }
  | { type: 'terminate'; id: string }
  | { type: 'kill'; id: string }
  | { type: 'egress'; id: number; owner: string; request: EgressRequest }
  | { type: 'close-egress'; owner: string }
  | { type: 'end' };

export interface LoadCounts {
  queries: number;
  failed: number;
  /** Milliseconds spent in all queries that were answered. */
  milliseconds: number;
  errors: Record<string, number>;
}

export type FromWorker =
  | { type: 'log'; id: string; line: string }
  | { type: 'started'; id: string }
  | { type: 'exit'; id: string; exitCode: number }
  | { type: 'load'; id: string; counts: LoadCounts }
  | { type: 'egress'; id: number; host: string; port: number }
  | { type: 'egress-failed'; id: number; message: string };
