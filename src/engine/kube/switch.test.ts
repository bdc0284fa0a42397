/** What a live object says about a change when the cluster answers half of what is asked. */
import { expect, test } from 'vitest';
import { fail, ok } from '../result.ts';
import { seal } from './change.ts';
import { fingerprint, templateOf } from './fingerprint.ts';
import { classifyLive } from './switch.ts';
import type { Json, Kube, KubeObject } from './types.ts';

const entry = (host: string) => ({ name: 'URL', value: `postgres://u@${host}/nova` });
const objectWith = (host: string, generation: number): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'auth', namespace: 'nova', uid: 'u1', generation },
    spec: {
      selector: { matchLabels: { app: 'auth' } },
      template: { spec: { containers: [{ name: 'app', env: [entry(host)] }] } },
    },
  }) as unknown as KubeObject;

const original = objectWith('postgres:5432', 1);
const edits = [
  {
    kind: 'env' as const,
    list: 'containers' as const,
    container: 'app',
    name: 'URL',
    index: 0,
    before: entry('postgres:5432'),
    after: entry('pgbouncer:6432'),
  },
];
const change = seal(
  original,
  { to: { host: 'pgbouncer', port: 6432 }, runId: '7f3a1b2c' },
  fingerprint(templateOf(original)),
  'after',
  { edits, objects: [], template: templateOf(original) },
  { sources: [], preview: { summary: 's', diff: [], commands: [] }, alreadyDone: false },
);

/** The original is live, in a later generation than it was planned on. */
const clusterWhere = (replicaSets: unknown): Kube =>
  ({ get: async () => ok(objectWith('postgres:5432', 3)), list: async () => replicaSets }) as unknown as Kube;
const made = (template: Json) =>
  ok({ items: [{ metadata: { ownerReferences: [{ uid: 'u1' }] }, spec: { template } }] });

test('that somebody put the original back is told by the ReplicaSet that the change made', async () => {
  const switched = made(templateOf(objectWith('pgbouncer:6432', 2)));
  expect(await classifyLive(clusterWhere(switched), change)).toMatchObject({
    ok: true,
    value: { state: 'before', contested: true },
  });
  const never = made(templateOf(original));
  expect(await classifyLive(clusterWhere(never), change)).toMatchObject({
    ok: true,
    value: { state: 'before', contested: false },
  });
});

test('ReplicaSets that can’t be read are no sign that nobody did', async () => {
  const down = await classifyLive(clusterWhere(fail('api-unavailable', 'try again')), change);
  expect(down).toMatchObject({ ok: false, error: { code: 'api-unavailable' } });
});
