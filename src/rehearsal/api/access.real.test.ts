/** Who may do what, over TLS: impersonation, reviews, tokens of ServiceAccounts, and no more rights granted than held. */
import { request } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Json, PodRuntime } from '../contract.ts';
import { type ApiServer, startApiServer } from './server.ts';
import { createStore } from './store.ts';

const runtime: PodRuntime = {
  async *log() {
    yield { at: new Date(0), line: 'hello' };
  },
  exec: () => Promise.resolve(0),
  dial: () => Promise.reject(new Error('connection refused')),
};
const GROUP = 'rbac.authorization.k8s.io';
const MAPS = '/api/v1/namespaces/nova/configmaps';

let api: ApiServer;
beforeEach(async () => {
  api = await startApiServer({
    store: createStore({ namespaces: ['nova'] }),
    runtime,
    users: [
      { name: 'admin', token: 'a', admin: true },
      { name: 'weak', token: 'w' },
    ],
  });
});
afterEach(() => api.close());

type Headers = Record<string, string | string[]>;

function call(
  method: string,
  path: string,
  body?: Json,
  headers: Headers = {},
): Promise<{ status: number; body: Json }> {
  return new Promise((resolve, reject) => {
    const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
    const outgoing = request(
      `${api.url}${path}`,
      { method, ca: api.ca, headers: { authorization: 'Bearer a', 'content-type': type, ...headers } },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const as = (user: string, more: Headers = {}): Headers => ({ 'impersonate-user': user, ...more });
const rbac = (kind: string, name: string, more: Json): Json => ({
  apiVersion: `${GROUP}/v1`,
  kind,
  metadata: { name },
  ...more,
});
const roles = `/apis/${GROUP}/v1/namespaces/nova/roles`;
const bindings = `/apis/${GROUP}/v1/namespaces/nova/rolebindings`;
const READ_MAPS = { verbs: ['get', 'list'], apiGroups: [''], resources: ['configmaps'] };
const subject = (name: string) => [{ kind: 'User', name, apiGroup: GROUP }];

async function grant(name: string, rules: Json[], subjects: Json = subject(name)): Promise<void> {
  expect((await call('POST', roles, rbac('Role', name, { rules }))).status).toBe(201);
  const roleRef = { apiGroup: GROUP, kind: 'Role', name };
  expect((await call('POST', bindings, rbac('RoleBinding', name, { roleRef, subjects }))).status).toBe(201);
}

describe('impersonation', () => {
  test('the request is judged as the one stood in for', async () => {
    const refused = await call('PATCH', '/apis/apps/v1/namespaces/nova/deployments/x', {}, as('u'));
    expect([refused.status, refused.body.message]).toEqual([
      403,
      'deployments.apps "x" is forbidden: User "u" cannot patch resource "deployments" in API group "apps" in the namespace "nova"',
    ]);
    await grant('u', [READ_MAPS]);
    expect((await call('GET', MAPS, undefined, as('u'))).status).toBe(200);
  });

  test('groups, uid and extras are those of the headers; a group may come more than once', async () => {
    const { body } = await call(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      {},
      as('u', {
        'impersonate-group': ['one', 'two'],
        'impersonate-uid': '42',
        'impersonate-extra-team%2fof': ['blue'],
      }),
    );
    expect(body.status.userInfo).toEqual({
      username: 'u',
      uid: '42',
      groups: ['one', 'two', 'system:authenticated'],
      extra: { 'team/of': ['blue'] },
    });
  });

  test('a ServiceAccount is in the groups of its namespace', async () => {
    const who = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const { body } = await call('POST', who, {}, as('system:serviceaccount:nova:robot'));
    expect(body.status.userInfo.groups).toEqual([
      'system:serviceaccounts',
      'system:serviceaccounts:nova',
      'system:authenticated',
    ]);
  });

  test('it needs a permission for the user, and another for each group, uid and extra', async () => {
    const weak = { authorization: 'Bearer w' };
    const ask = async (headers: Headers) => {
      const { status, body } = await call('GET', MAPS, undefined, { ...weak, ...headers });
      return [status, body.message];
    };
    expect(await ask(as('u'))).toEqual([
      403,
      'users "u" is forbidden: User "weak" cannot impersonate resource "users" in API group "" at the cluster scope',
    ]);
    expect(await ask(as('system:serviceaccount:nova:robot'))).toEqual([
      403,
      'serviceaccounts "robot" is forbidden: User "weak" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "nova"',
    ]);
    const users = { verbs: ['impersonate'], apiGroups: [''], resources: ['users'] };
    await call('POST', `/apis/${GROUP}/v1/clusterroles`, rbac('ClusterRole', 'stand-in', { rules: [users] }));
    const roleRef = { apiGroup: GROUP, kind: 'ClusterRole', name: 'stand-in' };
    await call(
      'POST',
      `/apis/${GROUP}/v1/clusterrolebindings`,
      rbac('ClusterRoleBinding', 'stand-in', { roleRef, subjects: subject('weak') }),
    );
    expect(await ask(as('u'))).toEqual([
      403,
      'configmaps is forbidden: User "u" cannot list resource "configmaps" in API group "" in the namespace "nova"',
    ]);
    expect(await ask(as('u', { 'impersonate-group': 'system:masters' }))).toEqual([
      403,
      'groups "system:masters" is forbidden: User "weak" cannot impersonate resource "groups" in API group "" at the cluster scope',
    ]);
    expect(await ask(as('u', { 'impersonate-extra-scopes': 'all' }))).toEqual([
      403,
      'userextras.authentication.k8s.io "all" is forbidden: User "weak" cannot impersonate resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope',
    ]);
    expect(await ask(as('u', { 'impersonate-uid': '7' }))).toEqual([
      403,
      'uids.authentication.k8s.io "7" is forbidden: User "weak" cannot impersonate resource "uids" in API group "authentication.k8s.io" at the cluster scope',
    ]);
  });

  test('groups without a user are refused', async () => {
    expect((await call('GET', MAPS, undefined, { 'impersonate-group': 'ops' })).status).toBe(500);
  });

  test('a stream is judged too, before the pod is looked for', async () => {
    const url = `${api.url.replace('https', 'wss')}/api/v1/namespaces/nova/pods/p/exec?command=id&stdout=true`;
    const ws = new WebSocket(url, ['v5.channel.k8s.io'], {
      ca: api.ca,
      headers: { authorization: 'Bearer a', 'impersonate-user': 'u' },
    });
    const text = await new Promise<string>((resolve, reject) => {
      ws.on('error', reject);
      ws.on('unexpected-response', (_request, response) => {
        response.on('data', (chunk) => resolve(String(chunk)));
      });
    });
    expect(JSON.parse(text).message).toBe(
      'pods "p" is forbidden: User "u" cannot get resource "pods/exec" in API group "" in the namespace "nova"',
    );
  });
});

describe('reviews', () => {
  const ACCESS = '/apis/authorization.k8s.io/v1/';

  test('a subject access review answers for somebody else, with the binding that allows it', async () => {
    await grant('u', [READ_MAPS]);
    const resourceAttributes = { namespace: 'nova', verb: 'list', resource: 'configmaps' };
    const { status, body } = await call('POST', `${ACCESS}subjectaccessreviews`, {
      spec: { user: 'u', resourceAttributes },
    });
    expect([status, body.status]).toEqual([
      201,
      { allowed: true, reason: 'RBAC: allowed by RoleBinding "u/nova" of Role "u" to User "u"' },
    ]);
    const local = `${ACCESS}namespaces/nova/localsubjectaccessreviews`;
    const other = { ...resourceAttributes, verb: 'delete' };
    expect((await call('POST', local, { spec: { user: 'u', resourceAttributes: other } })).body.status).toEqual({
      allowed: false,
    });
    expect((await call('POST', `${ACCESS}subjectaccessreviews`, { spec: { resourceAttributes } })).status).toBe(422);
    const asked = { spec: { user: 'admin', resourceAttributes } };
    expect((await call('POST', `${ACCESS}subjectaccessreviews`, asked, as('u'))).status).toBe(403);
  });

  test('paths that are no resources have their own rules', async () => {
    const allowed = async (path: string) =>
      (
        await call(
          'POST',
          `${ACCESS}selfsubjectaccessreviews`,
          { spec: { nonResourceAttributes: { path, verb: 'get' } } },
          as('u'),
        )
      ).body.status.allowed;
    expect([await allowed('/version'), await allowed('/apis/apps/v1'), await allowed('/metrics')]).toEqual([
      true,
      true,
      false,
    ]);
    expect((await call('GET', '/metrics', undefined, as('u'))).body.message).toBe(
      'forbidden: User "u" cannot get path "/metrics"',
    );
  });

  test('the rules in force are those of the Roles, after those everybody has', async () => {
    await grant('u', [READ_MAPS]);
    const { body } = await call('POST', `${ACCESS}selfsubjectrulesreviews`, { spec: { namespace: 'nova' } }, as('u'));
    expect(body.status.resourceRules).toContainEqual(READ_MAPS);
    expect(body.status.resourceRules).toHaveLength(3);
    expect(body.status.incomplete).toBe(false);
  });
});

test('a rule with names allows a watch of one object by its name', async () => {
  await grant('u', [{ verbs: ['list'], apiGroups: [''], resources: ['configmaps'], resourceNames: ['one'] }]);
  const list = async (query: string) => (await call('GET', `${MAPS}${query}`, undefined, as('u'))).status;
  expect(await list('?fieldSelector=metadata.name%3Done')).toBe(200);
  expect(await list('?fieldSelector=metadata.name%3Dtwo')).toBe(403);
  expect(await list('')).toBe(403);
});

test('an apply that creates needs create beside patch', async () => {
  await grant('u', [{ verbs: ['patch'], apiGroups: [''], resources: ['configmaps'] }]);
  const one = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' } };
  const { body } = await call('PATCH', `${MAPS}/one?fieldManager=t`, one, as('u'));
  expect(body.message).toBe(
    'configmaps "one" is forbidden: User "u" cannot create resource "configmaps" in API group "" in the namespace "nova"',
  );
  await call('POST', MAPS, one);
  expect((await call('PATCH', `${MAPS}/one?fieldManager=t`, one, as('u'))).status).toBe(200);
});

test('nobody grants what they have not, unless they may bind or escalate', async () => {
  const manage = { verbs: ['create', 'get'], apiGroups: [GROUP], resources: ['roles', 'rolebindings'] };
  await grant('u', [manage, READ_MAPS]);
  const wider = { ...READ_MAPS, verbs: ['delete', 'get'] };
  const refused = await call('POST', roles, rbac('Role', 'wider', { rules: [wider] }), as('u'));
  expect([refused.status, refused.body.message]).toEqual([
    403,
    `roles.${GROUP} "wider" is forbidden: user "u" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["configmaps"], Verbs:["delete"]}`,
  ]);
  expect((await call('POST', roles, rbac('Role', 'same', { rules: [READ_MAPS] }), as('u'))).status).toBe(201);
  const bind = (kind: string, name: string) =>
    rbac('RoleBinding', `b-${name}`, { roleRef: { apiGroup: GROUP, kind, name }, subjects: subject('v') });
  expect((await call('POST', bindings, bind('ClusterRole', 'edit'), as('u'))).status).toBe(403);
  expect((await call('POST', bindings, bind('Role', 'same'), as('u'))).status).toBe(201);
  await grant('binder', [
    manage,
    { verbs: ['bind'], apiGroups: [GROUP], resources: ['clusterroles'], resourceNames: ['view'] },
  ]);
  expect((await call('POST', bindings, bind('ClusterRole', 'view'), as('binder'))).status).toBe(201);
});

test('the token of a ServiceAccount is its ServiceAccount', async () => {
  const accounts = '/api/v1/namespaces/nova/serviceaccounts';
  await call('POST', accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } });
  await grant('robots', [READ_MAPS], [{ kind: 'ServiceAccount', name: 'robot', namespace: 'nova' }]);
  const { body } = await call('POST', `${accounts}/robot/token`, { spec: { expirationSeconds: 600 } });
  const robot = { authorization: `Bearer ${body.status.token}` };
  expect((await call('GET', MAPS, undefined, robot)).status).toBe(200);
  expect((await call('GET', '/api/v1/namespaces/nova/secrets', undefined, robot)).body.message).toContain(
    'User "system:serviceaccount:nova:robot" cannot list',
  );
});
