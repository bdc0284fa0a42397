import { expect, test } from 'vitest';
import type { Consumer, Workload } from '../kube/workload-types.ts';
import { loadedPlan } from '../plan/load.ts';
import { NOVA_PLAN } from '../plan/nova.ts';
import { blockersOf } from './eligibility.ts';

const also = [{ role: 'reports_user' }, { role: 'billing_user', database: 'billing' }];
const { plan } = loadedPlan({ ...NOVA_PLAN, postgres: { also } }, 'a test');
const reasons = (user: string | undefined, database: string | undefined) =>
  blockersOf(plan, {
    findings: [],
    consumers: [{ name: 'DATABASE_URL', user, database, parameters: {}, defaultIncluded: true } as unknown as Consumer],
  } satisfies Pick<Workload, 'findings' | 'consumers'>);

test.each([
  ['nova_user', 'nova'],
  ['reports_user', 'nova'],
  ['billing_user', 'billing'],
  [undefined, 'billing'],
  ['billing_user', undefined],
  ['$(DB_USER)', 'billing'],
])('%s in %s is served', (user, database) => {
  expect(reasons(user, database)).toEqual([]);
});

test.each([
  ['reports_user', 'billing'],
  ['billing_user', 'nova'],
  ['somebody', undefined],
  [undefined, 'elsewhere'],
])('%s in %s is not, and it is said what would help', (user, database) => {
  expect(reasons(user, database)).toEqual([expect.stringMatching(/add it to postgres\.also in the plan/)]);
});

const withParameters = (parameters: Record<string, string>, more: object = {}) =>
  blockersOf(loadedPlan({ ...NOVA_PLAN, ...more }, 'a test').plan, {
    findings: [],
    consumers: [{ name: 'DATABASE_URL', parameters, defaultIncluded: true } as unknown as Consumer],
  });

test('a service that insists on TLS moves when the poolers have a certificate', () => {
  for (const sslmode of ['require', 'verify-full', 'no-verify'])
    expect(withParameters({ sslmode })).toEqual([
      expect.stringMatching(/give it one \(pooler\.tls\.client in the plan\)/),
    ]);
  const pooler = { ...NOVA_PLAN.pooler, tls: { client: { secret: 'pgbouncer-tls' } } };
  expect(withParameters({ sslmode: 'require' }, { pooler })).toEqual([]);
  expect(withParameters({ sslmode: 'prefer' })).toEqual([]);
});

test.each([
  'options',
  'search_path',
  'currentSchema',
  'Search Path',
  'statement_timeout',
  'default_transaction_isolation',
])('%s is sent at login and refused by PgBouncer', (name) => {
  expect(withParameters({ [name]: 'x' })).toEqual([expect.stringMatching(/start-up parameter .*ALTER ROLE/)]);
});

test.each(['application_name', 'connect_timeout', 'pool_max_conns', 'prepareThreshold', 'extra_float_digits'])(
  '%s is fine',
  (name) => {
    expect(withParameters({ [name]: '1' })).toEqual([]);
  },
);
