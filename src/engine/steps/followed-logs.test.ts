import { expect, test } from 'vitest';
import type { KubeObject } from '../kube/types.ts';
import type { RunState } from '../run/fold.ts';
import { followedContainers, servicesUnderWay } from './followed-logs.ts';

const pod = (name: string, created: string, statuses: Record<string, object>, restarts = 0): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, uid: `uid-of-${name}`, creationTimestamp: created },
    status: {
      containerStatuses: Object.entries(statuses).map(([container, state]) => ({
        name: container,
        restartCount: restarts,
        ...state,
      })),
    },
  }) as unknown as KubeObject;
const running = { state: { running: {} } };
const follow = (pods: KubeObject[], services: string[], poolers: { name: string; container: string }[] = []) =>
  followedContainers(
    pods,
    (one) => /^(.*)-\w+$/.exec(one.metadata.name)?.[1],
    services,
    poolers,
    (_, one) => (one.status?.containerStatuses ?? []).map((status: { name: string }) => status.name),
  );

test('the poolers, then the pods of the services under way, the newest first; nobody else', () => {
  const pods = [
    pod('cart-old', '2026-01-01T00:00:00Z', { app: running }),
    pod('cart-new', '2026-01-02T00:00:00Z', { app: running, proxy: running }),
    pod('other-1', '2026-01-03T00:00:00Z', { app: running }),
    pod('pgbouncer-1', '2025-01-01T00:00:00Z', { pgbouncer: running, exporter: running }),
  ];
  const found = follow(pods, ['cart'], [{ name: 'pgbouncer-1', container: 'pgbouncer' }]);
  expect(found.map((one) => one.source)).toEqual(['pgbouncer-1', 'cart-new/app', 'cart-new/proxy', 'cart-old']);
});

test('a container has no log before its first start, and another one after each start', () => {
  const waiting = { state: { waiting: { reason: 'ContainerCreating' } } };
  expect(follow([pod('cart-a', '', { app: waiting })], ['cart'])).toEqual([]);
  const crashing = { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: {} } };
  const runs = [1, 2].map((restarts) => follow([pod('cart-a', '', { app: crashing }, restarts)], ['cart'])[0]?.run);
  expect(runs[0]).toBeDefined();
  expect(runs[0]).not.toBe(runs[1]);
});

test('a hundred pods are not a hundred streams', () => {
  const pods = Array.from({ length: 100 }, (_, n) => pod(`cart-${n}`, '', { app: running }));
  expect(follow(pods, ['cart'])).toHaveLength(16);
});

test('who is under way: the step’s service, those being switched, the one asked about; else the switched of the phase', () => {
  const state = (currentStep: string, states: Record<string, string>) =>
    ({
      currentStep,
      steps: [
        { id: 'p2.cart.migrate', phase: 'p2', service: 'cart' },
        { id: 'p2.decide', phase: 'p2' },
      ],
      services: Object.entries(states).map(([name, one]) => ({
        name,
        state: one,
        phase: name === 'user' ? 'p3' : 'p2',
      })),
    }) as unknown as RunState;
  expect(servicesUnderWay(state('p2.cart.migrate', { cart: 'switching', auth: 'switching' }), undefined)).toEqual([
    'cart',
    'auth',
  ]);
  expect(servicesUnderWay(state('p2.decide', { cart: 'pooled', auth: 'direct', user: 'pooled' }), undefined)).toEqual([
    'cart',
  ]);
  expect(servicesUnderWay(state('p2.decide', { cart: 'pooled' }), 'user')).toEqual(['user']);
});
