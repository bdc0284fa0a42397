/** The API server over TLS: faults, watches, apply, streams for a client library. */
import { request } from 'node:https';
import { Duplex, PassThrough } from 'node:stream';
import { CoreV1Api, Exec, KubeConfig, PortForward } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Json, KubeObject, PodRuntime } from '../contract.ts';
import { type ApiServer, startApiServer } from './server.ts';
import { createStore, type RehearsalStore } from './store.ts';

const runtime: PodRuntime = {
  async *log() {
    yield { at: new Date(0), line: 'hello' };
  },
  async exec(_namespace, _pod, _container, command, session) {
    session.stdout(Buffer.from(`ran ${command.join(' ')}\n`));
    return 3;
  },
  dial: () =>
    Promise.resolve(
      new Duplex({
        read: () => undefined,
        write(chunk: Buffer, _encoding, done) {
          this.push(Buffer.from(`echo ${chunk}`));
          done();
        },
      }),
    ),
};

let store: RehearsalStore;
let api: ApiServer;
beforeEach(async () => {
  store = createStore({ namespaces: ['nova'] });
  api = await startApiServer({
    store,
    runtime,
    users: [
      { name: 'admin', token: 'a', admin: true },
      { name: 'weak', token: 'w' },
    ],
  });
});
afterEach(() => api.close());

interface Answer {
  status: number;
  headers: Record<string, Json>;
  body: Json;
}

function call(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${api.url}${path}`,
      { method, ca: api.ca, headers: { authorization: 'Bearer a', 'content-type': 'application/json', ...headers } },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: text.startsWith('{') && !text.includes('}\n{') ? JSON.parse(text) : text,
          }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const MAPS = '/api/v1/namespaces/nova/configmaps';
const map = (name: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'nova', ...more },
});
const events = (text: string): Json[] =>
  text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

describe('access', () => {
  test('an unknown token is 401, a user without rights 403, an expired token 401', async () => {
    expect((await call('GET', MAPS, undefined, { authorization: 'Bearer x' })).status).toBe(401);
    const refused = await call('GET', MAPS, undefined, { authorization: 'Bearer w' });
    expect(refused.body.message).toBe(
      'configmaps is forbidden: User "weak" cannot list resource "configmaps" in API group "" in the namespace "nova"',
    );
    api.revoke('a');
    expect((await call('GET', MAPS)).body).toMatchObject({ reason: 'Unauthorized', code: 401 });
  });

  test('a Role in the store gives its rights', async () => {
    const rbac = 'rbac.authorization.k8s.io';
    store.create(`roles.${rbac}`, {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: { name: 'r', namespace: 'nova' },
      rules: [{ verbs: ['list'], apiGroups: [''], resources: ['configmaps'] }],
    });
    store.create(`rolebindings.${rbac}`, {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'r', namespace: 'nova' },
      subjects: [{ kind: 'User', name: 'weak' }],
      roleRef: { kind: 'Role', name: 'r' },
    });
    expect((await call('GET', MAPS, undefined, { authorization: 'Bearer w' })).status).toBe(200);
    expect((await call('POST', MAPS, map('m'), { authorization: 'Bearer w' })).status).toBe(403);
  });
});

describe('faults', () => {
  test('429 comes with Retry-After, once', async () => {
    await call('POST', '/rehearsal/v1/faults', {
      method: 'GET',
      path: 'configmaps',
      action: { type: 'status', code: 429, retryAfterSeconds: 2 },
    });
    const limited = await call('GET', MAPS);
    expect([limited.status, limited.headers['retry-after']]).toEqual([429, '2']);
    expect((await call('GET', MAPS)).status).toBe(200);
  });

  test('dropped before: nothing happened; dropped after: the write has landed', async () => {
    api.faults.add({ method: 'POST', path: 'configmaps', action: { type: 'drop', when: 'before' } });
    await expect(call('POST', MAPS, map('one'))).rejects.toThrow();
    expect(store.get('configmaps', 'nova', 'one')).toBeUndefined();
    api.faults.add({ method: 'POST', path: 'configmaps', action: { type: 'drop', when: 'after' } });
    await expect(call('POST', MAPS, map('two'))).rejects.toThrow();
    expect(store.get('configmaps', 'nova', 'two')).toBeDefined();
  });

  test('the nth request is the one that fails', async () => {
    api.faults.add({ path: 'configmaps', nth: 2, action: { type: 'status', code: 503 } });
    const codes = [await call('GET', MAPS), await call('GET', MAPS), await call('GET', MAPS)].map(
      ({ status }) => status,
    );
    expect(codes).toEqual([200, 503, 200]);
  });

  test('a rule that is no rule is refused', async () => {
    expect((await call('POST', '/rehearsal/v1/faults', { action: { type: 'nonsense' } })).status).toBe(400);
    expect(
      (
        await call(
          'POST',
          '/rehearsal/v1/faults',
          { action: { type: 'drop', when: 'before' } },
          { authorization: 'Bearer w' },
        )
      ).status,
    ).toBe(403);
  });

  test('a truncated watch ends after its events', async () => {
    for (const name of ['a', 'b', 'c']) store.create('configmaps', map(name));
    api.faults.add({ path: 'watch=1', action: { type: 'watch', how: 'truncate', afterEvents: 2 } });
    expect(events((await call('GET', `${MAPS}?watch=1`)).body)).toHaveLength(2);
  });
});

describe('watch', () => {
  test('an object that leaves the selector is DELETED, one that enters it ADDED', async () => {
    const from = store.revision();
    const one = store.create('configmaps', map('m', { labels: { app: 'x' } }));
    const two = store.update('configmaps', { ...one, metadata: { ...one.metadata, labels: { app: 'y' } } });
    store.update('configmaps', { ...two, metadata: { ...two.metadata, labels: { app: 'x' } } });
    const { body } = await call(
      'GET',
      `${MAPS}?watch=1&labelSelector=app%3Dx&resourceVersion=${from}&timeoutSeconds=1`,
    );
    expect(events(body).map(({ type }) => type)).toEqual(['ADDED', 'DELETED', 'ADDED']);
  });

  test('initial events end with their bookmark; without resourceVersionMatch they are refused', async () => {
    store.create('configmaps', map('m'));
    const query = 'watch=1&sendInitialEvents=true&allowWatchBookmarks=true&timeoutSeconds=1';
    const { body } = await call('GET', `${MAPS}?${query}&resourceVersionMatch=NotOlderThan`);
    const bookmark = events(body).at(-1);
    expect(bookmark.type).toBe('BOOKMARK');
    expect(bookmark.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    expect((await call('GET', `${MAPS}?${query}`)).status).toBe(422);
  });

  test('a watch from a compacted past gets 410 in an event', async () => {
    store.create('configmaps', map('m'));
    api.faults.compactHistory();
    const { body } = await call('GET', `${MAPS}?watch=1&resourceVersion=1`);
    expect(body).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  });
});

describe('apply', () => {
  const apply = (data: Json, query: string): Promise<Answer> =>
    call('PATCH', `${MAPS}/m?${query}`, { ...map('m'), data }, { 'content-type': 'application/apply-patch+yaml' });

  test('creates, drops what is no longer wanted, and leaves what others own', async () => {
    expect((await apply({ a: '1', b: '2' }, 'fieldManager=pgb-wizard')).status).toBe(201);
    await call(
      'PATCH',
      `${MAPS}/m?fieldManager=other`,
      { data: { c: '3' } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect((await apply({ a: '1' }, 'fieldManager=pgb-wizard')).body.data).toEqual({ a: '1', c: '3' });
  });

  test('a field of another manager is a conflict until forced', async () => {
    await call('POST', `${MAPS}?fieldManager=other`, { ...map('m'), data: { a: '1' } });
    const refused = await apply({ a: '2' }, 'fieldManager=pgb-wizard');
    expect(refused.body.details.causes).toEqual([
      { reason: 'FieldManagerConflict', message: 'conflict with "other" using v1', field: '.data.a' },
    ]);
    expect((await apply({ a: '2' }, 'fieldManager=pgb-wizard&force=true')).body.data).toEqual({ a: '2' });
  });
});

test('kubectl leaves the check of every kind to the server', async () => {
  const kinds = async (path: string): Promise<string[]> => {
    const { paths } = (await call('GET', `/openapi/v3/${path}`)).body as { paths: Record<string, Json> };
    return Object.values(paths).map((one) => one.patch['x-kubernetes-group-version-kind'].kind);
  };
  expect(await kinds('api/v1')).toEqual(expect.arrayContaining(['Pod', 'Namespace']));
  expect(await kinds('apis/apps/v1')).toContain('Deployment');
});

test('the second version of OpenAPI has no schemas, so that kubectl takes a List as it is', async () => {
  const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
  const asked = await call('GET', '/openapi/v2', undefined, { accept });
  expect(asked.headers['content-type']).toBe('application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
  // 1: "2.0", 2: { 1: "Kubernetes", 2: "v1" }
  expect(asked.body).toBe('\n\x032.0\x12\x10\n\nKubernetes\x12\x02v1');
  expect((await call('GET', '/openapi/v2')).body).toMatchObject({ swagger: '2.0', paths: {} });
});

test('unknown fields are dropped with a warning, and refused when validation is strict', async () => {
  const wrong = { ...map('m'), dta: {} };
  const lenient = await call('POST', `${MAPS}?dryRun=All`, wrong);
  expect([lenient.status, lenient.headers.warning]).toEqual([201, '299 - "unknown field \\"dta\\""']);
  const strict = await call('POST', `${MAPS}?fieldValidation=Strict`, wrong);
  expect(strict.body.message).toContain('strict decoding error: unknown field "dta"');
});

test('custom resources take no strategic merge', async () => {
  store.create('rollouts.argoproj.io', {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'r', namespace: 'nova' },
    spec: { replicas: 1 },
  });
  const path = '/apis/argoproj.io/v1alpha1/namespaces/nova/rollouts/r';
  expect(
    (await call('PATCH', path, { spec: { replicas: 2 } }, { 'content-type': 'application/strategic-merge-patch+json' }))
      .status,
  ).toBe(415);
  expect(
    (await call('PATCH', path, { spec: { replicas: 2 } }, { 'content-type': 'application/merge-patch+json' })).body
      .metadata.generation,
  ).toBe(2);
});

test('pages of a thousand Deployments hold each once', async () => {
  for (let index = 0; index < 1000; index += 1) {
    store.create('deployments.apps', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: `d${index}`, namespace: 'nova' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x:1' }] } },
      },
    });
  }
  const names = new Set<string>();
  let token = '';
  do {
    const { body } = await call('GET', `/apis/apps/v1/deployments?limit=300&continue=${token}`);
    for (const item of body.items) names.add(item.metadata.name);
    token = body.metadata.continue ?? '';
  } while (token !== '');
  expect(names.size).toBe(1000);
});

describe('a client library', () => {
  const config = (): KubeConfig => {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromString(api.kubeconfig);
    return kubeConfig;
  };
  beforeEach(() => {
    store.create('pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'nova' },
      spec: { nodeName: 'n', containers: [{ name: 'app', image: 'x:1' }] },
    });
  });

  test('lists pods and reads a log', async () => {
    const core = config().makeApiClient(CoreV1Api);
    expect((await core.listNamespacedPod({ namespace: 'nova' })).items.map((pod) => pod.metadata?.name)).toEqual(['p']);
    expect(await core.readNamespacedPodLog({ name: 'p', namespace: 'nova' })).toBe('hello\n');
  });

  test('runs a command and gets its exit code', async () => {
    const stdout = new PassThrough();
    const status = await new Promise<Json>((resolve, reject) => {
      new Exec(config()).exec('nova', 'p', 'app', ['echo', 'x'], stdout, null, null, false, resolve).catch(reject);
    });
    expect(status.details.causes[0].message).toBe('3');
    expect(stdout.read()?.toString()).toBe('ran echo x\n');
  });

  test('forwards a port', async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    const socket = (await new PortForward(config()).portForward('nova', 'p', [6432], output, null, input)) as Json;
    input.write('ping');
    const [answer] = await new Promise<Buffer[]>((resolve) => output.once('data', (chunk: Buffer) => resolve([chunk])));
    expect(answer?.toString()).toBe('echo ping');
    socket.close();
  });
});
