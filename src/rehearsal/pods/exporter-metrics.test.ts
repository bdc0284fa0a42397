import { expect, test } from 'vitest';
import { renderMetrics, rowsToMetrics } from './exporter-metrics.ts';

test('rows of SHOW POOLS have the names of the real exporter', () => {
  const metrics = rowsToMetrics('POOLS', [
    { database: 'nova', user: 'nova_user', cl_active: 3, cl_waiting: 1, sv_active: 2, maxwait: 0 },
  ]);
  expect(renderMetrics(metrics)).toContain(
    'pgbouncer_pools_client_waiting_connections{database="nova",user="nova_user"} 1\n',
  );
  expect(metrics.map((metric) => metric.name)).toEqual([
    'pgbouncer_pools_client_active_connections',
    'pgbouncer_pools_client_waiting_connections',
    'pgbouncer_pools_server_active_connections',
    'pgbouncer_pools_client_maxwait_seconds',
  ]);
});

test('microseconds become seconds, labels are escaped', () => {
  const [metric] = rowsToMetrics('STATS_TOTALS', [{ database: 'a"b', query_time: '2500000' }]);
  expect(metric?.value).toBe(2.5);
  expect(renderMetrics([metric as NonNullable<typeof metric>])).toContain('{database="a\\"b"} 2.5');
});

test('clients are counted by database, user, state and application', () => {
  const row = { database: 'nova', user: 'u', state: 'active', application_name: 'feed-service' };
  expect(rowsToMetrics('CLIENTS', [row, row, { ...row, application_name: '' }]).map((metric) => metric.value)).toEqual([
    2, 1,
  ]);
});
