import { beforeEach, describe, expect, test } from 'vitest';
import type { Json } from '../contract.ts';
import { type Attributes, covers, createRbac, type Identity, type Rbac } from './rbac.ts';
import { bootstrapRbac } from './rbac-bootstrap.ts';
import { createStore, type RehearsalStore } from './store.ts';

const GROUP = 'rbac.authorization.k8s.io';
const someone = (name: string, ...groups: string[]): Identity => ({
  name,
  groups: [...groups, 'system:authenticated'],
});
const want = (verb: string, resource: string, more: Partial<Attributes> = {}): Attributes => {
  const [plural = '', subresource] = resource.split('/');
  return { verb, group: '', resource: plural, ...(subresource ? { subresource } : {}), namespace: 'nova', ...more };
};

describe('a rule covers', () => {
  const cases: [sentence: string, rule: Json, wanted: Attributes, covered: boolean][] = [
    ['its own verb', { verbs: ['get'], apiGroups: [''], resources: ['pods'] }, want('get', 'pods'), true],
    ['no other verb', { verbs: ['get'], apiGroups: [''], resources: ['pods'] }, want('list', 'pods'), false],
    [
      'no other group',
      { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments'] },
      want('get', 'deployments'),
      false,
    ],
    ['everything with stars', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, want('delete', 'pods/log'), true],
    [
      'no subresource by its resource',
      { verbs: ['get'], apiGroups: [''], resources: ['pods'] },
      want('get', 'pods/log'),
      false,
    ],
    [
      'a subresource of any resource',
      { verbs: ['get'], apiGroups: [''], resources: ['*/log'] },
      want('get', 'pods/log'),
      true,
    ],
    [
      'no resource by its subresource',
      { verbs: ['get'], apiGroups: [''], resources: ['pods/log'] },
      want('get', 'pods'),
      false,
    ],
    [
      'a name it lists',
      { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] },
      want('get', 'secrets', { name: 'a' }),
      true,
    ],
    [
      'no other name',
      { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] },
      want('get', 'secrets', { name: 'b' }),
      false,
    ],
    [
      'no request without a name when it lists some',
      { verbs: ['list'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] },
      want('list', 'secrets'),
      false,
    ],
    [
      'a path',
      { verbs: ['get'], nonResourceURLs: ['/version'] },
      { verb: 'get', group: '', resource: '', path: '/version' },
      true,
    ],
    [
      'paths below a star',
      { verbs: ['get'], nonResourceURLs: ['/apis/*'] },
      { verb: 'get', group: '', resource: '', path: '/apis/apps' },
      true,
    ],
    [
      'no path by a resource star',
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verb: 'get', group: '', resource: '', path: '/version' },
      false,
    ],
  ];
  for (const [sentence, rule, wanted, covered] of cases) {
    test(sentence, () => expect(covers(rule, wanted)).toBe(covered));
  }
});

describe('the Roles and bindings in the store decide', () => {
  let store: RehearsalStore;
  let rbac: Rbac;
  const role = (kind: string, name: string, rules: Json[], namespace?: string) =>
    store.create(`${kind.toLowerCase()}s.${GROUP}`, {
      apiVersion: `${GROUP}/v1`,
      kind,
      metadata: { name, ...(namespace ? { namespace } : {}) },
      rules,
    });
  const bind = (kind: string, name: string, roleRef: Json, subjects: Json[], namespace?: string) =>
    store.create(`${kind.toLowerCase()}s.${GROUP}`, {
      apiVersion: `${GROUP}/v1`,
      kind,
      metadata: { name, ...(namespace ? { namespace } : {}) },
      roleRef,
      subjects,
    });
  const READ = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];

  beforeEach(() => {
    store = createStore({ namespaces: ['nova', 'other'] });
    bootstrapRbac(store);
    rbac = createRbac(store);
  });

  test('nobody may anything until a binding says so, and then in its namespace alone', () => {
    expect(rbac.decide(someone('ann'), want('get', 'pods'))).toEqual({ allowed: false, reason: '' });
    role('Role', 'reader', READ, 'nova');
    bind('RoleBinding', 'readers', { kind: 'Role', name: 'reader' }, [{ kind: 'User', name: 'ann' }], 'nova');
    expect(rbac.decide(someone('ann'), want('get', 'pods'))).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "readers/nova" of Role "reader" to User "ann"',
    });
    expect(rbac.decide(someone('ann'), want('get', 'pods', { namespace: 'other' })).allowed).toBe(false);
    expect(rbac.decide(someone('bob'), want('get', 'pods')).allowed).toBe(false);
    store.delete(`rolebindings.${GROUP}`, 'nova', 'readers');
    expect(rbac.decide(someone('ann'), want('get', 'pods')).allowed).toBe(false);
  });

  test('a RoleBinding of a ClusterRole holds in its namespace, a ClusterRoleBinding everywhere', () => {
    role('ClusterRole', 'reader', READ);
    const ref = { kind: 'ClusterRole', name: 'reader' };
    bind('RoleBinding', 'here', ref, [{ kind: 'Group', name: 'ops' }], 'nova');
    bind('ClusterRoleBinding', 'everywhere', ref, [{ kind: 'ServiceAccount', name: 'robot', namespace: 'nova' }]);
    const { namespace: _none, ...cluster } = want('get', 'pods');
    expect(rbac.decide(someone('ann', 'ops'), want('get', 'pods')).allowed).toBe(true);
    expect(rbac.decide(someone('ann', 'ops'), cluster).allowed).toBe(false);
    expect(rbac.decide(someone('system:serviceaccount:nova:robot'), cluster)).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by ClusterRoleBinding "everywhere" of ClusterRole "reader" to ServiceAccount "robot/nova"',
    });
    expect(rbac.decide(someone('system:serviceaccount:other:robot'), cluster).allowed).toBe(false);
  });

  test('a binding of a Role that is gone says so', () => {
    bind('RoleBinding', 'b', { kind: 'Role', name: 'gone' }, [{ kind: 'User', name: 'ann' }], 'nova');
    expect(rbac.decide(someone('ann'), want('get', 'pods'))).toEqual({
      allowed: false,
      reason: `RBAC: role.${GROUP} "gone" not found`,
    });
  });

  test('system:masters may everything, and everybody may ask what they may', () => {
    expect(rbac.decide(someone('root', 'system:masters'), want('delete', 'secrets')).allowed).toBe(true);
    const ask = { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' };
    expect(rbac.decide(someone('ann'), ask).allowed).toBe(true);
    expect(rbac.decide({ name: 'system:anonymous', groups: ['system:unauthenticated'] }, ask).allowed).toBe(false);
  });

  test('view reads pods and no Secrets; edit writes Deployments and no Roles', () => {
    for (const name of ['view', 'edit']) {
      bind('RoleBinding', name, { kind: 'ClusterRole', name }, [{ kind: 'User', name }], 'nova');
    }
    const may = (name: string, verb: string, resource: string, group = '') =>
      rbac.decide(someone(name), want(verb, resource, { group })).allowed;
    expect([
      may('view', 'list', 'pods'),
      may('view', 'get', 'secrets'),
      may('view', 'patch', 'deployments', 'apps'),
    ]).toEqual([true, false, false]);
    expect([may('edit', 'patch', 'deployments', 'apps'), may('edit', 'create', 'roles', GROUP)]).toEqual([true, false]);
  });
});
