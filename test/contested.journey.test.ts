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

test('the first revert stops the run, names who did it, and is not fought', async () => {
  const get = (): Json => cluster.store.get('deployments.apps', 'nova', 'identity-service');
  const template = structuredClone(get().spec.template);
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
    const plan = planOf('reverted', [{ name: 'identity-service' }], '1m');
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
    expect(ran.envelope.services).toMatchObject([{ name: 'identity-service', state: 'direct' }]);
    expect(reverts).toBe(1);
    expect(canonicalJson(get().spec.template)).toBe(canonicalJson(template));
  } finally {
    stop();
  }
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
