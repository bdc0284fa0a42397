import { expect, test } from 'vitest';
import { classifyManager } from './managers.ts';
import type { KubeObject } from './types.ts';

const VARIABLE = { container: 'app', name: 'DATABASE_URL', source: 'literal' } as const;
const applied = JSON.stringify({
  spec: { template: { spec: { containers: [{ name: 'app', env: [{ name: 'DATABASE_URL', value: 'x' }] }] } } },
});
const APPLIED = { 'kubectl.kubernetes.io/last-applied-configuration': applied };
const OWNER = [{ apiVersion: 'example.com/v1', kind: 'App', name: 'shop', uid: 'u', controller: true }];
const TRACKED = { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:nova/ledger' };
const healing = (selfHeal: boolean) => new Map([['shop', { spec: { syncPolicy: { automated: { selfHeal } } } }]]);

const workload = (metadata: object): KubeObject =>
  ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'ledger', ...metadata } }) as KubeObject;
const written = (manager: string, operation = 'Update') => ({ managedFields: [{ manager, operation }] });

test.each([
  ['nobody', {}, 'FREE', undefined],
  ['an owner that is a controller', { ownerReferences: OWNER }, 'WILL_REVERT_NOW', /^App\/shop owns it/],
  ['an owner that only collects', { ownerReferences: [{ ...OWNER[0], controller: false }] }, 'FREE', undefined],
  ['kubectl apply, the variable declared', { annotations: APPLIED }, 'WILL_REVERT_LATER', /declares DATABASE_URL/],
  ['kubectl apply --server-side', written('kubectl', 'Apply'), 'WILL_REVERT_LATER', /server-side apply/],
  ['Helm', { annotations: { 'meta.helm.sh/release-name': 'shop' } }, 'WILL_REVERT_LATER', /helm upgrade of shop/],
  ['Flux', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }, 'WILL_REVERT_NOW', /flux suspend/],
  ['Argo CD, its application unknown', { annotations: TRACKED }, 'WILL_REVERT_NOW', /assume that it heals/],
])('%s', (_name, metadata, verdict, reason) => {
  const found = classifyManager(workload(metadata), [VARIABLE]);
  expect(found.class).toBe(verdict);
  if (reason === undefined) expect(found.reasons).toEqual([]);
  else expect(found.reasons[0]).toMatch(reason);
});

test('Argo CD reverts at once only while its application heals', () => {
  const tracked = workload({ annotations: TRACKED });
  expect(classifyManager(tracked, [VARIABLE], healing(true)).class).toBe('WILL_REVERT_NOW');
  expect(classifyManager(tracked, [VARIABLE], healing(false)).class).toBe('WILL_REVERT_LATER');
});

test('of several the one that stops the switch is told first', () => {
  const found = classifyManager(workload({ annotations: APPLIED, ownerReferences: OWNER }), [VARIABLE]);
  expect(found).toMatchObject({ class: 'WILL_REVERT_NOW', managers: ['App/shop', 'kubectl apply'] });
  expect(found.reasons[0]).toMatch(/^App\/shop owns it/);
  expect(found.reasons[1]).toMatch(/declares DATABASE_URL/);
});

test('arguments and files that the applied manifest declares come back with it too', () => {
  const spec = {
    containers: [{ name: 'app', args: ['--db-host', 'postgres'] }],
    volumes: [{ name: 'conf', configMap: { name: 'x' } }],
  };
  const annotations = {
    'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ spec: { template: { spec } } }),
  };
  const of = (name: string, source: 'argument' | 'file', container = 'app') =>
    classifyManager(workload({ annotations }), [{ container, name, source }]);
  expect(of('--db-host', 'argument').reasons[0]).toMatch(/declares --db-host/);
  expect(of('conf/app.yaml:db.host', 'file').reasons[0]).toMatch(/declares conf\/app.yaml:db.host/);
  expect(of('other/app.yaml', 'file').class).toBe('FREE');
  expect(of('--db-host', 'argument', 'side-car').class).toBe('FREE');
});
