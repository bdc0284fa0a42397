/**
 * The exporter side-car: the metrics of prometheus-community's pgbouncer_exporter 0.12, read from the pod's real pooler on
 * each scrape with the connection string of the container's environment or flags.
 */
import { createServer } from 'node:http';
import pg from 'pg';
import type { Json } from '../contract.ts';
import type { ContainerContext, ContainerExit, RunningContainer } from './container.ts';
import { parseDatabase } from './dsn.ts';
import { expand } from './environment.ts';
import { type Metric, renderMetrics, rowsToMetrics } from './exporter-metrics.ts';

const DEFAULT_PORT = 9127;
const DEFAULT_ADDRESS = 'postgres://postgres:@localhost:6543/pgbouncer?sslmode=disable';

export async function startExporter(context: ContainerContext): Promise<RunningContainer> {
  const { container, env, ip, log, machine } = context;
  const words = [...(container.command ?? []), ...(container.args ?? [])].map((text: string) =>
    expand(text, (name) => env.get(name)),
  );
  const flag = words.find((word) => /^--pgBouncer\.connectionString=/.test(word))?.replace(/^[^=]*=/, '');
  const address = parseDatabase(flag ?? env.get('PGBOUNCER_EXPORTER_CONNECTION_STRING') ?? DEFAULT_ADDRESS);
  const wanted = Number(
    words.find((word) => /^--web\.listen-address=/.test(word))?.match(/:(\d+)$/)?.[1] ??
      container.ports?.[0]?.containerPort ??
      DEFAULT_PORT,
  );
  const port = await context.publish(wanted);
  const sockets = new Set<{ destroy(): void }>();

  const scrape = async (): Promise<Metric[]> => {
    if (!address) throw new Error('the connection string could not be parsed');
    const local = address.host === 'localhost' || address.host === '127.0.0.1';
    const service = local ? undefined : machine.routes.resolve(address.host, address.port, context.namespace);
    const target =
      service?.kind === 'endpoint'
        ? service
        : { host: local ? ip : address.host, port: local ? await context.publish(address.port) : address.port };
    const client = new pg.Client({
      host: target.host,
      port: target.port,
      user: address.user,
      password: address.password,
      database: address.database,
      connectionTimeoutMillis: 3000,
    });
    client.on('error', (error: Error) =>
      log.line(`level=ERROR msg="connection lost" err=${JSON.stringify(error.message)}`),
    );
    await client.connect();
    try {
      const metrics: Metric[] = [];
      for (const table of ['VERSION', 'DATABASES', 'STATS_TOTALS', 'POOLS', 'LISTS', 'CONFIG', 'CLIENTS']) {
        const { rows } = await client.query(`SHOW ${table}`);
        metrics.push(...rowsToMetrics(table, rows as Record<string, Json>[]));
      }
      return metrics;
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const server = createServer(async (request, response) => {
    if (!request.url?.startsWith('/metrics')) {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(
        '<html><head><title>PgBouncer Exporter</title></head><body><a href="/metrics">Metrics</a></body></html>\n',
      );
      return;
    }
    let metrics: Metric[];
    try {
      metrics = [
        ...(await scrape()),
        { name: 'pgbouncer_up', type: 'gauge', help: 'The pgbouncer scrape succeeded', labels: {}, value: 1 },
      ];
    } catch (error) {
      log.line(`level=ERROR msg="error scraping pgbouncer" err=${JSON.stringify((error as Error).message)}`);
      metrics = [{ name: 'pgbouncer_up', type: 'gauge', help: 'The pgbouncer scrape succeeded', labels: {}, value: 0 }];
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(renderMetrics(metrics));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, ip, () => resolve());
  });
  log.line(`level=INFO msg="Starting pgbouncer_exporter" version="(version=0.12.0)"`);
  log.line(`level=INFO msg="Listening on" address=[::]:${wanted}`);
  let exit: (value: ContainerExit) => void = () => {};
  const exited = new Promise<ContainerExit>((resolve) => {
    exit = resolve;
  });
  const stop = (exitCode: number) => {
    server.close();
    for (const socket of sockets) socket.destroy();
    exit({ exitCode });
  };
  return { exited, terminate: () => stop(0), kill: () => stop(137) };
}
