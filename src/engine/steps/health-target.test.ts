import { expect, test } from 'vitest';
import type { KubeObject } from '../kube/types.ts';
import { healthTarget } from './health-target.ts';

const pod = (...containers: object[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a', namespace: 'nova' },
  spec: { containers },
});
const plain = { health: { enabled: true, loadBalancer: false } };
const http = (port: number | string, path?: string, more: object = {}) => ({ httpGet: { port, path, ...more } });

test('the plan comes first, and the probe fills in what it leaves out', () => {
  const service = { health: { enabled: true, port: 9000, loadBalancer: false } };
  expect(healthTarget(service, pod({ name: 'app', readinessProbe: http(8080, '/ready') }))).toEqual({
    port: 9000,
    path: '/ready',
    from: 'the plan',
  });
});

test('a named port of the readiness probe is found in its container', () => {
  const app = { name: 'app', ports: [{ name: 'web', containerPort: 3000 }], readinessProbe: http('web') };
  expect(healthTarget(plain, pod({ name: 'side' }, app))).toEqual({ port: 3000, path: '/', from: 'a probe' });
});

test('TLS and other hosts are the kubelet’s business; the liveness probe is asked instead', () => {
  const app = {
    name: 'app',
    readinessProbe: http(8443, '/ready', { scheme: 'HTTPS' }),
    livenessProbe: http(8081, '/live'),
  };
  expect(healthTarget(plain, pod(app))).toMatchObject({ port: 8081, path: '/live' });
});

test('the guide’s endpoint is asked only of a pod that declares its port and has no probe of its own', () => {
  const ports = [{ containerPort: 8000 }];
  expect(healthTarget(plain, pod({ name: 'app', ports }))).toMatchObject({
    port: 8000,
    path: '/health',
    from: 'the guide',
  });
  expect(
    healthTarget(plain, pod({ name: 'app', ports, readinessProbe: { exec: { command: ['true'] } } })),
  ).toBeUndefined();
  expect(healthTarget(plain, pod({ name: 'app', ports: [{ containerPort: 8080 }] }))).toBeUndefined();
  expect(
    healthTarget({ health: { enabled: false, port: 1, loadBalancer: false } }, pod({ name: 'app' })),
  ).toBeUndefined();
});
