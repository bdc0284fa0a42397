/**
 * The wizard's doors to PgBouncer and PostgreSQL: a port-forward to each pooler *pod* (through the Service one would see
 * one replica of several), and a session in PostgreSQL that tells who is connected how.
 */
import { listOf, ref } from '../kube/refs.ts';
import type { Kube, KubeObject } from '../kube/types.ts';
import { createPoolWatcher, type PoolWatcher } from '../pgbouncer/pools.ts';
import type { AdminConsole, Connect, PodOwner, PoolerClients } from '../pgbouncer/types.ts';
import type { Plan } from '../plan/schema.ts';
import { readActivity } from '../postgres/activity.ts';
import { openPostgres } from '../postgres/connect.ts';
import type { Activity, Postgres } from '../postgres/types.ts';
import { fail, ok, type Result } from '../result.ts';
import type { Clock } from '../run/clock.ts';
import type { PoolsView } from '../run/model.ts';
import { Secret } from '../secret.ts';
import { findPostgresRoute, isReady, type PostgresRoute } from './postgres-route.ts';
import type { RunSecrets } from './run-secrets.ts';
import type { SeenPods } from './seen-pods.ts';

export interface PoolerPod {
  readonly name: string;
  readonly ready: boolean;
  readonly ip?: string;
  /** The container that is the pooler; manifests of the operator's own may call it what they like. */
  readonly container: string;
}

export interface PoolerPortsOptions {
  readonly kube: Kube;
  readonly plan: Plan;
  readonly namespace: string;
  readonly secrets: RunSecrets;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly everyMs: number;
  readonly onSample: (view: PoolsView) => void;
  /** For the look every `everyMs`; absent: the pods are listed each time. */
  readonly seen?: SeenPods;
}

/** A Service's selector is changed by hand, if ever. */
const SELECTOR_MS = 30_000;

export class PoolerPorts {
  readonly #options: PoolerPortsOptions;
  #watcher: PoolWatcher | undefined;
  #postgres: Promise<Result<Postgres>> | undefined;
  #postgresPod: string | undefined;
  #admin: Promise<Result<Postgres>> | undefined;
  #selector: { readonly labels: Readonly<Record<string, string>>; readonly readAt: number } | undefined;

  constructor(options: PoolerPortsOptions) {
    this.#options = options;
  }

  /** The pods of the pooler, by the Service's selector (the operator's own manifests may label them as they like). */
  async pods(signal: AbortSignal = this.#options.signal): Promise<Result<PoolerPod[]>> {
    const { kube, namespace, plan } = this.#options;
    const labels = (await this.#labelsOf(plan.pooler.name, signal)) ?? { app: plan.pooler.name };
    const labelSelector = Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    const listed = await kube.list(listOf('Pod', namespace, { labelSelector }), { signal });
    return listed.ok ? ok(this.#running(listed.value.items)) : listed;
  }

  /** The same from the watch of the pods, as fresh as that is; listed where it is not alive. */
  async #podsSeen(): Promise<Result<PoolerPod[]>> {
    const seen = await this.#options.seen?.items();
    if (!seen) return this.pods();
    const { name } = this.#options.plan.pooler;
    if (!this.#selector || performance.now() - this.#selector.readAt > SELECTOR_MS) {
      this.#selector = {
        labels: (await this.#labelsOf(name, this.#options.signal)) ?? { app: name },
        readAt: performance.now(),
      };
    }
    const wanted = Object.entries(this.#selector.labels);
    return ok(
      this.#running(seen.filter((pod) => wanted.every(([key, value]) => pod.metadata.labels?.[key] === value))),
    );
  }

  #running(pods: readonly KubeObject[]): PoolerPod[] {
    return pods
      .filter((pod) => pod.metadata.deletionTimestamp === undefined && pod.status?.phase === 'Running')
      .map((pod) => ({
        name: pod.metadata.name as string,
        ready: isReady(pod),
        ip: pod.status?.podIP,
        container: poolerContainer(pod, this.#options.plan.pooler.port),
      }));
  }

  async #labelsOf(service: string, signal: AbortSignal): Promise<Record<string, string> | undefined> {
    const found = await this.#options.kube.get(ref('Service', this.#options.namespace, service), { signal });
    const selector: Record<string, string> | undefined = found.ok ? found.value.spec?.selector : undefined;
    return selector && Object.keys(selector).length > 0 ? selector : undefined;
  }

  connect(pod: string): Connect {
    const { kube, namespace, plan } = this.#options;
    return () => kube.portForward(namespace, pod, plan.pooler.port);
  }

  /** Starts the live view of the pools, when the admin's password is known. Safe to call again. */
  watch(): void {
    const { secrets, plan, clock, signal, everyMs, onSample } = this.#options;
    if (this.#watcher || !secrets.admin || signal.aborted) return;
    this.#watcher = createPoolWatcher({
      poolers: async (fresh) => {
        const pods = fresh ? await this.pods() : await this.#podsSeen();
        if (!pods.ok) throw new Error(pods.error.message);
        return pods.value.filter((pod) => pod.ready).map((pod) => ({ pod: pod.name, connect: this.connect(pod.name) }));
      },
      user: plan.pooler.adminUser,
      password: secrets.admin,
      everyMs,
      clock,
      signal,
      onSample,
    });
  }

  /** A sample of all poolers that begins now: what the caller did before it is in it. */
  async sample(): Promise<PoolsView | undefined> {
    this.watch();
    return this.#watcher?.fresh();
  }

  async console(pod: string): Promise<AdminConsole | undefined> {
    this.watch();
    if (this.#watcher && !this.#watcher.pods().includes(pod)) await this.#watcher.fresh();
    return this.#watcher?.console(pod);
  }

  /** Who is connected to the poolers and what they hold in PostgreSQL, asked of every ready pooler. */
  async clients(signal: AbortSignal = this.#options.signal): Promise<Result<PoolerClients>> {
    const pods = await this.pods(signal);
    if (!pods.ok) return pods;
    const poolers: PoolerClients['poolers'][number][] = [];
    const silent: string[] = [];
    for (const { name } of pods.value.filter((one) => one.ready)) {
      const console = await this.console(name);
      const servers = await console?.show('SERVERS');
      const clients = await console?.show('CLIENTS');
      if (servers?.ok && clients?.ok) poolers.push({ pod: name, clients: clients.value, servers: servers.value });
      else silent.push(name);
    }
    return ok({ poolers, silent });
  }

  /** A session of the services' own role through one pooler pod. The caller closes it. */
  async throughPooler(pod: string): Promise<Result<Postgres>> {
    const { plan, secrets, signal } = this.#options;
    if (!secrets.role) return fail('secret-missing', `the password of ${plan.postgres.role} is not known yet`);
    return openPostgres({
      connect: this.connect(pod),
      user: plan.postgres.role,
      password: secrets.role,
      database: plan.postgres.database,
      signal,
    });
  }

  /** The session that looks at PostgreSQL past the pooler; kept open, opened again when it was lost. */
  async postgres(): Promise<Result<Postgres>> {
    const known = this.#postgres;
    const current = await known;
    if (current?.ok && current.value.open) return current;
    // Of several who find it lost at the same time one opens it: the others' would never be closed.
    if (this.#postgres === known) this.#postgres = this.#openPostgres();
    return this.#postgres ?? this.postgres();
  }

  async #openPostgres(): Promise<Result<Postgres>> {
    const { plan, secrets, signal } = this.#options;
    if (!secrets.role) return fail('secret-missing', `the password of ${plan.postgres.role} is not known yet`);
    const route = await this.#route();
    if (!route.ok) return route;
    return openPostgres({
      ...route.value,
      user: plan.postgres.role,
      password: secrets.role,
      database: plan.postgres.database,
      signal,
    });
  }

  /**
   * A session of the role in `postgres.adminSecret`, which sees the sessions of every role, and as a superuser pg_authid and
   * pg_hba_file_rules. Undefined when the plan names none. Kept open, opened again when it was lost.
   */
  async admin(): Promise<Result<Postgres> | undefined> {
    const { adminSecret } = this.#options.plan.postgres;
    if (!adminSecret) return undefined;
    const known = this.#admin;
    const current = await known;
    if (current?.ok && current.value.open) return current;
    if (this.#admin === known) this.#admin = this.#openAdmin(adminSecret);
    return this.#admin;
  }

  async #openAdmin(from: NonNullable<Plan['postgres']['adminSecret']>): Promise<Result<Postgres>> {
    const { kube, namespace, plan, signal } = this.#options;
    const found = await kube.get(ref('Secret', namespace, from.name), { signal });
    if (!found.ok) return found;
    const value = (key: string): string | undefined => {
      const data: unknown = found.value.data?.[key];
      return typeof data === 'string' ? Buffer.from(data, 'base64').toString('utf8') : undefined;
    };
    const user = from.userKey ? value(from.userKey) : (from.user ?? 'postgres');
    const password = value(from.passwordKey);
    if (!user || password === undefined) {
      return fail('secret-missing', `the Secret ${from.name} has no ${user ? from.passwordKey : from.userKey}`, {
        next: ['Correct postgres.adminSecret in the plan.'],
      });
    }
    const route = await this.#route();
    if (!route.ok) return route;
    return openPostgres({
      ...route.value,
      user,
      password: new Secret(password),
      database: plan.postgres.database,
      signal,
    });
  }

  /** The session that sees most: the admin's when the plan names one that can log in, else the role's own. */
  async inspector(): Promise<Result<Postgres>> {
    const admin = await this.admin();
    return admin?.ok ? admin : this.postgres();
  }

  /** The way to the server, found once a session: its pod may have moved by the next. */
  async #route(): Promise<Result<PostgresRoute>> {
    const { kube, namespace, plan, signal } = this.#options;
    const isStandby = (connect: Connect) => this.#isStandby(connect);
    const route = await findPostgresRoute({ kube, namespace, postgres: plan.postgres, isStandby, signal });
    if (route.ok) this.#postgresPod = route.value.pod;
    return route;
  }

  /** True only when it says so; a pod that can't be asked stays a candidate, so that its error is the one that is told. */
  async #isStandby(connect: Connect): Promise<boolean> {
    const { plan, secrets, signal } = this.#options;
    if (!secrets.role) return false;
    const session = await openPostgres({
      connect,
      user: plan.postgres.role,
      password: secrets.role,
      database: plan.postgres.database,
      signal,
    });
    if (!session.ok) return false;
    try {
      const asked = await session.value.query('select pg_is_in_recovery() as standby');
      return asked.ok && asked.value[0]?.standby === true;
    } finally {
      await session.value.close();
    }
  }

  get postgresPod(): string | undefined {
    return this.#postgresPod;
  }

  /** Who is connected to PostgreSQL how. Falls back to a session through a pooler when PostgreSQL has no pod here. */
  async activity(podIps: ReadonlyMap<string, PodOwner>): Promise<Result<Activity>> {
    const { plan } = this.#options;
    const options = { podIps, role: plan.postgres.role, database: plan.postgres.database };
    const direct = await this.inspector();
    if (direct.ok) {
      const seen = await readActivity(direct.value, options);
      if (seen.ok || direct.value.open) return seen;
      const again = await this.inspector();
      return again.ok ? readActivity(again.value, options) : again;
    }
    const pods = await this.pods();
    const pod = pods.ok ? pods.value.find((one) => one.ready) : undefined;
    if (!pod) return direct;
    const through = await this.throughPooler(pod.name);
    if (!through.ok) return direct;
    try {
      return await readActivity(through.value, options);
    } finally {
      await through.value.close();
    }
  }

  async close(): Promise<void> {
    for (const session of [await this.#postgres, await this.#admin]) if (session?.ok) await session.value.close();
    await this.#watcher?.done;
  }
}

/** By its port, then by what its image is called; an exporter beside it has neither. */
export function poolerContainer(pod: KubeObject, port: number): string {
  const containers: { name: string; image?: string; ports?: { containerPort: number }[] }[] =
    pod.spec?.containers ?? [];
  const found =
    containers.find((one) => one.ports?.some(({ containerPort }) => containerPort === port)) ??
    containers.find((one) => one.name === 'pgbouncer') ??
    containers.find((one) => /pgbouncer(?!.*exporter)/.test(one.image ?? ''));
  return found?.name ?? containers[0]?.name ?? 'pgbouncer';
}
