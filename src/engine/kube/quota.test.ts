import { expect, test } from 'vitest';
import { quantityOf, withoutRoom } from './quota.ts';

test.each([
  ['1', 1],
  ['500m', 0.5],
  ['1Gi', 2 ** 30],
  ['128M', 128e6],
  ['2Ki', 2048],
  ['1e3', 1000],
  ['.5', 0.5],
  [3, 3],
  ['many', undefined],
  ['1gi', undefined],
])('%s is a quantity', (text, value) => {
  expect(quantityOf(text)).toBe(value);
});

const quota = (hard: object, used: object, spec: object = {}) => ({
  metadata: { name: 'room' },
  spec,
  status: { hard, used },
});
const app = (resources: object) => ({ containers: [{ name: 'app', resources }] });

test('one more pod is one more of each resource that its containers and side-cars take', () => {
  const pod = {
    ...app({ requests: { cpu: '250m' }, limits: { cpu: '1', memory: '1Gi' } }),
    initContainers: [
      { name: 'migrate', resources: { limits: { memory: '8Gi' } } },
      { name: 'proxy', restartPolicy: 'Always', resources: { limits: { memory: '512Mi' } } },
    ],
  };
  const at = (hard: object, used: object) => withoutRoom(pod, [quota(hard, used)]);
  expect(at({ pods: '10' }, { pods: '9' })).toEqual([]);
  expect(at({ pods: '10' }, { pods: '10' })).toEqual([
    'ResourceQuota room has no room for one more pod (pods: 10 of 10 used).',
  ]);
  expect(at({ 'limits.memory': '4Gi' }, { 'limits.memory': '2560Mi' })).toEqual([]);
  expect(at({ 'limits.memory': '4Gi' }, { 'limits.memory': '2561Mi' })).toHaveLength(1);
  // The request of memory is the limit, which alone is said.
  expect(at({ memory: '2Gi' }, { memory: '1Gi' })).toHaveLength(1);
  expect(at({ 'requests.cpu': '1', cpu: '1' }, { 'requests.cpu': '750m', cpu: '750m' })).toEqual([]);
  expect(at({ 'requests.cpu': '1', services: '1' }, { 'requests.cpu': '800m', services: '1' })).toHaveLength(1);
});

test('what is not said, and quotas for some pods only, are not judged', () => {
  expect(withoutRoom(app({}), [quota({ 'limits.memory': '1Gi' }, { 'limits.memory': '1Gi' })])).toEqual([]);
  const scoped = quota({ pods: '1' }, { pods: '1' }, { scopes: ['BestEffort'] });
  expect(withoutRoom(app({}), [scoped, { metadata: { name: 'new' }, spec: { hard: { pods: '0' } } }])).toEqual([]);
});
