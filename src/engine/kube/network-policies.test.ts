import { expect, test } from 'vitest';
import { passage } from './network-policies.ts';
import type { Json, KubeObject } from './types.ts';

const service = { namespace: 'nova', labels: { app: 'auth-service', tier: 'core' } };
const pooler = { namespace: 'nova', labels: { app: 'pgbouncer' } };
const door = { port: 6432, names: ['pgbouncer'] };
const policy = (name: string, spec: Json, namespace = 'nova'): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace },
  spec,
});
const out = (...policies: KubeObject[]) => passage(policies, 'Egress', service, pooler, door);
const toPods = (matchLabels: Json, port: Json = 5432): Json => ({
  podSelector: { matchLabels: { app: 'auth-service' } },
  policyTypes: ['Egress'],
  egress: [{ to: [{ podSelector: { matchLabels } }], ports: [{ protocol: 'TCP', port }] }],
});

test('without a policy for them, and with one for others, pods are open', () => {
  expect(out()).toEqual({ allowed: 'yes', policies: [] });
  const others = policy('others', { podSelector: { matchLabels: { app: 'cdn' } }, policyTypes: ['Egress'] });
  const elsewhere = policy('all', { podSelector: {}, policyTypes: ['Egress'] }, 'shop');
  const inward = policy('inward', { podSelector: {}, ingress: [] });
  expect(out(others, elsewhere, inward)).toEqual({ allowed: 'yes', policies: [] });
});

test('a policy that lets them out to PostgreSQL alone keeps them from the pooler', () => {
  const only = policy('to-postgres', toPods({ app: 'postgres' }));
  expect(out(only)).toEqual({ allowed: 'no', policies: ['to-postgres'] });
  // One rule of any policy is enough.
  expect(out(only, policy('to-pooler', toPods({ app: 'pgbouncer' }, 6432))).allowed).toBe('yes');
  expect(out(only, policy('other-port', toPods({ app: 'pgbouncer' }, 5432))).allowed).toBe('no');
});

test.each([
  ['a named port', [{ port: 'pgbouncer' }], 'yes'],
  ['another name', [{ port: 'postgres' }], 'no'],
  ['a range', [{ port: 6000, endPort: 7000 }], 'yes'],
  ['a range below', [{ port: 5000, endPort: 6000 }], 'no'],
  ['any TCP port', [{ protocol: 'TCP' }], 'yes'],
  ['UDP', [{ protocol: 'UDP', port: 6432 }], 'no'],
  ['no ports at all', undefined, 'yes'],
] as const)('ports: %s', (_what, ports, allowed) => {
  const spec = { podSelector: {}, policyTypes: ['Egress'], egress: [ports ? { ports } : {}] };
  expect(out(policy('p', spec)).allowed).toBe(allowed);
});

test.each([
  ['everybody', [], 'yes'],
  ['every address', [{ ipBlock: { cidr: '0.0.0.0/0' } }], 'yes'],
  ['some addresses', [{ ipBlock: { cidr: '10.0.0.0/8' } }], 'unknown'],
  [
    'its own namespace by name',
    [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'nova' } } }],
    'yes',
  ],
  ['another one by name', [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'db' } } }], 'no'],
  ['namespaces by a label', [{ namespaceSelector: { matchLabels: { team: 'a' } } }], 'unknown'],
  [
    'namespaces without a label',
    [{ namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] } }],
    'unknown',
  ],
  [
    'namespaces of other teams',
    [{ namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] } }],
    'unknown',
  ],
  [
    'another one by name, whatever its labels',
    [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'db', team: 'a' } } }],
    'no',
  ],
  ['every namespace', [{ namespaceSelector: {} }], 'yes'],
  ['these pods in every namespace', [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'x' } } }], 'no'],
  [
    'an expression',
    [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['pgbouncer', 'postgres'] }] } }],
    'yes',
  ],
  ['without a label', [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } }], 'no'],
] as const)('peers: %s', (_what, to, allowed) => {
  const spec = { podSelector: {}, policyTypes: ['Egress'], egress: [{ to }] };
  expect(out(policy('p', spec)).allowed).toBe(allowed);
});

test('the way in is asked of the receiver’s policies', () => {
  const closed = policy('default-deny', { podSelector: {} });
  expect(passage([closed], 'Ingress', pooler, service, door)).toEqual({ allowed: 'no', policies: ['default-deny'] });
  const core = { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { tier: 'core' } } }] }] };
  expect(passage([closed, policy('core', core)], 'Ingress', pooler, service, door).allowed).toBe('yes');
});
