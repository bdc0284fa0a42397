/**
 * The pools as they are: one console per pooler *pod* (through the Service one would see one replica, and not know
 * which), `SHOW POOLS` by column name, rates from the counters of `SHOW STATS`. A pod that is replaced gets a new console;
 * a pod that does not answer keeps its last rows, and says how old they are.
 */
import type { Clock } from '../run/clock.ts';
import type { PoolerView, PoolRow, PoolSample, PoolsView } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Secret } from '../secret.ts';
import { openConsole } from './console.ts';
import type { AdminConsole, ClientAttribution, ConsoleRow, PodOwner, PoolerEndpoint } from './console-types.ts';
import type { PgBouncerVersion } from './types.ts';

export interface PoolWatcherOptions {
  /**
   * The pooler pods that exist now; asked before every sample. May throw or reject when the cluster cannot be asked. `fresh`:
   * somebody waits for this sample; for the watcher's own, a list that is moments old will do.
   */
  readonly poolers: (fresh: boolean) => Promise<readonly PoolerEndpoint[]>;
  readonly user: string;
  readonly password: Secret;
  /** Real milliseconds between two samples. */
  readonly everyMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onSample?: (view: PoolsView) => void;
  /** Entries kept in `PoolsView.history`. Default 120. */
  readonly historyLimit?: number;
  /** Of each console command. Default 3000. */
  readonly timeoutMs?: number;
}

export interface PoolWatcher {
  view(): PoolsView;
  /** Takes a sample now (or joins the one under way) and answers the new view. */
  refresh(): Promise<PoolsView>;
  /** A sample that begins after this call, so that it shows what was done before it. Callers of the same moment share one. */
  fresh(): Promise<PoolsView>;
  /** The console of a pod, opened when needed, for CLIENTS, CONFIG, RECONNECT … Undefined while it cannot be reached. */
  console(pod: string): Promise<AdminConsole | undefined>;
  pods(): readonly string[];
  /** Resolves when the loop has ended after the signal; consoles are closed. */
  readonly done: Promise<void>;
}

interface Totals {
  readonly at: number;
  readonly queries: number;
  readonly queryUs: number;
  readonly waitUs: number;
}

interface PoolerState {
  readonly pod: string;
  connect: PoolerEndpoint['connect'];
  console?: AdminConsole;
  version?: PgBouncerVersion;
  error?: string;
  /** Real time (performance.now) of the newest good sample. */
  sampledAt?: number;
  rows: readonly PoolRow[];
  totals: Map<string, Totals>;
}

const number = (row: ConsoleRow, column: string): number => {
  const value = Number(row[column] ?? 0);
  return Number.isFinite(value) ? value : 0;
};
const text = (row: ConsoleRow, column: string): string => sanitiseLine(row[column] ?? '', 128);

/** Rates of one database between two readings of its counters; nothing when the counters went back (a restart). */
export function ratesBetween(
  before: Totals | undefined,
  after: Totals,
): Pick<PoolRow, 'queriesPerSecond' | 'avgQueryMs' | 'avgWaitMs'> {
  if (!before) return {};
  const seconds = (after.at - before.at) / 1000;
  const queries = after.queries - before.queries;
  if (seconds <= 0 || queries < 0) return {};
  if (queries === 0) return { queriesPerSecond: 0 };
  return {
    queriesPerSecond: queries / seconds,
    // query_time includes the time a client waited for a server; wait_time is booked when the wait ends. Both in µs.
    avgQueryMs: Math.max(0, after.queryUs - before.queryUs) / queries / 1000,
    avgWaitMs: Math.max(0, after.waitUs - before.waitUs) / queries / 1000,
  };
}

/** `SHOW POOLS` rows of any version (by name), without the console's own pool. */
export function poolRows(
  pod: string,
  pools: readonly ConsoleRow[],
  rates: ReadonlyMap<string, ReturnType<typeof ratesBetween>>,
): PoolRow[] {
  // The counters are a database's: with several roles in it the rates stand in one row, or a sum would count them twice.
  const told = new Set<string>();
  const ratesOf = (database: string) => {
    if (told.has(database)) return undefined;
    told.add(database);
    return rates.get(database);
  };
  return pools
    .filter((row) => row.database !== 'pgbouncer')
    .map((row) => ({
      pod,
      database: text(row, 'database'),
      user: text(row, 'user'),
      clActive: number(row, 'cl_active'),
      clWaiting: number(row, 'cl_waiting'),
      svActive: number(row, 'sv_active'),
      svIdle: number(row, 'sv_idle'),
      svUsed: number(row, 'sv_used'),
      svTested: number(row, 'sv_tested'),
      svLogin: number(row, 'sv_login'),
      maxwaitMs: number(row, 'maxwait') * 1000 + number(row, 'maxwait_us') / 1000,
      poolMode: text(row, 'pool_mode'),
      ...ratesOf(String(row.database)),
    }));
}

/** Starts watching; the first sample begins at once. Never throws; ends with the signal. */
export function createPoolWatcher(options: PoolWatcherOptions): PoolWatcher {
  const { clock, signal, everyMs } = options;
  const timeoutMs = options.timeoutMs ?? 3000;
  const states = new Map<string, PoolerState>();
  const opening = new Map<string, Promise<AdminConsole | undefined>>();
  let history: PoolSample[] = [];
  let queries = 0;
  let discovery: string | undefined;

  const openFor = (state: PoolerState): Promise<AdminConsole | undefined> => {
    if (state.console?.open) return Promise.resolve(state.console);
    const running = opening.get(state.pod);
    if (running) return running;
    const attempt = (async () => {
      const opened = await openConsole({
        connect: state.connect,
        user: options.user,
        password: options.password,
        timeoutMs,
        signal,
      });
      if (!opened.ok) {
        state.error = opened.error.message;
        return undefined;
      }
      // The pod may have gone, or the watcher ended, while its console was being opened.
      if (signal.aborted || states.get(state.pod) !== state) {
        await opened.value.close();
        return undefined;
      }
      state.console = opened.value;
      const version = await opened.value.version();
      if (version.ok) state.version = version.value;
      // A new process counts from zero.
      state.totals = new Map();
      return opened.value;
    })().finally(() => opening.delete(state.pod));
    opening.set(state.pod, attempt);
    return attempt;
  };

  const sample = async (state: PoolerState): Promise<void> => {
    const console = await openFor(state);
    if (!console) return;
    const pools = await console.show('POOLS');
    const stats = pools.ok ? await console.show('STATS') : pools;
    if (!pools.ok || !stats.ok) {
      state.error = (!pools.ok ? pools.error : !stats.ok ? stats.error : undefined)?.message;
      await console.close();
      return;
    }
    const at = performance.now();
    const rates = new Map<string, ReturnType<typeof ratesBetween>>();
    for (const row of stats.value) {
      const database = String(row.database);
      const now: Totals = {
        at,
        queries: number(row, 'total_query_count'),
        queryUs: number(row, 'total_query_time'),
        waitUs: number(row, 'total_wait_time'),
      };
      const before = state.totals.get(database);
      if (before && database !== 'pgbouncer' && now.queries >= before.queries) queries += now.queries - before.queries;
      rates.set(database, ratesBetween(before, now));
      state.totals.set(database, now);
    }
    state.rows = poolRows(state.pod, pools.value, rates);
    state.sampledAt = at;
    state.error = undefined;
  };

  const view = (): PoolsView => {
    const now = performance.now();
    const poolers: PoolerView[] = [...states.values()].map((state) => {
      const ageMs = state.sampledAt === undefined ? 0 : Math.round(now - state.sampledAt);
      const late = state.sampledAt === undefined || ageMs > everyMs * 2 + timeoutMs;
      return {
        pod: state.pod,
        ...(state.version ? { version: state.version.text } : {}),
        state: state.error !== undefined ? (late ? 'down' : 'stale') : late ? 'stale' : 'ok',
        ageMs,
        ...((state.error ?? discovery) ? { error: state.error ?? discovery } : {}),
      };
    });
    return { poolers, rows: [...states.values()].flatMap((state) => state.rows), history, everyMs, queries };
  };

  const discover = async (fresh: boolean): Promise<void> => {
    try {
      const endpoints = await options.poolers(fresh);
      discovery = undefined;
      const wanted = new Set(endpoints.map((endpoint) => endpoint.pod));
      for (const [pod, state] of states) {
        if (wanted.has(pod)) continue;
        states.delete(pod);
        await state.console?.close();
      }
      for (const { pod, connect } of endpoints) {
        const state = states.get(pod);
        if (state) state.connect = connect;
        else states.set(pod, { pod, connect, rows: [], totals: new Map() });
      }
    } catch (error) {
      // The cluster could not be asked: keep watching the pods known so far, and say so in the view.
      discovery = sanitiseLine((error as Error)?.message ?? error, 200);
    }
  };

  let current: Promise<PoolsView> | undefined;
  const refresh = (asked = true): Promise<PoolsView> => {
    current ??= (async () => {
      await discover(asked);
      await Promise.all([...states.values()].map(sample));
      const next = view();
      if (next.poolers.some((pooler) => pooler.state === 'ok')) {
        history = [...history, { at: new Date(clock.now()).toISOString(), rows: next.rows }].slice(
          -(options.historyLimit ?? 120),
        );
      }
      const seen = { ...next, history };
      if (!signal.aborted) options.onSample?.(seen);
      return seen;
    })().finally(() => {
      current = undefined;
    });
    return current;
  };

  let next: Promise<PoolsView> | undefined;
  const fresh = (): Promise<PoolsView> => {
    if (!current) return refresh();
    next ??= current.then(() => {
      next = undefined;
      return refresh();
    });
    return next;
  };

  /** A sample that waits for a silent cluster: what is on the screen meanwhile grows older, and says so. */
  const showAge = (): void => {
    if (!signal.aborted) options.onSample?.({ ...view(), history });
  };

  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      const ageing = setInterval(showAge, everyMs);
      await refresh(false).finally(() => clearInterval(ageing));
      try {
        await clock.sleep(everyMs, signal);
      } catch (error) {
        // The clock rejects with the signal's reason: the only way out of the loop.
        if (!signal.aborted) throw error;
      }
    }
    await Promise.all([...states.values()].map((state) => state.console?.close()));
  };

  return {
    view,
    refresh,
    fresh,
    async console(pod) {
      const state = states.get(pod);
      return state ? openFor(state) : undefined;
    },
    pods: () => [...states.keys()],
    done: loop(),
  };
}

/** Who the clients of the poolers are: `SHOW CLIENTS` rows of all poolers, by pod address. Console sessions do not count. */
export function attributeClients(
  rows: readonly ConsoleRow[],
  podIps: ReadonlyMap<string, PodOwner>,
): ClientAttribution {
  const byService = new Map<string, number>();
  const unknown = new Map<string, { address: string; applicationName: string; count: number }>();
  for (const { service } of podIps.values()) if (service) byService.set(service, 0);
  for (const row of rows) {
    if (row.type !== 'C' || row.database === 'pgbouncer') continue;
    const address = normaliseAddress(text(row, 'addr'));
    const service = podIps.get(address)?.service;
    if (service) {
      byService.set(service, (byService.get(service) ?? 0) + 1);
      continue;
    }
    const applicationName = text(row, 'application_name');
    const key = `${address} ${applicationName}`;
    const entry = unknown.get(key) ?? { address, applicationName, count: 0 };
    entry.count++;
    unknown.set(key, entry);
  }
  return { byService, unknown: [...unknown.values()] };
}

/** `::ffff:10.0.0.1` and `10.0.0.1/32` are the pod address `10.0.0.1`. */
export function normaliseAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/\/\d+$/, '');
}
