import { expect, test } from 'vitest';
import type { KubeObject } from '../kube/types.ts';
import { egressPorts, postgresPort, type Upstream, upstreamHost } from './upstream.ts';

const pod = (...ports: object[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'postgres-0' },
  spec: { containers: [{ name: 'postgres', ports }] },
});
const service = (more: Partial<Upstream>): Upstream => ({
  isService: true,
  namespace: 'nova',
  port: 5432,
  endpointPorts: [],
  ...more,
});
const using = (host: string) => ({ workloads: [{ consumers: [{ endpoints: [{ host, port: 5432 }] }] }] }) as never;

test('a Service’s port may be another one than the pod’s', () => {
  expect(postgresPort(pod({ name: 'pg', containerPort: 5433 }), { port: 5432, targetPort: 'pg' })).toBe(5433);
  expect(postgresPort(pod(), { port: 5432, targetPort: 6000 })).toBe(6000);
  expect(postgresPort(pod({ containerPort: 9187 }, { containerPort: 5432 }), { port: 15432 })).toBe(5432);
  expect(postgresPort(pod(), { port: 5432 })).toBe(5432);
});

test('a policy lets both ports through, and any port when a named one can’t be resolved', () => {
  expect(egressPorts(service({ targetPort: 6000 }))).toEqual([5432, 6000]);
  expect(egressPorts(service({ targetPort: 'pg', endpointPorts: [5433] }))).toEqual([5432, 5433]);
  expect(egressPorts(service({ targetPort: 'pg' }))).toEqual([]);
  expect(egressPorts({ isService: false, namespace: 'nova', port: 5439, endpointPorts: [] })).toEqual([5439]);
});

test('the cluster’s domain is never guessed', () => {
  expect(upstreamHost('postgres', 'shop', true, undefined)).toBe('postgres.shop.svc');
  expect(upstreamHost('postgres', 'shop', true, using('postgres.shop.svc.k8s.example.'))).toBe(
    'postgres.shop.svc.k8s.example',
  );
  expect(upstreamHost('db.example.com', 'shop', false, using('db.example.com'))).toBe('db.example.com');
});
