import { expect, test } from 'vitest';
import { viewOf } from './rollout-view.ts';
import type { KubeObject } from './types.ts';

const LABELS = { app: 'web' };
const template = (image: string, more: object = {}) => ({
  metadata: { labels: { ...LABELS, ...more } },
  spec: { containers: [{ name: 'app', image }] },
});
const controller = (kind: string, name: string, uid: string) => [{ kind, name, uid, controller: true }];

function workload(kind: 'Deployment' | 'Rollout', name: string, status: object): KubeObject {
  return {
    apiVersion: kind === 'Rollout' ? 'argoproj.io/v1alpha1' : 'apps/v1',
    kind,
    metadata: { name, namespace: 'nova', uid: name, generation: 2 },
    spec: { replicas: 1, selector: { matchLabels: LABELS }, template: template('web:2') },
    status,
  };
}

const setOf = (of: KubeObject, hash: string, image: string, label = 'pod-template-hash'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: {
    name: `${of.metadata.name}-${hash}`,
    uid: `${of.metadata.name}-${hash}`,
    labels: { [label]: hash },
    ownerReferences: controller(of.kind, of.metadata.name, of.metadata.uid),
  },
  spec: { template: template(image, { [label]: hash }) },
});

const podOf = (name: string, set: string, hash: string, label = 'pod-template-hash'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    uid: name,
    labels: { ...LABELS, [label]: hash },
    ownerReferences: controller('ReplicaSet', set, set),
  },
  status: { phase: 'Running' },
});

const done = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
const names = (pods: readonly KubeObject[] | undefined) => pods?.map((one) => one.metadata.name);

test('pods of another workload with the same labels, or of nobody, are no old pods', () => {
  const web = workload('Deployment', 'web', done);
  const other = workload('Deployment', 'web-admin', done);
  const bare = { ...podOf('debug', '', ''), metadata: { name: 'debug', uid: 'debug', labels: LABELS } };
  const view = viewOf(
    {
      workload: web,
      replicaSets: [setOf(web, 'bbb', 'web:2'), setOf(web, 'aaa', 'web:1'), setOf(other, 'aaa', 'web:1')],
      pods: [
        podOf('web-bbb-1', 'web-bbb', 'bbb'),
        podOf('web-aaa-1', 'web-aaa', 'aaa'),
        podOf('admin-1', 'web-admin-aaa', 'aaa'),
        bare,
      ],
    },
    () => 'target',
  );
  expect(names(view?.newPods)).toEqual(['web-bbb-1']);
  expect(names(view?.oldPods)).toEqual(['web-aaa-1']);
});

test('a pod that outlives its ReplicaSet is still an old one, and one of a ReplicaSet that was not seen yet is not passed over', () => {
  const web = workload('Deployment', 'web', done);
  const view = viewOf(
    {
      workload: web,
      replicaSets: [setOf(web, 'bbb', 'web:2')],
      pods: [podOf('ending', 'web-aaa', 'aaa'), podOf('admin', 'web-admin-aaa', 'aaa')],
    },
    () => 'target',
  );
  expect(names(view?.oldPods)).toEqual(['ending']);
});

test('an Argo Rollout is over when its pods are those of the ReplicaSet that its status names', () => {
  const label = 'rollouts-pod-template-hash';
  const status = { observedGeneration: '2', phase: 'Healthy', stableRS: 'bbb', currentPodHash: 'bbb' };
  const web = workload('Rollout', 'web', status);
  const look = (target: KubeObject) =>
    viewOf(
      {
        workload: web,
        replicaSets: [target, setOf(web, 'aaa', 'web:1', label)],
        pods: [podOf('new', 'web-bbb', 'bbb', label), podOf('old', 'web-aaa', 'aaa', label)],
      },
      () => 'target',
    );
  const plain = setOf(web, 'bbb', 'web:2', label);
  const canary = structuredClone(plain);
  canary.spec.template.metadata.labels.role = 'canary';
  for (const target of [plain, canary]) {
    const view = look(target);
    expect([view?.settled, names(view?.newPods), names(view?.oldPods)]).toEqual([true, ['new'], ['old']]);
  }
});
