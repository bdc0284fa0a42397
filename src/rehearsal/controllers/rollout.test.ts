import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../contract.ts';
import { fenceposts, maxUnavailable, newReplicas, proportionalSizes, scaled, shrinkOld } from './rollout.ts';

const deployment = (replicas: number, rollingUpdate: object = {}, type = 'RollingUpdate'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: { replicas, strategy: { type, rollingUpdate } },
});
const set = (name: string, replicas: number, available = replicas, max?: number): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: {
    name,
    creationTimestamp: `2026-01-01T00:00:0${name.length}Z`,
    annotations: max === undefined ? {} : { 'deployment.kubernetes.io/max-replicas': String(max) },
  },
  spec: { replicas },
  status: { availableReplicas: available },
});

test('surge rounds up, unavailable rounds down, both 0 let one pod be unavailable', () => {
  expect(scaled('25%', 3, true)).toBe(1);
  expect(scaled('25%', 3, false)).toBe(0);
  expect(fenceposts(deployment(3))).toEqual({ surge: 1, unavailable: 0 });
  expect(fenceposts(deployment(10, { maxSurge: '0%', maxUnavailable: 0 }))).toEqual({ surge: 0, unavailable: 1 });
  expect(maxUnavailable(deployment(2, { maxUnavailable: 5 }))).toBe(2);
});

describe('a rolling update of three replicas with 25%/25% (recording 03)', () => {
  test('adds one, waits for it, takes one away, and so on', () => {
    const d = deployment(3);
    let [oldSize, newSize, ready] = [3, 0, 0];
    const path: string[] = [];
    for (let pass = 0; pass < 20 && !(oldSize === 0 && ready === 3); pass++) {
      const [old, fresh] = [set('a', oldSize), set('bb', newSize, ready)];
      const grown = newReplicas(d, [old, fresh], fresh);
      if (grown !== newSize) newSize = grown;
      else {
        const [resize] = shrinkOld(d, oldSize > 0 ? [old] : [], fresh);
        if (resize) oldSize = resize.replicas;
        else ready = newSize;
      }
      path.push(`${oldSize}+${newSize}/${ready}`);
    }
    expect(path).toEqual(['3+1/0', '3+1/1', '2+1/1', '2+2/1', '2+2/2', '1+2/2', '1+3/2', '1+3/3', '0+3/3']);
  });
});

test('unhealthy old replicas go first', () => {
  expect(
    shrinkOld(deployment(2), [set('a', 1), set('bb', 1, 0)], set('ccc', 1, 0)).map(({ set: item, replicas }) => [
      item.metadata.name,
      replicas,
    ]),
  ).toEqual([]);
  expect(
    shrinkOld(deployment(2), [set('a', 1), set('bb', 1, 0)], set('ccc', 1, 1)).map(({ set: item, replicas }) => [
      item.metadata.name,
      replicas,
    ]),
  ).toEqual([['bb', 0]]);
});

test('scaling in the middle of a rollout is shared in proportion', () => {
  const sizes = proportionalSizes(deployment(6), [set('a', 3, 3, 4), set('bb', 1, 0, 4)]);
  expect(sizes.reduce((sum, item) => sum + item.replicas, 0)).toBe(8);
  expect(sizes.map((item) => [item.set.metadata.name, item.replicas])).toEqual([
    ['a', 6],
    ['bb', 2],
  ]);
});

test('no pass leaves the bounds of surge and availability', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 40 }),
      fc.nat(),
      (replicas, surge, unavailable, oldSize, newSize, seed) => {
        const d = deployment(replicas, { maxSurge: `${surge}%`, maxUnavailable: `${unavailable}%` });
        const fresh = set('bb', Math.min(newSize, replicas), seed % (Math.min(newSize, replicas) + 1));
        const old = set('a', oldSize);
        const limit = Math.max(replicas + fenceposts(d).surge, oldSize + fresh.spec.replicas);
        const grown = newReplicas(d, [old, fresh], fresh);
        expect(grown + oldSize).toBeLessThanOrEqual(limit);
        expect(grown).toBeGreaterThanOrEqual(fresh.spec.replicas);
        const before = oldSize + (fresh.status?.availableReplicas ?? 0);
        for (const { replicas: size } of shrinkOld(d, oldSize > 0 ? [old] : [], fresh)) {
          const after = size + (fresh.status?.availableReplicas ?? 0);
          expect(after).toBeGreaterThanOrEqual(Math.min(before, replicas - maxUnavailable(d)));
        }
      },
    ),
  );
});
