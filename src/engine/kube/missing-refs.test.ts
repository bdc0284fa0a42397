import { expect, test } from 'vitest';
import { missingReferences } from './missing-refs.ts';
import type { ReadSources } from './sources.ts';
import type { Json } from './types.ts';

const there: Record<string, Json> = {
  'Secret/db': { data: { url: 'eA==' } },
  'ConfigMap/cfg': { data: { host: 'x' }, binaryData: { blob: '' } },
};
const sources = {
  unreadable: ['secret hidden (403)'],
  object: (kind: string, name: string) => there[`${kind}/${name}`],
  read: (_kind: string, name: string) => name !== 'kube-root-ca.crt',
} as unknown as ReadSources;
const env = (...entries: Json[]) => ({ spec: { containers: [{ name: 'app', env: entries }] } });
const secret = (name: string, key: string, optional?: boolean) => ({
  name: 'X',
  valueFrom: { secretKeyRef: { name, key, ...(optional === undefined ? {} : { optional }) } },
});

test('a Secret or a key that is gone is told once; what is optional, hidden or everywhere is not', () => {
  expect(missingReferences(env(secret('db', 'url'), secret('gone', 'a'), secret('gone', 'a')), sources)).toEqual([
    'secret gone',
  ]);
  expect(missingReferences(env(secret('db', 'token')), sources)).toEqual(['secret db key token']);
  expect(missingReferences(env(secret('db', 'token', true), secret('hidden', 'a')), sources)).toEqual([]);
});

test('envFrom, init containers and volumes count too', () => {
  const template = {
    spec: {
      containers: [{ name: 'app', envFrom: [{ configMapRef: { name: 'none' } }, { secretRef: { name: 'db' } }] }],
      initContainers: [
        { name: 'init', env: [{ name: 'B', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'blob' } } }] },
      ],
      volumes: [
        { name: 'a', secret: { secretName: 'certs' } },
        {
          name: 'b',
          projected: { sources: [{ configMap: { name: 'kube-root-ca.crt' } }, { secret: { name: 'part' } }] },
        },
        { name: 'c', emptyDir: {} },
      ],
    },
  };
  expect(missingReferences(template, sources)).toEqual(['configmap none', 'secret certs', 'secret part']);
});
