/** `doctor --fix`, through the built program: shown, confirmed, made and proved, and not while a run holds the lock. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ref } from '../src/engine/kube/refs.ts';
import { type RehearsedCluster, rehearsedCluster } from './rehearsed-run.ts';
import { runWizard } from './wizard-process.ts';

const home = mkdtempSync(join(tmpdir(), 'pgbw-doctor-'));
const plan = join(home, 'plan.json');
let at: RehearsedCluster;
let name: string;

beforeAll(async () => {
  at = await rehearsedCluster();
  name = `${at.kube.ref.context}/nova`;
  const phases = [{ id: 'p2', title: 'One', services: [{ name: 'identity-service' }] }];
  writeFileSync(
    plan,
    JSON.stringify({
      apiVersion: 'pgb-wizard/v1',
      kind: 'MigrationPlan',
      name: 'doctor',
      pooler: { image: 'pgbouncer:rehearsal' },
      phases,
    }),
  );
  const parked = await wizard('run', '--no-input', '--stop-after', 'p1.connectivity');
  expect(parked.envelope.outcome).toBe('parked');
}, 150_000);
afterAll(async () => {
  await at?.close();
  rmSync(home, { recursive: true, force: true });
});

const wizard = (command: string, ...more: string[]) =>
  runWizard(home, at.cluster.kubeconfigPath, [command, '--plan', plan, ...more]);

test('a fix without a terminal needs the name of what it changes, exactly', async () => {
  const silent = await wizard('doctor', '--fix', 'reconnect');
  expect([silent.code, silent.envelope.error.message]).toEqual([2, expect.stringMatching(/needs its confirmation/)]);
  expect(silent.envelope.error.next.join(' ')).toContain(`--confirm ${name}`);
  const other = await wizard('doctor', '--fix', 'reconnect', '--confirm', 'prod-eu-1/nova');
  expect([other.code, other.envelope.error.message]).toEqual([2, expect.stringContaining(`this is ${name}`)]);
});

test('confirmed, it is made, proved, and nothing is left to find', async () => {
  const done = await wizard('doctor', '--fix', 'reconnect', '--confirm', name);
  expect(`${done.code} ${JSON.stringify(done.envelope.error ?? '')}`).toBe('0 ""');
  expect(done.envelope).toMatchObject({
    outcome: 'fixed',
    fix: 'reconnect',
    summary: 'RECONNECT nova on 2 poolers',
    proof: expect.stringMatching(/^a query was answered through pgbouncer-\S+ and pgbouncer-\S+$/),
    findings: [],
  });
  // What would change was shown first, on the way that is for people.
  expect(done.stderr).toMatch(/\+ pgbouncer-\S+: new server connections to nova, after the running transactions/);
  expect(done.stderr).toMatch(/\$ pgbouncer-\S+: RECONNECT nova/);
});

test('a fix for what is not wrong is refused', async () => {
  const idle = await wizard('doctor', '--fix', 'resume', '--confirm', name);
  expect([idle.code, idle.envelope.error.message]).toEqual([1, 'no pooler has nova paused']);
});

test('while a run holds the lock nobody else’s hand is on the poolers', async () => {
  const lease = ref('Lease', 'nova', 'pgb-wizard');
  const found = await at.kube.get(lease);
  if (!found.ok) throw new Error(found.error.message);
  const held = await at.kube.replace(lease, {
    ...found.value,
    spec: {
      ...found.value.spec,
      holderIdentity: 'alice@bastion#run-1',
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    },
  });
  expect(held.ok).toBe(true);
  const refused = await wizard('doctor', '--fix', 'reconnect', '--confirm', name);
  expect([refused.code, refused.envelope.error.message]).toEqual([
    7,
    expect.stringContaining('alice@bastion holds the lock'),
  ]);
});
