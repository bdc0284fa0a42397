import { expect, test } from 'vitest';
import { RouteTable } from './routes.ts';

const table = () => {
  const routes = new RouteTable();
  routes.set({
    namespace: 'nova',
    name: 'postgres',
    clusterIP: '10.96.0.10',
    ports: { 5432: [{ host: '127.42.1.1', port: 5432 }] },
    pooler: false,
  });
  routes.set({ namespace: 'nova', name: 'pgbouncer', ports: { 6432: [] }, pooler: true });
  return routes;
};

test.each([
  'postgres',
  'postgres.nova',
  'postgres.nova.svc',
  'postgres.nova.svc.cluster.local',
  'postgres.nova.svc.cluster.local.',
  '10.96.0.10',
  'POSTGRES',
])('%s means the service', (host) => {
  expect(table().resolve(host, 5432, 'nova')).toEqual({
    kind: 'endpoint',
    host: '127.42.1.1',
    port: 5432,
    pooler: false,
  });
});

test('a short name is looked up in the own namespace only', () => {
  expect(table().resolve('postgres', 5432, 'other').kind).toBe('unknown');
  expect(table().resolve('postgres.nova', 5432, 'other').kind).toBe('endpoint');
});

test('a service without a ready endpoint, or without that port, refuses', () => {
  expect(table().resolve('pgbouncer', 6432, 'nova').kind).toBe('refused');
  expect(table().resolve('postgres', 6432, 'nova').kind).toBe('refused');
  expect(table().resolve('postgres.example.org', 5432, 'nova').kind).toBe('unknown');
});
