import { describe, expect, test } from 'vitest';
import type { ApiStatusError, Json } from '../../contract.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMerge } from './strategic-merge.ts';

const container = (env: Json[]): Json => ({
  spec: { template: { spec: { containers: [{ name: 'app', image: 'x', env }] } } },
});
const envOf = (object: Json): Json => object.spec.template.spec.containers[0].env;

describe('JSON patch', () => {
  test('a failed test refuses the whole patch with 422 and empty details', () => {
    const document = { a: 1 };
    try {
      applyJsonPatch(document, [
        { op: 'replace', path: '/a', value: 2 },
        { op: 'test', path: '/a', value: 1 },
      ]);
      expect.unreachable();
    } catch (error) {
      expect((error as ApiStatusError).status).toMatchObject({ code: 422, reason: 'Invalid', details: {} });
    }
    expect(document).toEqual({ a: 1 });
  });

  test('a patch that is no list is a bad request', () => {
    expect(() => applyJsonPatch({}, { a: 1 })).toThrow('cannot unmarshal object into Go value of type jsonpatch.Patch');
  });
});

test('a merge patch removes what is null and replaces lists', () => {
  expect(applyMergePatch({ a: { b: 1, c: 2 }, d: [1, 2] }, { a: { b: null }, d: [3] })).toEqual({
    a: { c: 2 },
    d: [3],
  });
});

describe('strategic merge', () => {
  test('env entries are merged by name and keep their places', () => {
    const current = container([
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]);
    const next = applyStrategicMerge('Deployment', current, container([{ name: 'A', value: '9' }]));
    expect(envOf(next)).toEqual([
      { name: 'A', value: '9' },
      { name: 'B', value: '2' },
    ]);
  });

  test('an entry with $patch: delete goes, and null takes a field away', () => {
    const current = container([
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]);
    const patch = container([
      { name: 'A', $patch: 'delete' },
      { name: 'B', value: null, valueFrom: { x: 1 } },
    ]);
    expect(envOf(applyStrategicMerge('Deployment', current, patch))).toEqual([{ name: 'B', valueFrom: { x: 1 } }]);
  });

  test('$setElementOrder orders what it names; what it does not name stays where it stood', () => {
    const current = container([{ name: 'SERVER' }, { name: 'A' }, { name: 'B' }]);
    const patch: Json = container([{ name: 'C' }]);
    patch.spec.template.spec.containers[0]['$setElementOrder/env'] = [{ name: 'B' }, { name: 'A' }, { name: 'C' }];
    expect(envOf(applyStrategicMerge('Deployment', current, patch)).map((one: Json) => one.name)).toEqual([
      'SERVER',
      'B',
      'A',
      'C',
    ]);
  });

  test('$retainKeys drops the other kinds of a union', () => {
    const current = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(applyStrategicMerge('Deployment', current, patch)).toEqual({ spec: { strategy: { type: 'Recreate' } } });
  });

  test('args are replaced as a whole', () => {
    const current = { spec: { containers: [{ name: 'app', args: ['a', 'b'] }] } };
    const patch = { spec: { containers: [{ name: 'app', args: ['c'] }] } };
    expect(applyStrategicMerge('Pod', current, patch).spec.containers[0].args).toEqual(['c']);
  });
});
