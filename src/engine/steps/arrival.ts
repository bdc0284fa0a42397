/**
 * Whether the clients of a switched service really are on the poolers: `SHOW CLIENTS` of every pooler against the addresses
 * of the service's own pods, over a stretch of time, and the login lines of the poolers' logs for connections that are
 * shorter than the time between two looks. A service that never connected has proved nothing yet and is said to have
 * proved nothing: it may connect when it is first used, it may not run at all, or something hides its address.
 */
import { listOf } from '../kube/refs.ts';
import type { KubeObject } from '../kube/types.ts';
import type { PodOwner, PoolerClients } from '../pgbouncer/console-types.ts';
import { loginsIn } from '../pgbouncer/log-scan.ts';
import { normaliseAddress } from '../pgbouncer/pools.ts';
import { ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { isOver, serviceOf } from './fleet.ts';
import { couldNot, type Look, lookAtPostgres, whyNoPods } from './looks.ts';
import { poolerLogs } from './pooler-logs.ts';
import type { StepContext } from './types.ts';

/** Of one service, everything that was seen so far. */
interface Seen {
  readonly pods: Set<string>;
  readonly poolers: Set<string>;
  /** The most connections at one moment. */
  connections: number;
  by: 'SHOW CLIENTS' | 'application_name' | 'login lines of the log';
}

/** Clients that no pod of the namespace explains, by address. */
type Strangers = ReadonlyMap<string, number>;

const OWN_NAME = /^pgb-wizard\b/;

/** Whose the clients of the poolers are at this moment: connections of each service, and those that nobody explains. */
export function attribute(
  seen: PoolerClients,
  owners: ReadonlyMap<string, PodOwner>,
  services: readonly string[],
): {
  readonly byService: ReadonlyMap<string, readonly { pod?: string; pooler: string }[]>;
  readonly strangers: Strangers;
} {
  const byService = new Map<string, { pod?: string; pooler: string }[]>();
  const strangers = new Map<string, number>();
  const add = (service: string, one: { pod?: string; pooler: string }) =>
    byService.set(service, [...(byService.get(service) ?? []), one]);
  for (const { pod: pooler, clients } of seen.poolers) {
    for (const row of clients) {
      if (row.type !== 'C' || row.database === 'pgbouncer') continue;
      const address = normaliseAddress(String(row.addr ?? ''));
      const owner = owners.get(address);
      if (owner?.service) {
        // A session of a pod that is gone proves nothing of the pods that run.
        if (!owner.gone) add(owner.service, { pod: owner.pod, pooler });
        continue;
      }
      const name = String(row.application_name ?? '');
      if (owner || OWN_NAME.test(name)) continue;
      // A proxy or SNAT hides the address; an application that says its service's name is taken at its word.
      const named = services.find((service) => name === service || name.startsWith(`${service} `));
      if (named) add(named, { pooler });
      else strangers.set(address, (strangers.get(address) ?? 0) + 1);
    }
  }
  return { byService, strangers };
}

/** What is known when a service is judged. */
export interface ArrivalFacts {
  readonly seen?: {
    readonly connections: number;
    readonly pods: number;
    readonly poolers: number;
    readonly by: string;
  };
  /** Pods that run, and those of them without an address of their own. */
  readonly pods: number;
  readonly hostNetwork: number;
  readonly strangers: Strangers;
  readonly silent: readonly string[];
  /** Direct sessions in PostgreSQL; undefined when nobody could say. */
  readonly direct?: number;
  /** Why it has no pods, when that is its way. */
  readonly idle?: string;
}

export function judgeArrival(facts: ArrivalFacts): Look {
  const { seen, direct, silent, strangers } = facts;
  const expected = 'its pods are clients of a pooler, and none is connected to PostgreSQL directly';
  const data = { connections: seen?.connections ?? 0, pods: facts.pods, direct: direct ?? null };
  const look = (verdict: Look['verdict'], observed: string): Look => ({ verdict, observed, expected, data });
  if (direct !== undefined && direct > 0) return look('fail', `${direct} direct connections to PostgreSQL`);
  if (seen) {
    const where = `${seen.connections} connections of ${seen.pods > 0 ? `${seen.pods} of ` : ''}${facts.pods} pods on ${seen.poolers} ${seen.poolers === 1 ? 'pooler' : 'poolers'} (${seen.by})`;
    return direct === undefined
      ? look('inconclusive', `${where}; who is connected directly could not be read`)
      : look('pass', `${where}, 0 direct`);
  }
  if (facts.idle !== undefined) return look('inconclusive', `no client yet: ${facts.idle}`);
  if (silent.length > 0)
    return look('inconclusive', `no client seen, and the console of ${silent.join(', ')} did not answer`);
  if (facts.hostNetwork > 0)
    return look(
      'inconclusive',
      `its pods use the network of their nodes: whose of the ${total(strangers)} clients from there are its own can't be told`,
    );
  if (strangers.size > 0)
    return look(
      'inconclusive',
      `no client from its pods; ${total(strangers)} come from addresses of no pod (${[...strangers.keys()]
        .slice(0, 3)
        .map((one) => sanitiseLine(one, 60))
        .join(', ')}): a proxy or SNAT hides whose they are`,
    );
  return look('inconclusive', 'no client yet: it may open its first connection when it is used');
}

const total = (strangers: Strangers): number => [...strangers.values()].reduce((sum, count) => sum + count, 0);

export const arrivalKey = (service: string): string => `onPooler.${service}`;

/** What a service has shown in this run: seen with clients on a pooler, or judged (and let pass by somebody) without. */
export function arrivalOf(
  ctx: Pick<StepContext, 'state'>,
  service: string,
): { readonly seen: boolean; readonly why?: string } | undefined {
  return ctx.state().facts[arrivalKey(service)] as { seen: boolean; why?: string } | undefined;
}

/** Real time that a service gets for its first connection when all that had to be watched is over. */
const ARRIVE_LIMIT_MS = 20_000;
const LOOK_EVERY_MS = 1000;
/** The clocks of two nodes differ. */
const NODE_CLOCKS_MS = 2000;

/** Gathers over the looks of a watch what each service showed, and judges at its end. */
export class Arrivals {
  readonly #ctx: StepContext;
  readonly #services: readonly string[];
  readonly #seen = new Map<string, Seen>();
  #strangers: Strangers = new Map();
  #silent: readonly string[] = [];

  constructor(ctx: StepContext, services: readonly string[]) {
    this.#ctx = ctx;
    this.#services = services;
  }

  /** Takes what one look at the consoles has shown. */
  note(clients: PoolerClients, owners: ReadonlyMap<string, PodOwner>): void {
    const { byService, strangers } = attribute(clients, owners, this.#services);
    this.#strangers = strangers;
    this.#silent = clients.silent;
    for (const service of this.#services) {
      const own = byService.get(service) ?? [];
      if (own.length === 0) continue;
      const known = this.#seen.get(service);
      const seen: Seen = known ?? {
        pods: new Set(),
        poolers: new Set(),
        connections: 0,
        by: own.some((one) => one.pod !== undefined) ? 'SHOW CLIENTS' : 'application_name',
      };
      for (const { pod, pooler } of own) {
        seen.poolers.add(pooler);
        if (pod) seen.pods.add(pod);
      }
      seen.connections = Math.max(seen.connections, own.length);
      this.#seen.set(service, seen);
      if (!known) this.#keep(service, own.length);
    }
  }

  #keep(service: string, connections: number): void {
    if (!arrivalOf(this.#ctx, service)?.seen) this.#ctx.fact(arrivalKey(service), { seen: true, connections });
  }

  /** One look of its own, for those that were not seen yet. */
  async look(): Promise<void> {
    const { fleet, pooler, signal } = this.#ctx;
    const owners = await fleet.podOwners(signal);
    const clients = await pooler.clients(signal);
    if (owners.ok && clients.ok) this.note(clients.value, owners.value);
  }

  /** The verdict of each service; looks, and waits a while, for those that were not seen, and reads the poolers' logs for them. */
  async judge(patience = ARRIVE_LIMIT_MS): Promise<ReadonlyMap<string, Look>> {
    const ctx = this.#ctx;
    const began = ctx.clock.monotonic();
    const idle = new Map<string, string>();
    for (const service of this.#services) {
      const why = this.#seen.has(service) ? undefined : await whyNoPods(ctx, service);
      if (why !== undefined) idle.set(service, why);
    }
    const unseen = () => this.#services.filter((service) => !this.#seen.has(service));
    while (unseen().length > 0) {
      await this.look();
      ctx.signal.throwIfAborted();
      if (unseen().length > 0) await this.#readLogs(unseen());
      const awaited = unseen().filter((service) => !idle.has(service));
      if (awaited.length === 0 || ctx.clock.monotonic() - began >= patience) break;
      ctx.waitingFor(`the first connection of ${awaited.slice(0, 3).join(', ')} to a pooler`, patience);
      await ctx.clock.sleep(LOOK_EVERY_MS, ctx.signal);
    }
    const activity = await lookAtPostgres(ctx);
    const pods = await this.#pods();
    const looks = new Map<string, Look>();
    for (const service of this.#services) {
      if (!pods.ok) {
        looks.set(service, couldNot(pods.error.message));
        continue;
      }
      const own = pods.value.get(service) ?? [];
      const seen = this.#seen.get(service);
      const why = idle.get(service);
      const look = judgeArrival({
        ...(seen ? { seen: { ...seen, pods: seen.pods.size, poolers: seen.poolers.size } } : {}),
        pods: own.length,
        hostNetwork: own.filter((pod) => pod.spec?.hostNetwork === true).length,
        strangers: this.#strangers,
        silent: this.#silent,
        ...(activity.ok ? { direct: activity.value.direct.get(service) ?? 0 } : {}),
        ...(why === undefined ? {} : { idle: why }),
      });
      looks.set(service, look);
    }
    return looks;
  }

  /** Pods that are not over, by service. */
  async #pods(): Promise<Result<ReadonlyMap<string, KubeObject[]>>> {
    const { kube, fleet, signal } = this.#ctx;
    const listed = await kube.list(listOf('Pod', fleet.namespace), { signal });
    if (!listed.ok) return listed;
    const kinds = new Map([...fleet.kinds()].filter(([name]) => this.#services.includes(name)));
    const pods = new Map<string, KubeObject[]>();
    for (const pod of listed.value.items) {
      const service = isOver(pod) ? undefined : serviceOf(pod, kinds);
      if (service) pods.set(service, [...(pods.get(service) ?? []), pod]);
    }
    return ok(pods);
  }

  /** Connections that came and went between two looks: the addresses that logged in while the pods of a service had them. */
  async #readLogs(services: readonly string[]): Promise<void> {
    const ctx = this.#ctx;
    const owners = await ctx.fleet.podOwners(ctx.signal);
    if (!owners.ok) return;
    const logs = await poolerLogs(ctx, { tail: 5000, timestamps: true });
    if (!logs.ok) return;
    const pods = await this.#pods();
    if (!pods.ok) return;
    const started = new Map(
      [...pods.value.values()]
        .flat()
        .map((pod) => [pod.metadata.name as string, Date.parse(pod.status?.startTime ?? '')]),
    );
    for (const { pod: pooler, lines } of logs.value) {
      for (const [address, at] of loginsIn(lines)) {
        const owner = owners.value.get(address);
        if (!owner?.service || owner.gone || !services.includes(owner.service)) continue;
        // A login from before the pod existed was another pod's, which had the address then.
        if (at + NODE_CLOCKS_MS < (started.get(owner.pod) ?? Number.POSITIVE_INFINITY)) continue;
        const seen: Seen = this.#seen.get(owner.service) ?? {
          pods: new Set(),
          poolers: new Set(),
          connections: 0,
          by: 'login lines of the log',
        };
        seen.pods.add(owner.pod);
        seen.poolers.add(pooler);
        seen.connections = Math.max(seen.connections, seen.pods.size);
        this.#seen.set(owner.service, seen);
        this.#keep(owner.service, seen.connections);
      }
    }
  }
}
