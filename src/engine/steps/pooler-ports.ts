/**
 * The wizard's doors to PgBouncer and PostgreSQL: a port-forward to each pooler *pod* (through the Service one would see
 * one replica of several), and a session in PostgreSQL that tells who is connected how.
 */
import { listOf, ref } from '../kube/refs.ts';
import { portInPod, targetPortOf } from '../kube/service-ports.ts';
import type { Kube, KubeObject } from '../kube/types.ts';
import type { AdminConsole, PodOwner, PoolerClients } from '../pgbouncer/console-types.ts';
import { createPoolWatcher, type PoolWatcher } from '../pgbouncer/pools.ts';
import type { Connect } from '../pgbouncer/types.ts';
import { type Login, loginsOf } from '../plan/logins.ts';
import type { Plan } from '../plan/schema.ts';
import { readActivity } from '../postgres/activity.ts';
import { openPostgres } from '../postgres/connect.ts';
import type { Activity, Postgres } from '../postgres/types.ts';
import { fail, ok, type Result } from '../result.ts';
import type { Clock } from '../run/clock.ts';
import type { PoolsView } from '../run/model.ts';
import { Secret } from '../secret.ts';
import { workloadOf } from './fleet.ts';
import { findPostgresRoute, isReady, type PostgresRoute } from './postgres-route.ts';
import { type RunSecrets, secretsOf } from './run-secrets.ts';
import type { SeenPods } from './seen-pods.ts';

export interface PoolerPod {
  readonly name: string;
  readonly ready: boolean;
  readonly ip?: string;
  readonly workload?: string;
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

/** What the Service of the pooler says: which pods, and which port of them. */
interface PoolerService {
  readonly labels: Readonly<Record<string, string>>;
  readonly targetPort?: number | string;
}

/** A Service's selector is changed by hand, if ever. */
const SELECTOR_MS = 30_000;

export class PoolerPorts {
  readonly #options: PoolerPortsOptions;
  #watcher: PoolWatcher | undefined;
  readonly #postgres = new Map<string, Promise<Result<Postgres>>>();
  #postgresPod: string | undefined;
  #admin: Promise<Result<Postgres>> | undefined;
  #service: { readonly read: PoolerService; readonly readAt: number } | undefined;
  /** Port that PgBouncer listens on, by pod. */
  readonly #ports = new Map<string, number>();

  constructor(options: PoolerPortsOptions) {
    this.#options = options;
  }

  /** The pods of the pooler, by the Service's selector (the operator's own manifests may label them as they like). */
  async pods(signal: AbortSignal = this.#options.signal): Promise<Result<PoolerPod[]>> {
    const { kube, namespace } = this.#options;
    const service = await this.#readService(signal);
    const labelSelector = Object.entries(service.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    const listed = await kube.list(listOf('Pod', namespace, { labelSelector }), { signal });
    return listed.ok ? ok(this.#running(listed.value.items, service)) : listed;
  }

  /** The same from the watch of the pods, as fresh as that is; listed where it is not alive. */
  async seenPods(): Promise<Result<PoolerPod[]>> {
    const seen = await this.#options.seen?.items();
    if (!seen) return this.pods();
    if (!this.#service || performance.now() - this.#service.readAt > SELECTOR_MS) {
      this.#service = { read: await this.#readService(this.#options.signal), readAt: performance.now() };
    }
    const { read } = this.#service;
    const wanted = Object.entries(read.labels);
    return ok(
      this.#running(
        seen.filter((pod) => wanted.every(([key, value]) => pod.metadata.labels?.[key] === value)),
        read,
      ),
    );
  }

  #running(pods: readonly KubeObject[], { targetPort }: PoolerService): PoolerPod[] {
    const { port } = this.#options.plan.pooler;
    for (const pod of pods) this.#ports.set(pod.metadata.name, portInPod(pod, targetPort ?? port) ?? port);
    return pods
      .filter((pod) => pod.metadata.deletionTimestamp === undefined && pod.status?.phase === 'Running')
      .map((pod) => ({
        name: pod.metadata.name as string,
        ready: isReady(pod),
        ip: pod.status?.podIP,
        ...(workloadOf(pod) === undefined ? {} : { workload: workloadOf(pod) }),
        container: poolerContainer(pod, this.#ports.get(pod.metadata.name) ?? port),
      }));
  }

  /** What the Service of the pooler says: which pods, and which port of them. */
  async #readService(signal: AbortSignal): Promise<PoolerService> {
    const { kube, namespace, plan } = this.#options;
    const { name, port } = plan.pooler;
    const found = await kube.get(ref('Service', namespace, name), { signal });
    const labels: Record<string, string> = (found.ok ? found.value.spec?.selector : undefined) ?? {};
    const targetPort = targetPortOf(found.ok ? found.value : undefined, port);
    return {
      labels: Object.keys(labels).length > 0 ? labels : { app: name },
      ...(targetPort === undefined ? {} : { targetPort }),
    };
  }

  connect(pod: string): Connect {
    const { kube, namespace, plan } = this.#options;
    return () => kube.portForward(namespace, pod, this.#ports.get(pod) ?? plan.pooler.port);
  }

  /** Starts the live view of the pools, when the admin's password is known. Safe to call again. */
  watch(): void {
    const { secrets, plan, clock, signal, everyMs, onSample } = this.#options;
    if (this.#watcher || !secrets.admin || signal.aborted) return;
    this.#watcher = createPoolWatcher({
      poolers: async (fresh) => {
        const pods = fresh ? await this.pods() : await this.seenPods();
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

  /** A session of one of the plan's logins (its own unless told otherwise) through one pooler pod. The caller closes it. */
  async throughPooler(pod: string, login: Login = loginsOf(this.#options.plan)[0]!): Promise<Result<Postgres>> {
    const { plan, secrets, signal } = this.#options;
    const { password } = secretsOf(secrets, plan, login.role);
    if (!password) return fail('secret-missing', `the password of ${login.role} is not known yet`);
    return openPostgres({
      connect: this.connect(pod),
      user: login.role,
      password,
      database: login.database,
      signal,
    });
  }

  /** The session that looks at PostgreSQL past the pooler, of one of the plan's logins; kept open, opened again when it was lost. */
  async postgres(login: Login = loginsOf(this.#options.plan)[0]!): Promise<Result<Postgres>> {
    const key = `${login.role}\0${login.database}`;
    const known = this.#postgres.get(key);
    const current = await known;
    if (current?.ok && current.value.open) return current;
    // Of several who find it lost at the same time one opens it: the others' would never be closed.
    if (this.#postgres.get(key) === known) this.#postgres.set(key, this.#openPostgres(login));
    return this.#postgres.get(key) ?? this.postgres(login);
  }

  async #openPostgres(login: Login): Promise<Result<Postgres>> {
    const { plan, secrets } = this.#options;
    const { password } = secretsOf(secrets, plan, login.role);
    if (!password) return fail('secret-missing', `the password of ${login.role} is not known yet`);
    return this.sessionWith(login, password);
  }

  /** A session of its own past the pooler, with any password. The caller closes it. */
  async sessionWith(login: Login, password: Secret): Promise<Result<Postgres>> {
    const route = await this.#route();
    if (!route.ok) return route;
    const { signal } = this.#options;
    return openPostgres({ ...route.value, user: login.role, password, database: login.database, signal });
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

  /** The same in another database; the caller closes it. */
  async adminIn(database: string): Promise<Result<Postgres> | undefined> {
    const { adminSecret } = this.#options.plan.postgres;
    return adminSecret ? this.#openAdmin(adminSecret, database) : undefined;
  }

  async #openAdmin(
    from: NonNullable<Plan['postgres']['adminSecret']>,
    database: string = this.#options.plan.postgres.database,
  ): Promise<Result<Postgres>> {
    const { kube, namespace, signal } = this.#options;
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
      database,
      signal,
    });
  }

  /** The session that sees most: the admin's when the plan names one that can log in, else the role's own. */
  async inspector(): Promise<Result<Postgres>> {
    const admin = await this.admin();
    return admin?.ok ? admin : this.postgres();
  }

  /**
   * Sessions that together see all that the plan's roles do: the admin's alone, else one of each role, because a role sees
   * of another's sessions only that they exist. `role` is absent for the admin's. The error is the first role's.
   */
  async inspectors(): Promise<Result<readonly { readonly role?: string; readonly session: Postgres }[]>> {
    const admin = await this.admin();
    if (admin?.ok) return ok([{ session: admin.value }]);
    const sessions: { role: string; session: Postgres }[] = [];
    for (const login of loginsOf(this.#options.plan)) {
      if (sessions.some((one) => one.role === login.role)) continue;
      const session = await this.postgres(login);
      if (!session.ok) return session;
      sessions.push({ role: login.role, session: session.value });
    }
    return ok(sessions);
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

  /** Who is connected to PostgreSQL how. Falls back to sessions through a pooler when PostgreSQL has no pod here. */
  async activity(podIps: ReadonlyMap<string, PodOwner>): Promise<Result<Activity>> {
    const options = { podIps, logins: loginsOf(this.#options.plan) };
    const direct = await this.inspectors();
    if (direct.ok) {
      const seen = await readActivity(direct.value, options);
      if (seen.ok || direct.value.every((one) => one.session.open)) return seen;
      const again = await this.inspectors();
      return again.ok ? readActivity(again.value, options) : again;
    }
    const pods = await this.pods();
    const pod = pods.ok ? pods.value.find((one) => one.ready) : undefined;
    if (!pod) return direct;
    const through: { role: string; session: Postgres }[] = [];
    try {
      for (const login of loginsOf(this.#options.plan)) {
        if (through.some((one) => one.role === login.role)) continue;
        const session = await this.throughPooler(pod.name, login);
        if (!session.ok) return direct;
        through.push({ role: login.role, session: session.value });
      }
      return await readActivity(through, options);
    } finally {
      for (const { session } of through) await session.close();
    }
  }

  async close(): Promise<void> {
    for (const opening of [...this.#postgres.values(), this.#admin]) {
      const session = await opening;
      if (session?.ok) await session.value.close();
    }
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
