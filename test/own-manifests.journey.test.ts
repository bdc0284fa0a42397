/** The pooler in manifests of the operator's own, through the built program: what can't work is refused before a write, the rest carries the whole guide. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../src/rehearsal/cluster.ts';
import type { Json } from '../src/rehearsal/contract.ts';
import { openSteps, runWizard } from './wizard-process.ts';

const home = mkdtempSync(join(tmpdir(), 'pgbw-own-'));
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
}, 150_000);
afterAll(async () => {
  await cluster?.close();
  rmSync(home, { recursive: true, force: true });
});

function planFile(manifests: string): string {
  const path = join(home, `${manifests}.json`);
  const services = (...names: string[]) => names.map((name) => ({ name }));
  writeFileSync(
    path,
    JSON.stringify({
      apiVersion: 'pgb-wizard/v1',
      kind: 'MigrationPlan',
      name: 'own',
      pooler: { manifests: resolve('test/own-manifests', manifests) },
      phases: [
        { id: 'p2', title: 'Pilot', soak: '30m', services: services('identity-service', 'cdn-service') },
        {
          id: 'p4',
          title: 'The others',
          batches: [{ name: 'rest', parallelism: 3 }],
          services: services('auth-service', 'feed-service', 'content-service').map((one) => ({
            ...one,
            batch: 'rest',
          })),
        },
      ],
    }),
  );
  return path;
}

const stepOf = (ran: { envelope: Json }, id: string): Json => ran.envelope.steps.find((one: Json) => one.id === id);

test('files that can’t carry the services are refused with every reason, before anything is written', async () => {
  const secrets = () => cluster.store.list('secrets', 'nova').map((one) => one.metadata.name);
  const before = secrets();
  const ran = await runWizard(home, cluster.kubeconfigPath, ['run', '--no-input', '--plan', planFile('as-written')]);
  expect(ran.code).toBe(5);
  const { state, cause, hint } = stepOf(ran, 'preflight');
  expect(state).toBe('fail');
  for (const reason of [
    /The manifests bring the Secret pgbouncer-userlist too/,
    /auth_file is \/etc\/pgbouncer\/userlist\.txt/,
    /admin_users lacks admin \(it is pgbouncer/,
    /The Service pgbouncer has no port 6432 \(it has 5432\)/,
    /The Deployment has 3 replicas, the plan 2/,
    /ignore_startup_parameters lacks extra_float_digits/,
    /exporter has a password in clear in PGBOUNCER_EXPORTER_CONNECTION_STRING/,
    /pool_mode has a comment behind its value/,
  ])
    expect(cause).toMatch(reason);
  expect(hint).toMatch(/Set pooler\.replicas to 3 in the plan/);
  // What does not stop it is said as well.
  const found = stepOf(ran, 'preflight').evidence.find((one: Json) => one.check === 'own manifests');
  expect(found.data.findings.join('\n')).toMatch(/warn: The livenessProbe talks SQL/);
  expect(found.data.findings.join('\n')).toMatch(/warn: There is no PodDisruptionBudget/);
  expect(secrets()).toEqual(before);
  expect(`${JSON.stringify(ran.envelope)}${ran.stderr}`).not.toContain('statspass789');
});

test('the same files, mended, carry the whole guide under their own names', async () => {
  const failed = cluster.report().totals.failed;
  const args = ['--plan', planFile('mended'), '--time-scale', '600'];
  const ran = await runWizard(home, cluster.kubeconfigPath, ['run', '--no-input', '--fresh', ...args]);
  expect(`${ran.code} ${openSteps(ran)}`).toBe('0 ');
  expect(cluster.report().totals.failed).toBe(failed);
  expect(stepOf(ran, 'p1.credentials').evidence.find((one: Json) => one.check === 'arrangement').observed).toMatch(
    /^plaintext: /,
  );
  // 12 + 2 a pooler by the file, two poolers; the sizes are judged, not replaced.
  const sizing = stepOf(ran, 'preflight').evidence.find((one: Json) => one.check === 'connection arithmetic');
  expect(sizing.observed).toMatch(/^2 poolers x 14 = 28 of /);
  const pods = stepOf(ran, 'p1.deploy').evidence.filter((one: Json) => /^pod bouncer-/.test(one.check));
  expect(pods.map((one: Json) => one.observed)).toEqual(['2/2 Ready', '2/2 Ready']);
  const all = stepOf(ran, 'p5.verify').evidence;
  expect(all.find((one: Json) => one.check === 'pools of every pooler').verdict).toBe('pass');
  expect(all.find((one: Json) => one.check === 'PostgreSQL connections').observed).toMatch(/^[1-9]\d* pooled/);

  const back = await runWizard(home, cluster.kubeconfigPath, ['rollback', '--all', '--no-input']);
  expect(`${back.code} ${openSteps(back)}`).toBe('6 ');
  expect(cluster.report().totals.failed).toBe(failed);
});
