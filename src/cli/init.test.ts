import { expect, test } from 'vitest';
import type { Consumer } from '../engine/kube/workload-types.ts';
import { loginOf } from './init.ts';

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
  });
  expect(loginOf([uses('nova_user', 'nova')])).toEqual({ role: 'nova_user', database: 'nova' });
});
