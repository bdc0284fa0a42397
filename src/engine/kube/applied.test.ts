import { expect, test } from 'vitest';
import { appliedBy } from './applied.ts';
import type { KubeObject } from './types.ts';

const live = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'pgbouncer',
    namespace: 'nova',
    uid: 'u',
    resourceVersion: '7',
    labels: { app: 'pgbouncer', seen: 'by-somebody' },
    finalizers: ['a/b', 'c/d'],
    managedFields: [
      { manager: 'kubectl', operation: 'Update', fieldsV1: { 'f:metadata': { 'f:labels': { 'f:seen': {} } } } },
      {
        manager: 'pgb-wizard',
        operation: 'Apply',
        fieldsV1: {
          'f:metadata': { 'f:labels': { 'f:app': {} }, 'f:finalizers': { 'v:"c/d"': {} } },
          'f:spec': {
            'f:selector': {},
            'f:ports': {
              'k:{"port":6432,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {}, 'f:targetPort': {} },
            },
          },
        },
      },
    ],
  },
  spec: {
    clusterIP: '10.96.0.7',
    ports: [
      { name: 'other', port: 1, protocol: 'TCP', targetPort: 1 },
      { name: 'pgbouncer', port: 6432, protocol: 'TCP', targetPort: 'pgbouncer', nodePort: 30000 },
    ],
    selector: { app: 'pgbouncer' },
    type: 'ClusterIP',
  },
  status: { loadBalancer: {} },
} as unknown as KubeObject;

test('what a manager applied comes back, without what the server and others added', () => {
  expect(appliedBy(live, 'pgb-wizard')).toEqual({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'pgbouncer', namespace: 'nova', labels: { app: 'pgbouncer' }, finalizers: ['c/d'] },
    spec: {
      ports: [{ name: 'pgbouncer', port: 6432, protocol: 'TCP', targetPort: 'pgbouncer' }],
      selector: { app: 'pgbouncer' },
    },
  });
});

test('of an object that it did not apply there is nothing', () => {
  expect(appliedBy(live, 'kubectl')).toBeUndefined();
  expect(appliedBy({ ...live, metadata: { name: 'x' } } as KubeObject, 'pgb-wizard')).toBeUndefined();
});
