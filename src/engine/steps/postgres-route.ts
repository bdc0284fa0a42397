/**
 * How a session of our own gets to PostgreSQL: through a port-forward to its pod, in the namespace of the services or in
 * another one; from this machine when it runs outside of the cluster.
 */
import { connect as connectTcp } from 'node:net';
import { listOf } from '../kube/refs.ts';
import { splitServiceHost } from '../kube/target.ts';
import type { Kube, KubeObject } from '../kube/types.ts';
import type { Connect } from '../pgbouncer/types.ts';
import type { Plan } from '../plan/schema.ts';
import { fail, ok, type Result } from '../result.ts';
import { findUpstream, postgresPort, type Upstream } from './upstream.ts';

export interface PostgresRoute {
  readonly connect: Connect;
  /** The pod behind it; absent for a host outside of the cluster. */
  readonly pod?: string;
  /** Over the open network: TLS is asked for first. */
  readonly encrypted?: boolean;
}

export interface RouteOptions {
  readonly kube: Kube;
  /** Of the services. */
  readonly namespace: string;
  readonly postgres: Plan['postgres'];
  /** True only when the server behind it says so. */
  readonly isStandby: (connect: Connect) => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** A host that drops what it does not know must not hold the preflight up. */
const DIRECT_MS = 4000;

/**
 * Finds the way. Errors: `postgres-unreachable` (no ready pod, and no such host from here), those of the cluster. Nothing
 * is logged in to but, to tell a primary from its standbys, by `isStandby`.
 */
export async function findPostgresRoute(options: RouteOptions): Promise<Result<PostgresRoute>> {
  const { kube, postgres, namespace, signal } = options;
  const through = (where: string, pod: string, port: number): PostgresRoute => ({
    connect: () => kube.portForward(where, pod, port),
    pod,
  });
  if (postgres.pod?.name) return ok(through(namespace, postgres.pod.name, postgres.port));
  const { service, port } = postgres;
  const upstream = await findUpstream({ kube, namespace, service, port, signal });
  const home = upstream.namespace;
  const selector = postgres.pod?.selector ?? upstream.selector;
  if (selector) {
    const listed = await kube.list(listOf('Pod', home, { labelSelector: selector }), { signal });
    // Another team's namespace may be closed to us; its Service is still reached by its address, if at all.
    if (!listed.ok && home === namespace) return listed;
    const all = listed.ok ? listed.value.items : [];
    const ready = all.filter((one) => isReady(one) && one.metadata.deletionTimestamp === undefined);
    for (const pod of inOrder(ready)) {
      const route = through(home, String(pod.metadata.name), postgresPort(pod, upstream));
      // One pod: it is the one. Several: a standby shows no session of the services, so the primary is looked for.
      if (ready.length > 1 && (await options.isStandby(route.connect))) continue;
      return ok(route);
    }
  }
  const host = outsideHost(service, upstream);
  if (host !== undefined) {
    const direct = await fromHere(host, port, signal);
    if (direct.ok) {
      direct.value.destroy();
      return ok({ connect: () => fromHere(host, port, signal), encrypted: true });
    }
  }
  return fail(
    'postgres-unreachable',
    host === undefined
      ? `no ready pod stands behind the Service ${service} in ${home}`
      : `no pod of this cluster stands behind ${host}, and it does not answer on port ${port} from this machine`,
    {
      next: [
        'If PostgreSQL runs outside of the cluster, its sessions are read through the pooler once that is deployed; until then, run the wizard where the host can be reached.',
      ],
      retryable: true,
    },
  );
}

/** The name to dial from this machine: an ExternalName's target or the plan's host; none for a Service of the cluster. */
function outsideHost(service: string, upstream: Upstream): string | undefined {
  if (upstream.externalName) return upstream.externalName;
  return upstream.isService || !service.includes('.') || splitServiceHost(service)?.certain ? undefined : service;
}

function fromHere(host: string, port: number, signal: AbortSignal): ReturnType<Connect> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port });
    const done = (error?: string) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners('error');
      if (error === undefined) return resolve(ok(socket));
      // What still comes of it is of no interest, and must not become an uncaught error.
      socket.on('error', () => {});
      socket.destroy();
      resolve(fail('postgres-unreachable', `${host}:${port}: ${error}`, { retryable: true }));
    };
    const onAbort = () => done('given up');
    const timer = setTimeout(() => done(`no answer within ${DIRECT_MS} ms`), DIRECT_MS);
    socket.once('connect', () => done());
    socket.once('error', (error) => done(error.message));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

export function isReady(pod: KubeObject): boolean {
  const conditions: { type: string; status: string }[] = pod.status?.conditions ?? [];
  return conditions.some((one) => one.type === 'Ready' && one.status === 'True');
}

/** Labels that operators put on the primary (Patroni, CloudNativePG, Zalando, Crunchy): those pods are asked first. */
const isPrimary = (pod: KubeObject): boolean =>
  Object.entries((pod.metadata.labels ?? {}) as Record<string, string>).some(
    ([key, value]) => /(^|[/-])role$/i.test(key) && /^(primary|master|leader)$/i.test(value),
  );

const inOrder = (pods: readonly KubeObject[]): KubeObject[] =>
  [...pods].sort((a, b) => Number(isPrimary(b)) - Number(isPrimary(a)) || (a.metadata.name < b.metadata.name ? -1 : 1));
