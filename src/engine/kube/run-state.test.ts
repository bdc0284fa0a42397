/** The compare-and-set of the ledger: whose write is it that came in between? */
import { expect, test } from 'vitest';
import { fail, ok } from '../result.ts';
import type { Ledger } from './option-types.ts';
import { listRuns, resumeLedger } from './run-state.ts';
import type { Json, Kube, KubeObject } from './types.ts';

const ledger = (headHash: string, seq: number): Ledger => ({
  v: 1,
  runId: 'abcd0123',
  operator: 'alice@bastion',
  planName: 'nova',
  planHash: 'h',
  epoch: 1,
  seq,
  status: 'running',
  startedAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-01T00:00:00Z',
  headHash,
  data: {},
});

/** One ConfigMap, changed by whoever knows its resourceVersion. */
function oneObject(first: Ledger): { kube: Kube; land(ledger: Ledger): void; now(): Ledger } {
  let version = 1;
  let text = JSON.stringify(first);
  const object = (): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'pgb-wizard-run-abcd0123', resourceVersion: String(version) },
    data: { 'ledger.json': text },
  });
  const put = (next: string) => {
    version += 1;
    text = next;
  };
  const kube = {
    get: async () => ok(object()),
    replace: async (_ref: unknown, sent: Json) => {
      if (sent.metadata.resourceVersion !== String(version)) return fail('conflict', 'modified', { retryable: true });
      put(sent.data['ledger.json']);
      return ok(object());
    },
  } as unknown as Kube;
  return { kube, land: (late) => put(JSON.stringify(late)), now: () => JSON.parse(text) };
}

const open = async (kube: Kube, heads: readonly string[]) => {
  const handle = await resumeLedger(kube, 'nova', 'abcd0123', undefined, (one) => heads.includes(one.headHash));
  if (!handle.ok) throw new Error(handle.error.message);
  return handle.value;
};

test('the last write of an earlier session of this journal, landing late, stops nobody', async () => {
  const { kube, land, now } = oneObject(ledger('a', 1));
  const handle = await open(kube, ['a', 'b']);
  land(ledger('b', 2));
  const saved = await handle.update(() => ledger('c', 3));
  expect(saved).toMatchObject({ ok: true });
  expect(now().headHash).toBe('c');
});

test('a write of another journal stops the run', async () => {
  const { kube, land, now } = oneObject(ledger('a', 1));
  const handle = await open(kube, ['a', 'b']);
  land(ledger('elsewhere', 2));
  const saved = await handle.update(() => ledger('c', 3));
  expect(saved).toMatchObject({ ok: false, error: { code: 'lock-lost' } });
  expect(now().headHash).toBe('elsewhere');
});

test('when a copy was written to is said in the cluster’s time, not in the run’s', async () => {
  const object = (managedFields: object[] | undefined): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'pgb-wizard-run-abcd0123',
      resourceVersion: '7',
      creationTimestamp: '2026-01-01T08:00:00Z',
      ...(managedFields ? { managedFields } : {}),
    },
    data: { 'ledger.json': JSON.stringify({ ...ledger('a', 1), updatedAt: '2026-01-09T00:00:00Z' }) },
  });
  const written = async (managedFields: object[] | undefined) => {
    const kube = { list: async () => ok({ items: [object(managedFields)], resourceVersion: '7' }) };
    const runs = await listRuns(kube as unknown as Kube, 'nova');
    return runs.ok ? runs.value[0]?.writtenAt : runs.error.message;
  };
  expect(await written([{ time: '2026-01-01T09:30:00Z' }, { time: '2026-01-01T09:10:00Z' }])).toBe(
    '2026-01-01T09:30:00Z',
  );
  expect(await written(undefined)).toBe('2026-01-01T08:00:00Z');
});
