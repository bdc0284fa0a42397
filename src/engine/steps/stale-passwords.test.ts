import { expect, test } from 'vitest';
import type { Consumer, Discovery } from '../kube/workload-types.ts';
import { loadedPlan } from '../plan/load.ts';
import { NOVA_PLAN } from '../plan/nova.ts';
import { fail, ok } from '../result.ts';
import { Secret } from '../secret.ts';
import type { RunSecrets } from './run-secrets.ts';
import { findStalePasswords } from './stale-passwords.ts';
import type { LookContext } from './types.ts';

const TODAY = 'password-of-today';
const OLD = 'password-of-before';

interface Address {
  password: string;
  container?: string;
  name?: string;
  user?: string;
}

/** One workload each, with these addresses; PostgreSQL takes one password and says what `door` says. */
async function find(
  fleet: Record<string, Address[]>,
  { door = 'asks', secrets = {} }: { door?: 'asks' | 'trusts' | 'shut'; secrets?: RunSecrets } = {},
) {
  const workloads = Object.entries(fleet).map(([name, addresses]) => ({
    id: `deployment/${name}`,
    ref: { kind: 'Deployment', name },
    consumers: addresses.map(
      ({ password, container = 'app', name: variable = 'DATABASE_URL', user = 'nova_user' }) => ({
        container,
        name: variable,
        user,
        password: new Secret(password),
      }),
    ) as Partial<Consumer>[],
  }));
  let tries = 0;
  const pooler = {
    admin: async () => undefined,
    async sessionWith(_: unknown, password: Secret) {
      tries++;
      if (door === 'shut') return fail('postgres-unreachable', 'nobody there', { retryable: true });
      if (door === 'asks' && password.reveal() !== TODAY)
        return fail('auth-failed', 'password authentication failed', { details: { sqlstate: '28P01' } });
      const query = async () => ok([{ may: false }]);
      return ok({ passwordAsked: door === 'asks', query, close: async () => undefined });
    },
  };
  const plan = loadedPlan(NOVA_PLAN, 'a test').plan;
  const found = await findStalePasswords(
    { plan, secrets, pooler } as unknown as LookContext,
    { workloads } as unknown as Discovery,
  );
  return {
    tries,
    role: secrets.role?.reveal(),
    blocked: Object.fromEntries([...found.blocked].map(([id, why]) => [id.split('/')[1], why.join(' ')])),
    warnings: found.warnings,
  };
}

test('one password for all is asked of nobody', async () => {
  expect(await find({ cart: [{ password: TODAY }], auth: [{ password: TODAY }] })).toEqual({
    tries: 0,
    role: TODAY,
    blocked: {},
    warnings: [],
  });
});

test('the one that PostgreSQL takes is the role’s, and whoever holds another is blocked, however many they are', async () => {
  const { role, blocked } = await find({
    cart: [{ password: OLD }],
    auth: [{ password: OLD }],
    user: [{ password: TODAY }],
  });
  expect(role).toBe(TODAY);
  expect(Object.keys(blocked)).toEqual(['cart', 'auth']);
  expect(blocked.cart).toMatch(/^PostgreSQL refuses the password of nova_user in DATABASE_URL/);
});

test('an old address beside a right one may be a leftover; a container that has no other needs it', async () => {
  const leftover = { password: OLD, name: 'OLD_DATABASE_URL' };
  const { blocked, warnings } = await find({
    cart: [{ password: TODAY }, leftover],
    auth: [{ password: TODAY }, { ...leftover, container: 'migrate' }],
  });
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^cart: .*OLD_DATABASE_URL/);
  expect(Object.keys(blocked)).toEqual(['auth']);
});

test('what is filled in later, and what belongs to another role, says nothing', async () => {
  const { blocked, warnings } = await find({
    cart: [{ password: TODAY }],
    auth: [{ password: '{{ .db.password }}' }],
    user: [{ password: OLD, user: 'somebody_else' }],
  });
  expect({ blocked, warnings }).toEqual({ blocked: {}, warnings: [] });
});

test('where nothing can be proved the pooler still takes one password only', async () => {
  const fleet = { cart: [{ password: TODAY }], auth: [{ password: TODAY }], user: [{ password: OLD }] };
  for (const door of ['trusts', 'shut'] as const) {
    const { role, blocked } = await find(fleet, { door });
    expect(role).toBe(TODAY);
    expect(blocked).toEqual({ user: expect.stringMatching(/another one than most of the others/) });
  }
});

test('a password that was given and is refused is said about the role, not about every service', async () => {
  const { blocked } = await find(
    { cart: [{ password: TODAY }] },
    { secrets: { role: new Secret('a-slip-of-the-pen') } },
  );
  expect(blocked).toEqual({});
});
