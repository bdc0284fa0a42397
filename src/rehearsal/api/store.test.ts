import { beforeEach, describe, expect, test } from 'vitest';
import type { ApiStatusError, KubeObject } from '../contract.ts';
import { createStore, type RehearsalStore } from './store.ts';

let store: RehearsalStore;
beforeEach(() => {
  store = createStore({ namespaces: ['nova'] });
});

function deployment(name = 'web'): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'nova' },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [{ name: 'app', image: 'nova/app:1', env: [{ name: 'DATABASE_URL', value: 'postgresql://a' }] }],
        },
      },
    },
  };
}

function refusal(work: () => unknown): ApiStatusError {
  try {
    work();
  } catch (error) {
    return error as ApiStatusError;
  }
  throw new Error('nothing was refused');
}

describe('writes', () => {
  test('a write that changes nothing keeps the resourceVersion and makes no event', () => {
    const created = store.create('deployments.apps', deployment());
    let events = 0;
    store.watch(() => {
      events += 1;
    });
    const again = store.update('deployments.apps', created);
    expect(again.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
    expect(events).toBe(0);
  });

  test('the generation counts spec and annotation changes of a Deployment, never its status', () => {
    const one = store.create('deployments.apps', deployment());
    const two = store.update('deployments.apps', { ...one, spec: { ...one.spec, replicas: 4 } });
    const three = store.update('deployments.apps', { ...two, metadata: { ...two.metadata, annotations: { a: 'b' } } });
    const four = store.updateStatus('deployments.apps', { ...three, status: { replicas: 1 } });
    expect([one, two, three, four].map((object) => object.metadata.generation)).toEqual([1, 2, 3, 3]);
  });

  test('a status write changes neither spec nor labels, but may set the revision annotation', () => {
    const one = store.create('deployments.apps', deployment());
    const two = store.updateStatus('deployments.apps', {
      ...one,
      metadata: { ...one.metadata, labels: { no: 'no' }, annotations: { 'deployment.kubernetes.io/revision': '1' } },
      spec: { ...one.spec, replicas: 9 },
      status: { observedGeneration: 1 },
    });
    expect(two.spec.replicas).toBe(1);
    expect(two.metadata.labels).toBeUndefined();
    expect(two.metadata.annotations).toEqual({ 'deployment.kubernetes.io/revision': '1' });
  });

  test('a stale resourceVersion is a conflict', () => {
    const one = store.create('deployments.apps', deployment());
    store.update('deployments.apps', { ...one, spec: { ...one.spec, replicas: 4 } });
    const error = refusal(() => store.update('deployments.apps', { ...one, spec: { ...one.spec, replicas: 5 } }));
    expect([error.code, error.status.reason]).toEqual([409, 'Conflict']);
  });

  test('selectors cannot change', () => {
    const one = store.create('deployments.apps', deployment());
    const next = structuredClone(one);
    next.spec.selector.matchLabels = { app: 'other' };
    next.spec.template.metadata.labels = { app: 'other' };
    expect(refusal(() => store.update('deployments.apps', next)).message).toContain('spec.selector: Invalid value');
    expect(refusal(() => store.update('deployments.apps', next)).message).toContain('field is immutable');
  });

  test('an immutable Secret keeps its data', () => {
    const one = store.create('secrets', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'nova' },
      immutable: true,
      stringData: { url: 'x' },
    });
    expect(one.data).toEqual({ url: 'eA==' });
    const error = refusal(() => store.update('secrets', { ...one, data: { url: 'eQ==' } }));
    expect(error.message).toBe('Secret "s" is invalid: data: Forbidden: field is immutable when `immutable` is set');
  });

  test('a dry run answers with defaults and stores nothing', () => {
    const before = store.revision();
    const answer = store.create('deployments.apps', deployment(), { dryRun: true });
    expect(answer.spec.progressDeadlineSeconds).toBe(600);
    expect(store.get('deployments.apps', 'nova', 'web')).toBeUndefined();
    expect(store.revision()).toBe(before);
  });

  test('objects handed out are copies', () => {
    store.create('deployments.apps', deployment()).spec.replicas = 77;
    const read = store.get('deployments.apps', 'nova', 'web') as KubeObject;
    read.spec.replicas = 78;
    expect(store.get('deployments.apps', 'nova', 'web')?.spec.replicas).toBe(1);
  });

  test('the owner of an env entry can be read from managedFields', () => {
    const one = store.create('deployments.apps', deployment(), { manager: 'argocd' });
    one.spec.template.spec.containers[0].env[0].value = 'postgresql://b';
    const two = store.update('deployments.apps', one, { manager: 'pgb-wizard' });
    const owners = (two.metadata.managedFields ?? []).filter((entry) => {
      const containers = entry.fieldsV1['f:spec']?.['f:template']?.['f:spec']?.['f:containers'];
      return containers?.['k:{"name":"app"}']?.['f:env']?.['k:{"name":"DATABASE_URL"}']?.['f:value'] !== undefined;
    });
    expect(owners.map((entry) => entry.manager)).toEqual(['pgb-wizard']);
  });
});

describe('deletion', () => {
  const pod = (name: string, more: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'nova', ...more },
    spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'x:1' }] },
  });

  test('a pod on a node gets its grace period and is removed when it is finished', () => {
    store.create('pods', pod('p'));
    const dying = store.delete('pods', 'nova', 'p');
    expect(dying.metadata.deletionGracePeriodSeconds).toBe(30);
    store.finalise('pods', 'nova', 'p', 'another uid');
    expect(store.get('pods', 'nova', 'p')).toBeDefined();
    store.finalise('pods', 'nova', 'p', dying.metadata.uid as string);
    expect(store.get('pods', 'nova', 'p')).toBeUndefined();
  });

  test('what only the deleted object owned goes with it', async () => {
    const owner = store.create('deployments.apps', deployment());
    const ownerReferences = [
      { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: owner.metadata.uid as string },
    ];
    store.create('configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c', namespace: 'nova', ownerReferences },
    });
    store.delete('deployments.apps', 'nova', 'web');
    await Promise.resolve();
    expect(store.get('configmaps', 'nova', 'c')).toBeUndefined();
  });

  test('a wrong uid in the preconditions refuses the deletion', () => {
    store.create('deployments.apps', deployment());
    expect(refusal(() => store.delete('deployments.apps', 'nova', 'web', { uid: 'x' })).code).toBe(409);
  });
});

describe('history', () => {
  test('changes after a revision are kept until the history is compacted', () => {
    const start = store.revision();
    store.create('deployments.apps', deployment('a'));
    store.create('deployments.apps', deployment('b'));
    expect(store.since(start)?.map((change) => change.object.metadata.name)).toEqual(['a', 'b']);
    store.compact();
    expect(store.since(start)).toBeUndefined();
    expect(store.since(store.revision())).toEqual([]);
  });
});
