import { expect, test } from 'vitest';
import { toConsumer } from './consumers.ts';
import { roleOf } from './container-role.ts';
import { scanTemplate } from './scan.ts';
import { resolveTarget } from './target.ts';
import type { Json } from './types.ts';

const target = resolveTarget({ service: 'postgres', port: 5432 }, 'nova', [], [], {});
const sources = { secret: () => undefined, configMap: () => undefined, serviceLinks: {} };
const parametersOf = (...env: Json[]) => {
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'auth-service' },
    spec: { template: { metadata: {}, spec: { containers: [{ name: 'app', image: 'x', env }] } } },
  };
  return scanTemplate(object, sources, target).sites.map(
    (site) => toConsumer(site, 'deployment/auth-service').parameters,
  );
};
const URL = { name: 'DATABASE_URL', value: 'postgresql://nova_user:secret-pass@postgres:5432/nova?sslmode=prefer' };

test('what libpq takes from the environment belongs to the address; what the address says itself wins', () => {
  const beside = [
    { name: 'PGOPTIONS', value: '-c search_path=shop' },
    { name: 'PGSSLMODE', value: 'require' },
  ];
  expect(parametersOf(URL, ...beside)).toEqual([{ options: '-c search_path=shop', sslmode: 'prefer' }]);
  expect(parametersOf({ name: 'DB_HOST', value: 'postgres' }, { name: 'DB_SSLMODE', value: 'verify-full' })).toEqual([
    { sslmode: 'verify-full' },
  ]);
  expect(parametersOf(URL)).toEqual([{ sslmode: 'prefer' }]);
});

test('a Java application looks at none of it', () => {
  const jdbc = { name: 'SPRING_DATASOURCE_URL', value: 'jdbc:postgresql://postgres:5432/nova' };
  expect(parametersOf(jdbc, { name: 'PGOPTIONS', value: '-c jit=off' })).toEqual([{}]);
});

test.each([
  ['quay.io/prometheuscommunity/postgres-exporter:v0.15.0', 'tool'],
  ['wrouesnel/postgres_exporter', 'tool'],
  ['quay.io/debezium/server:2.7', 'tool'],
  ['ghcr.io/wal-g/wal-g:v3', 'tool'],
  ['registry.example:5000/ops/pgwatch2@sha256:abc', 'tool'],
  ['registry.example/bank/withdrawal-engine:2', 'container'],
  ['registry.example/shop/renewal-gateway', 'container'],
  ['registry.example/shop/exporter-of-orders:1', 'container'],
  ['postgres:16', 'container'],
])('a container of %s is a %s', (image, role) => {
  expect(roleOf({ name: 'x', image }, 'containers')).toBe(role);
});

test('an init container is a side-car when it goes on running, and a tool of the server too', () => {
  expect(roleOf({ name: 'x', image: 'shop' }, 'initContainers')).toBe('init');
  expect(roleOf({ name: 'x', image: 'shop', restartPolicy: 'Always' }, 'initContainers')).toBe('sidecar');
  const exporter = { name: 'x', image: 'postgres-exporter', restartPolicy: 'Always' };
  expect(roleOf(exporter, 'initContainers')).toBe('tool');
});
