import { expect, test } from 'vitest';
import { portInPod, targetPortOf } from './service-ports.ts';

const service = { spec: { ports: [{ port: 80 }, { port: 5432, targetPort: 'pg' }, { port: 6432, targetPort: 7000 }] } };
const pod = {
  spec: { containers: [{}, { ports: [{ containerPort: 9187 }, { name: 'pg', containerPort: 5433 }] }] },
};

test('a port of a Service leads to a number or a name of the pod, or to the same number', () => {
  expect([80, 5432, 6432, 1].map((port) => targetPortOf(service, port))).toEqual([undefined, 'pg', 7000, undefined]);
  expect(targetPortOf(undefined, 80)).toBeUndefined();
});

test('a name is looked up in every container, and may be nobody’s', () => {
  expect(['pg', 7000, 'web'].map((target) => portInPod(pod, target))).toEqual([5433, 7000, undefined]);
  expect(portInPod({}, 'pg')).toBeUndefined();
});
