/** What the screen shows all the time beside the steps: the cluster's health, the lock, who is connected how. */
import type { LeaseHandle } from '../kube/option-types.ts';
import type { Kube } from '../kube/types.ts';
import type { ConsoleRow, PodOwner } from '../pgbouncer/console-types.ts';
import { attributeClients } from '../pgbouncer/pools.ts';
import type { Fleet } from '../steps/fleet.ts';
import type { PoolerPorts } from '../steps/pooler-ports.ts';
import type { SeenPods } from '../steps/seen-pods.ts';
import type { Clock } from './clock.ts';
import type { LiveView } from './live.ts';

export interface Surroundings {
  readonly kube: Kube;
  readonly lease: LeaseHandle | undefined;
  readonly live: LiveView;
  readonly fleet: Fleet;
  readonly pooler: PoolerPorts;
  readonly seen: SeenPods;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const HEALTH_EVERY_MS = 2000;
/** Every how many looks at the health the connections are counted. */
const CONNECTIONS_EVERY = 3;
/** A count that is older than two of its turns says how old it is. */
const COUNT_LATE_MS = 2 * CONNECTIONS_EVERY * HEALTH_EVERY_MS;

/** Runs until the signal; never rejects. */
export async function watchSurroundings(ports: Surroundings): Promise<void> {
  const { kube, lease, live, clock, signal } = ports;
  // Beside the loop, never in it: reading waits for a silent cluster, and the age of the silence has to be seen growing.
  let counting: Promise<void> | undefined;
  let countedAt: number | undefined;
  for (let turn = 0; !signal.aborted; turn++) {
    const { state, ageMs } = kube.health();
    const { version } = live.state.cluster;
    const { postgres } = live.state.pools;
    const age = countedAt === undefined ? 0 : Math.round(performance.now() - countedAt);
    const lock = lease?.view();
    // An unchanged view is not published: every change costs a frame. A fresh sign of life has no age worth telling.
    const changed =
      state !== 'ok' ||
      live.state.cluster.state !== 'ok' ||
      lock?.holder !== live.state.lock?.holder ||
      lock?.mine !== live.state.lock?.mine;
    const old = postgres !== undefined && age > COUNT_LATE_MS;
    if (changed || turn === 0 || old) {
      live.set({
        cluster: { state, ageMs, ...(version ? { version } : {}) },
        ...(lock ? { lock } : {}),
        ...(old ? { pools: { ...live.state.pools, postgres: { ...postgres, ageMs: age } } } : {}),
      });
    }
    // Only once the pooler runs: before that the role's password may not be known, and nothing is pooled.
    if (turn % CONNECTIONS_EVERY === 0 && live.state.pools.poolers.length > 0) {
      counting ??= countConnections(ports)
        .then((counted) => {
          if (counted) countedAt = performance.now();
        })
        .finally(() => {
          counting = undefined;
        });
    }
    try {
      await clock.sleep(HEALTH_EVERY_MS, signal);
    } catch {
      break;
    }
  }
  await counting;
}

async function countConnections({ fleet, pooler, seen, live, signal }: Surroundings): Promise<boolean> {
  const owners = await fleet.podOwners(signal, await seen.items());
  if (!owners.ok || signal.aborted) return false;
  const activity = await pooler.activity(owners.value);
  if (!activity.ok || signal.aborted) return false;
  const { total, maxConnections, pooled, directTotal, direct } = activity.value;
  const clients = await clientsOf(pooler, live, owners.value);
  const connections: Record<string, { direct: number; pooled: number }> = {};
  for (const { name } of fleet.services()) {
    connections[name] = { direct: direct.get(name) ?? 0, pooled: clients.get(name) ?? 0 };
  }
  live.set({
    connections,
    pools: {
      ...live.state.pools,
      postgres: {
        maxConnections,
        total,
        pooled,
        direct: directTotal,
        other: Math.max(0, total - pooled - directTotal),
        ageMs: 0,
      },
    },
  });
  return true;
}

/** SHOW CLIENTS of every pooler that answers, by service. */
async function clientsOf(
  pooler: PoolerPorts,
  live: LiveView,
  owners: ReadonlyMap<string, PodOwner>,
): Promise<ReadonlyMap<string, number>> {
  const rows: ConsoleRow[] = [];
  for (const { pod, state } of live.state.pools.poolers) {
    if (state !== 'ok') continue;
    const console = await pooler.console(pod);
    const clients = await console?.show('CLIENTS');
    if (clients?.ok) rows.push(...clients.value);
  }
  return attributeClients(rows, owners).byService;
}
