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
