import { expect, test } from 'vitest';
import type { KubeObject } from '../kube/types.ts';
import { objectChange } from './object-diff.ts';

const deployment = (image: string, more: Partial<KubeObject> = {}): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'pgbouncer', namespace: 'nova', labels: { app: 'pgbouncer' } },
    spec: { replicas: 2, template: { spec: { containers: [{ name: 'pgbouncer', image }] } } },
    ...more,
  }) as KubeObject;

const text = (change: ReturnType<typeof objectChange>) =>
  change.diff.map(({ kind, text }) => `${{ title: '=', note: '#', context: ' ', add: '+', remove: '-' }[kind]}${text}`);

test('a new object is shown as it is sent, as YAML', () => {
  const sent = deployment('pgbouncer:1.24');
  const dry = deployment('pgbouncer:1.24', { status: { replicas: 0 } } as Partial<KubeObject>);
  const change = objectChange(undefined, dry, sent);
  expect(change.kind).toBe('create');
  expect(text(change)).toEqual([
    '=Deployment/pgbouncer (create)',
    '+apiVersion: apps/v1',
    '+kind: Deployment',
    '+metadata:',
    '+  name: pgbouncer',
    '+  namespace: nova',
    '+  labels:',
    '+    app: pgbouncer',
    '+spec:',
    '+  replicas: 2',
    '+  template:',
    '+    spec:',
    '+      containers:',
    '+        - name: pgbouncer',
    '+          image: pgbouncer:1.24',
  ]);
});

test('an object that is there is compared with what the server would make of it', () => {
  const live = deployment('pgbouncer:1.18');
  live.metadata = { ...live.metadata, uid: 'u', resourceVersion: '7', managedFields: [] };
  const dry = deployment('pgbouncer:1.24');
  dry.metadata = { ...dry.metadata, annotations: { 'deployment.kubernetes.io/revision': '3' } };
  const change = objectChange(live, dry, dry);
  expect(change.kind).toBe('change');
  expect(text(change)).toEqual([
    '=Deployment/pgbouncer (change)',
    '#@@ -11,4 +11,4 @@',
    '     spec:',
    '       containers:',
    '         - name: pgbouncer',
    '-          image: pgbouncer:1.18',
    '+          image: pgbouncer:1.24',
  ]);
});

test('what the server and its controllers write is no change, nor is the order of keys', () => {
  const live = deployment('pgbouncer:1.24', { status: { readyReplicas: 2 } } as Partial<KubeObject>);
  const { spec, ...rest } = deployment('pgbouncer:1.24');
  expect(objectChange(live, { spec, ...rest } as KubeObject, live)).toEqual({
    kind: 'same',
    diff: [{ kind: 'title', text: 'Deployment/pgbouncer (as it is)' }],
  });
});

test('passwords are dots, in a Secret, in an ini file and in an address; that they change is said', () => {
  const secret = (data: string) =>
    ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { 'userlist.txt': data } }) as KubeObject;
  const one = Buffer.from('canary-one').toString('base64');
  const other = Buffer.from('canary-other').toString('base64');
  const changed = objectChange(secret(one), secret(other), secret(other));
  expect(text(changed)).toEqual(['=Secret/s (change)', '#only what is masked differs']);
  expect(text(objectChange(undefined, secret(one), secret(one))).join('\n')).not.toContain(one);

  const ini = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'c' },
    data: {
      'pgbouncer.ini':
        '[databases]\nnova = host=postgres user=nova_user password=canary-ini\n[pgbouncer]\npool_mode = transaction\n',
      url: 'postgresql://nova_user:canary-url@postgres:5432/nova',
    },
  } as unknown as KubeObject;
  const shown = text(objectChange(undefined, ini, ini)).join('\n');
  expect(shown).not.toMatch(/canary/);
  expect(shown).toContain('+    nova = host=postgres user=nova_user password=•••');
  expect(shown).toContain('+    pool_mode = transaction');
});

test('nothing of an object acts on a terminal', () => {
  const object = deployment('pgbouncer:1\u001B[2J');
  expect(text(objectChange(undefined, object, object)).join('')).not.toContain('\u001B');
});
