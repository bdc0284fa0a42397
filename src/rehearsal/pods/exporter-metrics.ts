/** From PgBouncer's SHOW tables to the exporter's metrics (names as scraped from version 0.12). Pure. */
export interface Metric {
  name: string;
  type: 'gauge' | 'counter';
  help: string;
  labels: Record<string, string>;
  value: number;
}

type Row = Record<string, unknown>;

interface Column {
  column: string;
  name: string;
  type: 'gauge' | 'counter';
  factor?: number;
  help: string;
}

const MICROSECONDS = 1e-6;

const TABLES: Record<string, { prefix: string; labels: string[]; columns: Column[] }> = {
  DATABASES: {
    prefix: 'pgbouncer_databases_',
    labels: ['name', 'host', 'port', 'database', 'force_user', 'pool_mode'],
    columns: [
      { column: 'pool_size', name: 'pool_size', type: 'gauge', help: 'Maximum number of server connections' },
      {
        column: 'reserve_pool',
        name: 'reserve_pool_size',
        type: 'gauge',
        help: 'Maximum number of additional connections for this database',
      },
      {
        column: 'reserve_pool_size',
        name: 'reserve_pool_size',
        type: 'gauge',
        help: 'Maximum number of additional connections for this database',
      },
      {
        column: 'max_connections',
        name: 'max_connections',
        type: 'gauge',
        help: 'Maximum number of allowed connections for this database',
      },
      {
        column: 'current_connections',
        name: 'current_connections',
        type: 'gauge',
        help: 'Current number of connections for this database',
      },
      { column: 'paused', name: 'paused', type: 'gauge', help: '1 if this database is currently paused, else 0' },
      { column: 'disabled', name: 'disabled', type: 'gauge', help: '1 if this database is currently disabled, else 0' },
    ],
  },
  STATS_TOTALS: {
    prefix: 'pgbouncer_stats_totals_',
    labels: ['database'],
    columns: [
      {
        column: 'query_count',
        name: 'queries_pooled_total',
        type: 'counter',
        help: 'Total number of SQL queries pooled',
      },
      {
        column: 'query_time',
        name: 'queries_duration_seconds_total',
        type: 'counter',
        factor: MICROSECONDS,
        help: 'Total number of seconds spent by pgbouncer when actively connected to PostgreSQL, executing queries',
      },
      {
        column: 'bytes_received',
        name: 'received_bytes_total',
        type: 'counter',
        help: 'Total volume in bytes of network traffic received by pgbouncer',
      },
      {
        column: 'bytes_sent',
        name: 'sent_bytes_total',
        type: 'counter',
        help: 'Total volume in bytes of network traffic sent by pgbouncer',
      },
      {
        column: 'wait_time',
        name: 'client_wait_seconds_total',
        type: 'counter',
        factor: MICROSECONDS,
        help: 'Time spent by clients waiting for a server in seconds',
      },
      {
        column: 'xact_count',
        name: 'sql_transactions_pooled_total',
        type: 'counter',
        help: 'Total number of SQL transactions pooled',
      },
      {
        column: 'xact_time',
        name: 'server_in_transaction_seconds_total',
        type: 'counter',
        factor: MICROSECONDS,
        help: 'Total number of seconds spent by pgbouncer when connected to PostgreSQL in a transaction',
      },
    ],
  },
  POOLS: {
    prefix: 'pgbouncer_pools_',
    labels: ['database', 'user'],
    columns: [
      {
        column: 'cl_active',
        name: 'client_active_connections',
        type: 'gauge',
        help: 'Client connections linked to server connection and able to process queries',
      },
      {
        column: 'cl_waiting',
        name: 'client_waiting_connections',
        type: 'gauge',
        help: 'Client connections waiting on a server connection',
      },
      {
        column: 'sv_active',
        name: 'server_active_connections',
        type: 'gauge',
        help: 'Server connections linked to a client connection',
      },
      {
        column: 'sv_idle',
        name: 'server_idle_connections',
        type: 'gauge',
        help: 'Server connections idle and ready for a client query',
      },
      {
        column: 'sv_used',
        name: 'server_used_connections',
        type: 'gauge',
        help: 'Server connections idle more than server_check_delay, needing server_check_query',
      },
      {
        column: 'sv_tested',
        name: 'server_testing_connections',
        type: 'gauge',
        help: 'Server connections currently running either server_reset_query or server_check_query',
      },
      {
        column: 'sv_login',
        name: 'server_login_connections',
        type: 'gauge',
        help: 'Server connections currently in the process of logging in',
      },
      {
        column: 'maxwait',
        name: 'client_maxwait_seconds',
        type: 'gauge',
        help: 'Age of oldest unserved client connection',
      },
    ],
  },
};

const LISTS: Record<string, string> = {
  databases: 'databases',
  users: 'users',
  pools: 'pools',
  free_clients: 'free_clients',
  used_clients: 'used_clients',
  login_clients: 'login_clients',
  free_servers: 'free_servers',
  used_servers: 'used_servers',
  dns_names: 'cached_dns_names',
  dns_zones: 'cached_dns_zones',
  dns_queries: 'in_flight_dns_queries',
};

const CONFIG: Record<string, string> = {
  max_client_conn: 'max_client_connections',
  max_user_connections: 'max_user_connections',
};

const text = (value: unknown): string => (value === null || value === undefined ? '' : String(value));

/** Rows of `SHOW <table>` as metrics; columns a version doesn't have are simply absent. */
export function rowsToMetrics(table: string, rows: readonly Row[]): Metric[] {
  if (table === 'VERSION')
    return rows.map((row) =>
      gauge('pgbouncer_version_info', 'The pgbouncer version info', { version: text(Object.values(row)[0]) }, 1),
    );
  if (table === 'LISTS') return named(rows, 'list', 'items', LISTS, 'pgbouncer_', 'Count of');
  if (table === 'CONFIG') return named(rows, 'key', 'value', CONFIG, 'pgbouncer_config_', 'Config maximum number of');
  if (table === 'CLIENTS') return clients(rows);
  const shape = TABLES[table];
  if (!shape) return [];
  const metrics: Metric[] = [];
  for (const row of rows) {
    const labels = Object.fromEntries(shape.labels.map((label) => [label, text(row[label])]));
    for (const { column, name, type, factor = 1, help } of shape.columns) {
      if (row[column] === undefined || row[column] === null) continue;
      metrics.push({ name: shape.prefix + name, type, help, labels, value: Number(row[column]) * factor });
    }
  }
  return metrics;
}

const gauge = (name: string, help: string, labels: Record<string, string>, value: number): Metric => ({
  name,
  type: 'gauge',
  help,
  labels,
  value,
});

function named(
  rows: readonly Row[],
  key: string,
  value: string,
  names: Record<string, string>,
  prefix: string,
  help: string,
): Metric[] {
  return rows.flatMap((row) => {
    const name = names[text(row[key])];
    return name ? [gauge(prefix + name, `${help} ${name.replaceAll('_', ' ')}`, {}, Number(row[value]))] : [];
  });
}

function clients(rows: readonly Row[]): Metric[] {
  const counts = new Map<string, { labels: Record<string, string>; value: number }>();
  for (const row of rows) {
    const labels = {
      database: text(row.database),
      user: text(row.user),
      state: text(row.state),
      application_name: text(row.application_name),
    };
    const key = JSON.stringify(labels);
    const entry = counts.get(key) ?? { labels, value: 0 };
    entry.value++;
    counts.set(key, entry);
  }
  return [...counts.values()].map(({ labels, value }) =>
    gauge('pgbouncer_client_connections', 'Current number of client connections', labels, value),
  );
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** The Prometheus text format, metrics of one name together. */
export function renderMetrics(metrics: readonly Metric[]): string {
  const groups = new Map<string, Metric[]>();
  for (const metric of metrics) groups.set(metric.name, [...(groups.get(metric.name) ?? []), metric]);
  let out = '';
  for (const [name, group] of [...groups].sort(([a], [b]) => a.localeCompare(b))) {
    out += `# HELP ${name} ${group[0]?.help}\n# TYPE ${name} ${group[0]?.type}\n`;
    for (const { labels, value } of group) {
      const pairs = Object.entries(labels).map(([key, item]) => `${key}="${escaped(item)}"`);
      out += `${name}${pairs.length ? `{${pairs.join(',')}}` : ''} ${value}\n`;
    }
  }
  return out;
}
