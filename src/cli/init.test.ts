import { expect, test } from 'vitest';
import type { Consumer } from '../engine/kube/workload-types.ts';
import { loginOf, planFrom, plannable } from './init.ts';

const uses = (user: string | undefined, database: string | undefined, more: Partial<Consumer> = {}) => ({
  consumers: [{ user, database, defaultIncluded: true, ...more } as Consumer],
});

test('a plan’s own login is the most used one; all others stand beside it, each once', () => {
  expect(
    loginOf([
      uses('nova_user', 'nova'),
      uses('nova_user', 'nova'),
      uses('nova_user', 'nova'),
      uses('billing_user', 'billing'),
      uses('billing_user', 'billing'),
      uses('reports_user', 'nova'),
      uses('$(DB_USER)', 'nova'),
      uses(undefined, 'nova'),
      uses('migrator', 'nova', { defaultIncluded: false }),
    ]),
  ).toEqual({
    role: 'nova_user',
    database: 'nova',
    also: [{ role: 'billing_user', database: 'billing' }, { role: 'reports_user' }],
    unnamed: [],
  });
  expect(loginOf([uses('nova_user', 'nova')])).toEqual({ role: 'nova_user', database: 'nova', unnamed: [] });
});

test('a name that no plan can hold is told of, and breaks nothing', () => {
  const long = 'x'.repeat(64);
  expect(loginOf([uses('nova_user', 'nova'), uses('nova_user', 'no\u001b[31mva'), uses(long, 'nova')])).toEqual({
    role: 'nova_user',
    database: 'nova',
    unnamed: ['nova', long],
  });
});

const workload = (kind: string, name: string) => ({
  id: `${kind.toLowerCase()}/${name}`,
  ref: { apiVersion: 'apps/v1', plural: `${kind.toLowerCase()}s`, kind, name },
  replicas: 1,
});

test('of two workloads with one name the plan has the first, and says which it has not', () => {
  const { movable, left } = plannable([
    workload('Deployment', 'ledger'),
    workload('Deployment', 'pgbouncer'),
    workload('StatefulSet', 'ledger'),
    workload('Rollout', 'web'),
    workload('ReplicaSet', 'bare'),
  ]);
  expect(left).toEqual([
    { id: 'deployment/pgbouncer', reason: 'it is the pooler' },
    { id: 'statefulset/ledger', reason: 'deployment/ledger has the same name; write a plan of its own for it' },
    { id: 'replicaset/bare', reason: 'no plan moves a ReplicaSet' },
  ]);
  const plan = planFrom(movable, { namespace: 'nova', service: 'postgres', port: 5432 });
  expect(plan.ok && plan.value.phases[0]?.services).toEqual([
    { name: 'ledger', replicas: 1 },
    { name: 'web', kind: 'Rollout', replicas: 1 },
  ]);
});

test('what would stay direct as a whole is no service of a plan', () => {
  const exporter = {
    ...workload('Deployment', 'postgres-exporter'),
    consumers: [{ defaultIncluded: false, note: 'a tool of the server itself' }] as unknown as Consumer[],
  };
  expect(plannable([exporter])).toEqual({
    movable: [],
    left: [{ id: 'deployment/postgres-exporter', reason: 'a tool of the server itself' }],
  });
});
