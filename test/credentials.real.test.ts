/**
 * The role and its password on the rehearsal's real servers: what is wrong with them is said before any service moves,
 * and each arrangement between userlist and pg_authid carries a real client.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ref } from '../src/engine/kube/refs.ts';
import { parseUserlist } from '../src/engine/pgbouncer/credentials.ts';
import type { PlanInput } from '../src/engine/plan/schema.ts';
import { type RehearsedCluster, rehearsedCluster, stepOf, story } from './rehearsed-run.ts';

let at: RehearsedCluster;
let password: string;
const ADMIN = 'superuser-of-the-test-7';
const withAdmin: Partial<PlanInput> = { postgres: { adminSecret: { name: 'postgres-admin', user: 'dba' } } };

const base64 = (text: string) => Buffer.from(text).toString('base64');
const secretText = async (name: string, key: string) => {
  const found = await at.kube.get(ref('Secret', 'nova', name));
  if (!found.ok) throw new Error(found.error.message);
  return Buffer.from(found.value.data[key], 'base64').toString('utf8');
};
const forget = async () => {
  for (const object of [ref('Deployment', 'nova', 'pgbouncer'), ref('Secret', 'nova', 'pgbouncer-userlist')]) {
    const gone = await at.kube.delete(object, { propagationPolicy: 'Background', gracePeriodSeconds: 0 });
    if (!gone.ok && gone.error.code !== 'not-found') throw new Error(gone.error.message);
  }
};

beforeAll(async () => {
  at = await rehearsedCluster();
  password = await secretText('postgres-credentials', 'password');
  await at.sql(`create role dba superuser login password '${ADMIN}'`);
  const made = await at.kube.create(ref('Secret', 'nova', 'postgres-admin'), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'postgres-admin', namespace: 'nova' },
    data: { password: base64(ADMIN) },
  });
  if (!made.ok) throw new Error(made.error.message);
});
afterEach(async () => {
  await hba(['local all all trust', 'host all all all scram-sha-256']);
  await at.sql(`alter role nova_user login password '${password}' valid until 'infinity'`);
  await forget();
});
afterAll(async () => {
  await at?.close();
});

const hba = async (lines: readonly string[]) => {
  const rows = lines.map((line) => `('${line}')`).join(',');
  await at.sql(
    `do $$ begin execute format('copy (select * from (values ${rows.replaceAll("'", "''")}) v) to %L', current_setting('hba_file')); end $$`,
  );
  await at.sql('select pg_reload_conf()');
};

const direct = (end: { services: readonly { state: string }[] }) =>
  end.services.every((service) => service.state === 'direct');

describe('what is wrong with the role is said before any service moves', () => {
  test('another password, with the admin session: the verifier tells', async () => {
    await at.sql("alter role nova_user password 'another-password-entirely'");
    const end = await at.run({ plan: withAdmin, stopAfter: 'p1' });
    expect(stepOf(end, 'preflight').cause, story(end)).toMatch(/not the one whose verifier pg_authid holds/);
    expect(direct(end)).toBe(true);
  });

  test('another password, without the admin session: all three causes are named', async () => {
    await at.sql("alter role nova_user password 'another-password-entirely'");
    const end = await at.run({ stopAfter: 'p1' });
    expect(stepOf(end, 'preflight').cause, story(end)).toMatch(
      /VALID UNTIL has passed, and a role that does not exist/,
    );
    expect(direct(end)).toBe(true);
  });

  test('changed under running pods: who holds the old one is named, and the run has the one that PostgreSQL takes', async () => {
    const services = ['auth-service', 'communication-service', 'user-service'];
    const today = 'the-password-of-today';
    const set = async (text: string) => {
      for (const service of services) {
        const url = base64(`postgresql://nova_user:${text}@postgres:5432/nova`);
        const done = await at.kube.patch(ref('Secret', 'nova', `${service}-database`), [
          { op: 'replace', path: '/data/DATABASE_URL', value: url },
        ]);
        if (!done.ok) throw new Error(done.error.message);
      }
    };
    await at.sql(`alter role nova_user password '${today}'`);
    await set(today);
    const end = await at.run({ stopAfter: 'p1' });
    const skipping = await at.run({ stopAfter: 'p1', onBlocked: 'skip' });
    await set(password);
    const { cause } = stepOf(end, 'preflight');
    expect(cause, story(end)).toMatch(/identity-service.*PostgreSQL refuses the password of nova_user in DATABASE_URL/);
    expect(cause).not.toMatch(/auth-service|communication-service|user-service/);
    expect(direct(end)).toBe(true);
    // More addresses hold the old one; the one that is left is the one that is tried.
    const proved = stepOf(skipping, 'p1.credentials').evidence.find((one) => one.check === 'password of nova_user');
    expect(proved?.observed, story(skipping)).toMatch(/^in the addresses of 3 services/);
  });

  test('let in without a password, as from inside of the pod of the official image: nothing is said to be proved', async () => {
    await hba(['local all all trust', 'host all all 127.0.0.0/8 trust', 'host all all all scram-sha-256']);
    const end = await at.run({ stopAfter: 'p1.credentials' });
    const step = stepOf(end, 'p1.credentials');
    expect(step.state, story(end)).toBe('pass');
    expect(step.evidence.map((one) => one.check)).not.toContain('password of nova_user');
    expect(end.messages.map((one) => one.text).join('\n')).toMatch(/without asking for a password/);
  });

  test('a password that has expired', async () => {
    await at.sql("alter role nova_user valid until '2020-01-01'");
    const end = await at.run({ plan: withAdmin, stopAfter: 'p1' });
    expect(stepOf(end, 'preflight').cause, story(end)).toMatch(/password of the role has expired \(valid until 2020/);
  });

  test('a role that may not log in', async () => {
    await at.sql('alter role nova_user nologin');
    const end = await at.run({ stopAfter: 'p1' });
    expect(stepOf(end, 'preflight').cause, story(end)).toMatch(/may not log in/);
  });

  test('it expires between preflight and the deployment: connectivity names it, not a timeout', async () => {
    const end = await at.run({
      plan: withAdmin,
      stopAfter: 'p1',
      watch: once(
        (seen) => stepOf(seen, 'p1.deploy').state === 'running',
        () => at.sql("alter role nova_user valid until '2020-01-01'"),
      ),
    });
    expect(stepOf(end, 'p1.connectivity').cause, story(end)).toMatch(
      /refuses nova_user: the password of the role has expired/,
    );
    expect(direct(end)).toBe(true);
  });

  test('pg_hba.conf admits the services and not the poolers', async () => {
    const pods = await at.kube.list({ apiVersion: 'v1', plural: 'pods', kind: 'Pod', namespace: 'nova' });
    if (!pods.ok) throw new Error(pods.error.message);
    const addresses = pods.value.items.map((pod) => pod.status.podIP as string);
    await hba([
      'local all all trust',
      ...['127.0.0.1', ...addresses].map((ip) => `host all all ${ip}/32 scram-sha-256`),
    ]);
    const end = await at.run({ stopAfter: 'p1' });
    expect(stepOf(end, 'p1.connectivity').cause ?? story(end)).toMatch(/pg_hba\.conf has no line for the address/);
    expect(direct(end)).toBe(true);
  });
});

describe('each arrangement carries real clients', () => {
  const cases = [
    ['same-verifier', 'scram', 'nova_user'],
    ['alter-role', 'scram', 'nova_user'],
    ['auth-query', 'plaintext', 'pgbouncer_auth'],
  ] as const;
  test.each(cases)('%s', async (credentials, kind, user) => {
    const before = await at.sql("select rolpassword from pg_authid where rolname = 'nova_user'");
    const end = await at.run({ plan: { ...withAdmin, pooler: { credentials } }, stopAfter: 'p1.connectivity' });
    expect(stepOf(end, 'p1.connectivity').state, story(end)).toBe('pass');
    const userlist = await secretText('pgbouncer-userlist', 'userlist.txt');
    expect(userlist).not.toContain(password);
    const entries = parseUserlist(userlist);
    expect(entries.ok && entries.value.find((entry) => entry.user === user)?.kind).toBe(kind);
    const after = await at.sql("select rolpassword from pg_authid where rolname = 'nova_user'");
    if (credentials === 'alter-role') expect(after).not.toBe(before);
    else expect(after).toBe(before);
    // Two of the three keep the verifier of PostgreSQL in the list, byte for byte.
    if (kind === 'scram')
      expect(entries.ok && entries.value.find((entry) => entry.user === user)?.secret.reveal()).toBe(after);
  });

  test('a service is switched with auth-query, and the run is resumed without a clear password in the Secret', async () => {
    const plan = { ...withAdmin, pooler: { credentials: 'auth-query' as const } };
    // The tests before took the role away from services that were opening connections.
    const before = at.cluster.report().totals.failed;
    const first = await at.run({ plan, stopAfter: 'p2.identity-service.health' });
    expect(stepOf(first, 'p2.identity-service.health').state, story(first)).toBe('pass');
    const end = await at.run({ plan, resume: first.runId, stopAfter: 'p2.notification-service.health' });
    expect(stepOf(end, 'p2.notification-service.health').state, story(end)).toBe('pass');
    expect(at.cluster.report().totals.failed).toBe(before);
  });
});

/** Does something at the first snapshot for which `when` holds. */
function once<T>(when: (seen: T) => boolean, work: () => Promise<unknown>): (seen: T) => void {
  let done = false;
  return (seen) => {
    if (done || !when(seen)) return;
    done = true;
    void work();
  };
}
