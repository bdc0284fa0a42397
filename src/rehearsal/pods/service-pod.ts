/**
 * The program of a service pod: a small web service with a connection pool to the database its environment names. It
 * answers its health endpoint from the database, runs light live load once it has been connected, logs, and drains on
 * SIGTERM: no new work, the running queries end, the pool closes, exit 0.
 */
import { createServer, type Server } from 'node:http';
import { Pool, type PoolClient } from 'pg';
import { type DatabaseAddress, findDatabase } from './dsn.ts';
import type { RouteTable } from './routes.ts';
import { podSocket } from './service-socket.ts';
import type { LoadCounts, ServiceSpec } from './worker-messages.ts';

export interface ServicePodPort {
  log(line: string): void;
  started(): void;
  load(counts: LoadCounts): void;
  exit(code: number): void;
}

const HEALTH_TIMEOUT_MS = 900;
const REPORT_EVERY_MS = 250;
/** A service that could not connect tries again this often. */
const RECONNECT_MS = 500;
const DRAIN_MS = 5_000;
const MAX_LIFETIME_SECONDS = 45;
/** From the start of a program to its crash, with the fault `crashloop`. */
const CRASH_MS = 600;
const HOARDED_TRANSACTIONS = 70;
const SLOW_SECONDS = 12;
const ROWS = 1000;

export class ServicePod {
  readonly #spec: ServiceSpec;
  readonly #routes: RouteTable;
  readonly #port: ServicePodPort;
  readonly #servers: Server[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #database: DatabaseAddress | undefined;
  readonly #pool: Pool | undefined;
  readonly #hoard: Pool | undefined;
  /** The fault bites only a pod that is configured for the pooler. */
  readonly #fault: string | undefined;
  /** `DATABASE_CONNECT`: `on-demand` connects when a request comes, `briefly` opens a connection for each piece of work. */
  readonly #manner: string | undefined;
  #counts: LoadCounts = emptyCounts();
  #connected = false;
  #stopping = false;
  #gone = false;
  #running = 0;
  #served = 0;

  constructor(spec: ServiceSpec, routes: RouteTable, port: ServicePodPort) {
    this.#spec = spec;
    this.#routes = routes;
    this.#port = port;
    this.#manner = new Map(spec.env).get('DATABASE_CONNECT');
    this.#database = findDatabase(new Map(spec.env), spec.args, spec.files);
    const pooled = this.#database ? (routes.service(this.#database.host, spec.namespace)?.pooler ?? false) : false;
    this.#fault = pooled ? spec.fault : undefined;
    if (this.#database) {
      this.#pool = this.#newPool(this.#database, spec.connections);
      if (this.#fault === 'pool-exhausted') this.#hoard = this.#newPool(this.#database, HOARDED_TRANSACTIONS);
    }
  }

  async start(): Promise<void> {
    const { service, ports, ip } = this.#spec;
    this.#port.log(`INFO  starting ${service}`);
    await new Promise((resolve) => this.#after(this.#spec.boot, () => resolve(undefined)));
    if (this.#gone) return;
    // Like most services it connects before it listens; when that fails it listens all the same and says 503.
    const eager = this.#database !== undefined && this.#manner !== 'on-demand';
    if (eager && (await this.#tryConnect()) && this.#fault !== 'crashloop') this.#beginLoad();
    if (this.#gone) return;
    if (this.#fault === 'crashloop') {
      // It never listens: a pod that were Ready for a moment would let the rollout take the good ones away.
      this.#port.started();
      this.#after(CRASH_MS, () => {
        this.#port.log('ERROR panicked at src/db.rs:41: prepared statement "sqlx_s_1" already exists');
        this.#exit(1);
      });
      return;
    }
    for (const port of ports) this.#servers.push(await this.#listen(port, ip));
    this.#port.log(`INFO  listening on ${ports.map((port) => `0.0.0.0:${port}`).join(', ') || 'no port'}`);
    this.#port.started();
    this.#every(REPORT_EVERY_MS, () => this.#report());
    if (eager && !this.#connected) void this.#reconnect();
  }

  /** SIGTERM. */
  async terminate(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#port.log('INFO  SIGTERM received, draining');
    const deadline = Date.now() + DRAIN_MS;
    while (this.#running > 0 && Date.now() < deadline && !this.#gone)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.#hoard?.end().catch(() => undefined);
    await Promise.race([
      this.#pool?.end().catch((error: Error) => this.#port.log(`WARN  pool: ${error.message}`)),
      new Promise((resolve) => setTimeout(resolve, 1000)),
    ]);
    this.#port.log('INFO  drained, bye');
    this.#exit(0);
  }

  kill(): void {
    this.#exit(137);
  }

  #newPool(database: DatabaseAddress, max: number): Pool {
    const { namespace, ip, bind, service } = this.#spec;
    const pool = new Pool({
      host: database.host,
      port: database.port,
      user: database.user,
      password: this.#fault === 'bad-password' ? `${database.password}-rotated` : database.password,
      database: database.database,
      application_name: service,
      max,
      idleTimeoutMillis: this.#manner === 'briefly' ? 1 : 0,
      // As a service behind a pooler should: a pooler that ends waits this long for its clients to leave.
      maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
      connectionTimeoutMillis: 5_000,
      stream: () => podSocket(this.#routes, { namespace, ip, bind }),
    });
    const lost = (error: Error) => {
      if (!this.#gone && !this.#stopping) this.#port.log(`WARN  connection lost: ${error.message}`);
    };
    pool.on('error', lost);
    // The pool listens to idle clients only; one that is lost while it is lent out would end the worker.
    pool.on('connect', (client) => client.on('error', lost));
    return pool;
  }

  async #tryConnect(): Promise<boolean> {
    const { host, port, database, user, from } = this.#database as DatabaseAddress;
    try {
      await (this.#pool as Pool).query('select 1');
      this.#connected = true;
      this.#port.log(
        `INFO  connected to ${host}:${port}/${database} as ${user} (from ${from}, pool ${this.#spec.connections})`,
      );
      return true;
    } catch (error) {
      if (this.#gone) return false;
      const { message } = error as Error;
      this.#count(message, false);
      this.#port.log(`ERROR could not connect to ${host}:${port}: ${message}`);
      return false;
    }
  }

  async #reconnect(): Promise<void> {
    while (!this.#stopping && !this.#gone) {
      await new Promise((resolve) => this.#after(RECONNECT_MS, () => resolve(undefined)));
      if (await this.#tryConnect()) return this.#beginLoad();
    }
  }

  #beginLoad(): void {
    const gap = 1000 / this.#spec.rate;
    const next = () => {
      if (this.#stopping || this.#gone) return;
      if (this.#running < this.#spec.connections) void this.#request();
      this.#after(gap * (0.5 + Math.random()), next);
    };
    this.#after(gap * Math.random(), next);
    if (this.#fault === 'pool-exhausted') this.#after(1500, () => this.#exhaust());
  }

  /** Opens transactions and leaves them open, as an application that forgets to commit does. */
  #exhaust(): void {
    this.#port.log('WARN  lost track of open transactions');
    for (let i = 0; i < HOARDED_TRANSACTIONS; i++) {
      const hold = async () => {
        const client: PoolClient = await (this.#hoard as Pool).connect();
        await client.query('begin');
        await client.query('select 1');
      };
      hold().catch((error: Error) => {
        if (!this.#gone && !this.#stopping) this.#port.log(`ERROR ${error.message}`);
      });
    }
  }

  async #request(): Promise<void> {
    this.#running++;
    const begun = performance.now();
    try {
      await this.#work();
      const took = performance.now() - begun;
      this.#counts.queries++;
      this.#counts.milliseconds += took;
      this.#served++;
      if (this.#served % 25 === 1)
        this.#port.log(`INFO  ${this.#served} requests served, last 200 in ${took.toFixed(1)} ms`);
    } catch (error) {
      if (!this.#gone) {
        const message = (error as Error).message;
        this.#count(message, true);
        this.#port.log(`ERROR request failed: ${message}`);
      }
    } finally {
      this.#running--;
    }
  }

  async #work(): Promise<void> {
    const pool = this.#pool as Pool;
    if (this.#fault === 'slow-queries') {
      await pool.query(`select pg_sleep(${SLOW_SECONDS})`);
      return;
    }
    const id = 1 + Math.floor(Math.random() * ROWS);
    const dice = Math.random();
    if (dice < 0.7) await pool.query('select id, body, n from items where id = $1', [id]);
    else if (dice < 0.9) await this.#transaction(id);
    else await pool.query('insert into events (service, kind) values ($1, $2)', [this.#spec.service, 'request']);
  }

  async #transaction(id: number): Promise<void> {
    const client = await (this.#pool as Pool).connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      await client.query('update items set n = n + 1, updated_at = now() where id = $1', [id]);
      await client.query('select n from items where id = $1', [id]);
      await client.query('commit');
    } catch (error) {
      broken = error as Error;
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** `failed` counts what a client of the service would have noticed: a query of a pod that had been connected. */
  #count(message: string, failed: boolean): void {
    if (failed) {
      this.#counts.queries++;
      this.#counts.failed++;
    }
    this.#counts.errors[message] = (this.#counts.errors[message] ?? 0) + 1;
  }

  #report(): void {
    const counts = this.#counts;
    if (counts.queries === 0 && Object.keys(counts.errors).length === 0) return;
    this.#counts = emptyCounts();
    this.#port.load(counts);
  }

  async #healthy(): Promise<string | undefined> {
    if (this.#fault === 'never-ready') return 'warming up';
    if (!this.#pool || this.#manner === 'on-demand') return undefined;
    if (!this.#connected) return 'database is not connected';
    // A slow database is not a dead one: this fault shows in the pooler's figures, not in the health endpoint.
    if (this.#fault === 'slow-queries') return undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('database did not answer in time')), HEALTH_TIMEOUT_MS);
      });
      await Promise.race([this.#pool.query('select 1'), timeout]);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    } finally {
      clearTimeout(timer);
    }
  }

  #listen(port: number, ip: string): Promise<Server> {
    const server = createServer((request, response) => {
      const health = /health|ready|live/.test(request.url ?? '');
      const answer = (status: number, body: object) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(`${JSON.stringify(body)}\n`);
      };
      if (!health) {
        if (this.#manner === 'on-demand' && this.#pool) void this.#request();
        return answer(200, { service: this.#spec.service, pod: this.#spec.name });
      }
      void this.#healthy().then((problem) => {
        if (problem) this.#port.log(`WARN  GET ${request.url} 503 ${problem}`);
        answer(problem ? 503 : 200, problem ? { status: 'unhealthy', reason: problem } : { status: 'healthy' });
      });
      return undefined;
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, ip, () => resolve(server));
    });
  }

  #after(milliseconds: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, milliseconds);
    this.#timers.add(timer);
  }

  #every(milliseconds: number, then: () => void): void {
    this.#timers.add(setInterval(then, milliseconds));
  }

  #exit(code: number): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#report();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    if (code !== 0) for (const pool of [this.#pool, this.#hoard]) pool?.end().catch(() => undefined);
    this.#port.exit(code);
  }
}

const emptyCounts = (): LoadCounts => ({ queries: 0, failed: 0, milliseconds: 0, errors: {} });
