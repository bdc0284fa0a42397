/**
 * Others at work on the same workloads, through the built program: a reconciler that puts the old address back while the
 * pools are watched, and a StatefulSet whose broken pod keeps it from going back.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { canonicalJson } from '../src/engine/kube/fingerprint.ts';
import { type Cluster, startCluster } from '../src/rehearsal/cluster.ts';
import type { Json } from '../src/rehearsal/contract.ts';
import { openSteps, runWizard } from './wizard-process.ts';

const PASSWORD = 'two-at-work';
const home = mkdtempSync(join(tmpdir(), 'pgbw-contested-'));
let cluster: Cluster;

function planOf(name: string, services: Json[], observe: string): string {
  const file = join(home, `${name}.json`);
  const plan = {
    apiVersion: 'pgb-wizard/v1',
    kind: 'MigrationPlan',
    name,
    namespace: 'nova',
    baseline: { enabled: false },
    observe: { every: '1s', for: observe },
    phases: [{ id: 'p2', title: 'All', services }],
  };
  writeFileSync(file, JSON.stringify(plan));
  return file;
}

beforeAll(async () => {
  // The fault bites the pods of this name that are configured for the pooler: here those of the StatefulSet.
  cluster = await startCluster({
    services: 3,
    password: PASSWORD,
    pace: 20,
    faults: ['crashloop:notification-service'],
  });
});

afterAll(async () => {
  await cluster?.close();
  rmSync(home, { recursive: true, force: true });
});

test('the first revert stops the run, names who did it, is not fought, and keeps nobody else from going back', async () => {
  const get = (): Json => cluster.store.get('deployments.apps', 'nova', 'identity-service');
  const template = structuredClone(get().spec.template);
  const other = (): string =>
    canonicalJson(cluster.store.get('deployments.apps', 'nova', 'cdn-service')!.spec.template);
  const otherBefore = other();
  let reverts = 0;
  // A reconciler comes by once the rollout is over, as Argo CD does some seconds after a change.
  const stop = cluster.store.watch(() => {
    const live = get();
    const { spec, status, metadata } = live;
    const over = status?.observedGeneration === metadata.generation && status?.updatedReplicas === status?.replicas;
    if (!over || canonicalJson(spec.template) === canonicalJson(template)) return;
    const pods = cluster.store.list('pods', 'nova', { app: 'identity-service' });
    if (pods.length !== spec.replicas || status?.availableReplicas !== spec.replicas) return;
    reverts++;
    const back = { ...live, metadata: { ...metadata, resourceVersion: undefined }, spec: { ...spec, template } };
    cluster.store.update('deployments.apps', back, { manager: 'argocd-controller' });
  });
  try {
    const plan = planOf('reverted', [{ name: 'cdn-service' }, { name: 'identity-service' }], '1m');
    const ran = await runWizard(home, cluster.kubeconfigPath, [
      'run',
      '--no-input',
      '--plan',
      plan,
      '--time-scale',
      '60',
    ]);
    expect(ran.code, ran.stderr).toBe(5);
    expect(openSteps(ran)).toMatch(
      /contested: deployment\/identity-service has its original address again.*argocd-controller/,
    );
    expect(ran.envelope.services).toMatchObject([
      { name: 'cdn-service', state: 'pooled' },
      { name: 'identity-service', state: 'direct' },
    ]);
    expect(reverts).toBe(1);
    expect(canonicalJson(get().spec.template)).toBe(canonicalJson(template));
  } finally {
    stop();
  }
  // Going on is for somebody who has looked, and says at what.
  const again = await runWizard(home, cluster.kubeconfigPath, ['run', '--no-input']);
  expect(again.code, again.stderr).toBe(3);
  expect(again.stderr).toMatch(/identity-service: the journal says .*argocd-controller reverts it/);
  expect(other()).not.toBe(otherBefore);
  const back = await runWizard(home, cluster.kubeconfigPath, ['rollback', '--all', '--no-input']);
  expect(back.code, back.stderr).toBe(6);
  expect(other()).toBe(otherBefore);
});

test('a StatefulSet that can’t go back because of its broken pod is freed by deleting that very pod', async () => {
  const labels = { app: 'notification-service', part: 'stateful' };
  cluster.store.create('statefulsets.apps', {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'stateful', namespace: 'nova' },
    spec: {
      serviceName: 'stateful',
      replicas: 2,
      selector: { matchLabels: { part: 'stateful' } },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 2,
          containers: [
            {
              name: 'app',
              image: 'shop/stateful:1',
              ports: [{ containerPort: 8080 }],
              env: [{ name: 'DATABASE_URL', value: `postgresql://nova_user:${PASSWORD}@postgres:5432/nova` }],
              readinessProbe: { httpGet: { path: '/health', port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  });
  const get = (): Json => cluster.store.get('statefulsets.apps', 'nova', 'stateful');
  const healthy = () =>
    vi.waitFor(() => expect(get().status).toMatchObject({ availableReplicas: 2, updatedReplicas: 2 }), {
      timeout: 30_000,
      interval: 50,
    });
  await healthy();
  const before = canonicalJson(get().spec);
  const plan = planOf('stateful', [{ name: 'stateful', kind: 'StatefulSet' }], '1s');
  const ran = await runWizard(home, cluster.kubeconfigPath, [
    ...['run', '--no-input', '--fresh', '--plan', plan, '--time-scale', '600'],
    ...['--on-failure', 'rollback-service', '--on-inconclusive', 'accept'],
  ]);
  expect(`${ran.code} ${openSteps(ran)}`).toMatch(/^6 p2\.stateful\.migrate: /);
  expect(JSON.stringify(ran.envelope.steps)).toContain('"check":"stuck pod stateful-1"');
  expect(canonicalJson(get().spec)).toBe(before);
  await healthy();
  expect(get().status.currentRevision).toBe(get().status.updateRevision);
});

test('a Secret with an address that somebody deletes meanwhile is told, and the way out is the way back', async () => {
  const template = (): string =>
    canonicalJson(cluster.store.get('deployments.apps', 'nova', 'cdn-service')!.spec.template);
  const before = template();
  const plan = planOf('deleted', [{ name: 'cdn-service' }], '1s');
  const flags = ['--no-input', '--plan', plan, '--on-inconclusive', 'accept'];
  const first = await runWizard(home, cluster.kubeconfigPath, [
    ...['run', '--fresh', ...flags, '--time-scale', '600', '--stop-after', 'p2'],
  ]);
  expect(first.code, first.stderr).toBe(3);
  expect(first.stderr).toContain('end     parked: stopped after p2, as asked');
  const name = `cdn-service-pgb-${first.envelope.runId}`;
  expect(cluster.store.get('secrets', 'nova', name)).toBeDefined();
  cluster.store.delete('secrets', 'nova', name);
  const second = await runWizard(home, cluster.kubeconfigPath, ['run', ...flags]);
  expect(`${second.code} ${openSteps(second)}`).toMatch(new RegExp(`^5 p5\\.verify: .*${name}.* deleted`));
  const back = await runWizard(home, cluster.kubeconfigPath, [
    ...['rollback', '--all', '--no-input', '--run', String(first.envelope.runId)],
  ]);
  expect(back.code, back.stderr).toBe(6);
  expect(template()).toBe(before);
});
