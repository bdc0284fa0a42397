import { expect, test } from 'vitest';
import type { Json } from '../kube/types.ts';
import type { Discovery } from '../kube/workload-types.ts';
import { fail, ok } from '../result.ts';
import type { Evidence } from '../run/model.ts';
import { networkPolicies } from './preflight-network.ts';
import type { StepContext } from './types.ts';

const NAMES = ['auth-service', 'cdn-service', 'node-agent'];
const discovery = {
  workloads: NAMES.map((name) => ({
    id: `deployment/${name}`,
    ref: { kind: 'Deployment', name },
    object: {
      kind: 'Deployment',
      metadata: { name, namespace: 'nova' },
      spec: { template: { metadata: { labels: { app: name } }, spec: { hostNetwork: name === 'node-agent' } } },
    },
  })),
} as unknown as Discovery;

/** What the check saw of these policies, and what it said beside. */
async function look(policies: readonly { name: string; spec: Json }[] | 'refused', networkPolicy = true) {
  const evidence: Omit<Evidence, 'at'>[] = [];
  const said: string[] = [];
  const items =
    policies === 'refused' ? [] : policies.map(({ name, spec }) => ({ metadata: { name, namespace: 'nova' }, spec }));
  const ctx = {
    fleet: {
      namespace: 'nova',
      services: () => NAMES.map((name) => ({ kind: 'Deployment', name })),
    },
    plan: { pooler: { name: 'pgbouncer', port: 6432, networkPolicy } },
    kube: { list: async () => (policies === 'refused' ? fail('not-authorised', 'may not list') : ok({ items })) },
    evidence: (one: Omit<Evidence, 'at'>) => evidence.push(one),
    message: (_level: string, text: string) => said.push(text),
    signal: new AbortController().signal,
  } as unknown as StepContext;
  await networkPolicies(ctx, discovery);
  return { evidence, said };
}

const toPostgres = {
  name: 'to-postgres',
  spec: {
    podSelector: { matchLabels: { app: 'auth-service' } },
    policyTypes: ['Egress'],
    egress: [{ to: [{ podSelector: { matchLabels: { app: 'postgres' } } }], ports: [{ port: 5432 }] }],
  },
};

test('a service that is let out to PostgreSQL alone is named, with the rule that is missing', async () => {
  const { evidence } = await look([toPostgres]);
  expect(evidence).toMatchObject([{ check: 'network policies', verdict: 'inconclusive' }]);
  expect(evidence[0]?.observed).toMatch(
    /^auth-service: not let out by to-postgres\. Add a rule for pods app=pgbouncer,.* on TCP 6432/,
  );
});

test('a rule for the poolers is enough; without any policy nothing is said', async () => {
  const toPooler = {
    name: 'to-pooler',
    spec: { ...toPostgres.spec, egress: [{ to: [{ podSelector: { matchLabels: { app: 'pgbouncer' } } }] }] },
  };
  expect((await look([toPostgres, toPooler])).evidence).toMatchObject([{ verdict: 'pass' }]);
  expect((await look([])).evidence).toEqual([]);
});

test('a rule by address is no answer: nobody knows the addresses of the poolers beforehand', async () => {
  const byAddress = {
    name: 'by-address',
    spec: { ...toPostgres.spec, egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] },
  };
  const { evidence } = await look([byAddress]);
  expect(evidence).toMatchObject([{ verdict: 'inconclusive' }]);
  expect(evidence[0]?.observed).toMatch(/^auth-service: let through at most by rules on addresses or on labels/);
});

test('a closed namespace: the wizard’s own policy opens the poolers, without it they stay closed', async () => {
  const closed = { name: 'default-deny', spec: { podSelector: {} } };
  expect((await look([closed])).evidence).toMatchObject([{ verdict: 'pass' }]);
  const { evidence } = await look([closed], false);
  // Pods on the network of their node are not what policies are about.
  expect(evidence[0]?.observed).toMatch(/^auth-service, cdn-service: not let in by default-deny\./);
});

test('somebody who may not list them is told that they were not looked at', async () => {
  const { evidence, said } = await look('refused');
  expect(evidence).toEqual([]);
  expect(said).toEqual(['network policies were not looked at: may not list']);
});
