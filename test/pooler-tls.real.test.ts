/** The poolers' TLS from the plan, on the rehearsal's real servers: checked before a write, mounted, offered, and carried through. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listOf, ref } from '../src/engine/kube/refs.ts';
import type { PlanInput } from '../src/engine/plan/schema.ts';
import { openPostgres } from '../src/engine/postgres/connect.ts';
import { Secret } from '../src/engine/secret.ts';
import { createAuthority, type TestAuthority } from '../src/engine/testing/certificates.ts';
import { type RehearsedCluster, rehearsedCluster, stepOf, story } from './rehearsed-run.ts';

let at: RehearsedCluster;
let authority: TestAuthority;
let password: string;

const base64 = (text: string) => Buffer.from(text).toString('base64');
async function secret(name: string, data: Record<string, string>): Promise<void> {
  const made = await at.kube.create(ref('Secret', 'nova', name), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'nova' },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
  });
  if (!made.ok) throw new Error(made.error.message);
}
const plan = (tls: NonNullable<NonNullable<PlanInput['pooler']>['tls']>): Partial<PlanInput> => ({
  pooler: { tls },
  baseline: { enabled: false },
  phases: [{ id: 'p2', title: 'One', services: [{ name: 'identity-service' }] }],
});

beforeAll(async () => {
  at = await rehearsedCluster();
  authority = await createAuthority('the fleet’s authority');
  const found = await at.kube.get(ref('Secret', 'nova', 'postgres-credentials'));
  password = found.ok ? Buffer.from(found.value.data.password, 'base64').toString('utf8') : '';
  const good = await authority.issue(['pgbouncer', 'pgbouncer.nova.svc']);
  await secret('pgbouncer-tls', { 'tls.crt': good.cert, 'tls.key': good.key });
  const over = await authority.issue(['pgbouncer'], -3);
  await secret('over-tls', { 'tls.crt': over.cert, 'tls.key': over.key });
  await secret('half-tls', { 'tls.crt': good.cert });
  await secret('postgres-ca', { 'ca.crt': authority.ca });
});
afterAll(async () => {
  await at?.close();
});

test('a certificate that can’t be used stops the preflight, with the reason', async () => {
  const cause = async (tls: Parameters<typeof plan>[0]) => {
    const end = await at.run({ plan: plan(tls), stopAfter: 'preflight' });
    return stepOf(end, 'preflight').cause;
  };
  expect(await cause({ client: { secret: 'over-tls' } })).toMatch(/Secret over-tls\): it was valid until /);
  expect(await cause({ client: { secret: 'half-tls' } })).toMatch(/the Secret half-tls has no key tls\.key/);
  expect(await cause({ client: { secret: 'not-there' } })).toMatch(/not-there/);
  expect(await cause({ server: { mode: 'verify-full', ca: { name: 'postgres-ca' } } })).toMatch(
    /PostgreSQL offers no TLS \(ssl is off\), and the plan asks for verify-full/,
  );
});

test('a service moves to poolers that offer TLS, and a client that insists on it is let in', async () => {
  const before = at.cluster.report().totals.failed;
  const end = await at.run({ plan: plan({ client: { mode: 'prefer', secret: 'pgbouncer-tls' } }) });
  expect(`${end.outcome} ${story(end)}`).toMatch(/^done /);
  expect(at.cluster.report().totals.failed).toBe(before);
  const pods = await at.kube.list(listOf('Pod', 'nova', { labelSelector: 'app=pgbouncer' }));
  const names: string[] = pods.ok ? pods.value.items.map((pod) => pod.metadata.name) : [];
  expect(names).toHaveLength(2);
  for (const name of names) {
    const session = await openPostgres({
      connect: () => at.kube.portForward('nova', name, 6432),
      user: 'nova_user',
      password: new Secret(password),
      database: 'nova',
      encrypted: true,
    });
    if (!session.ok) throw new Error(session.error.message);
    const rows = await session.value.query('select current_user::text as who');
    expect(rows.ok && rows.value[0]?.who).toBe('nova_user');
    await session.value.close();
  }
  const logs = await at.kube.logs('nova', names[0]!, { container: 'pgbouncer', tail: 500 });
  expect(logs.ok && logs.value).toMatch(/db=nova user=nova_user tls=TLSv1\.[23]/);
});
