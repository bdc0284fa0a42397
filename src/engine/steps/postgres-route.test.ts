import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { err, ok, wizardError } from '../result.ts';
import { findPostgresRoute } from './postgres-route.ts';

type Objects = Record<string, object>;

/** A cluster of Services and pods by `namespace/name`; a namespace in `closed` answers 403. */
function clusterOf(services: Objects, pods: Objects, closed: readonly string[] = []) {
  const forwarded: string[] = [];
  const kube = {
    get: async ({ namespace, name }: { namespace: string; name: string }) => {
      const found = services[`${namespace}/${name}`];
      return found ? ok(found) : err(wizardError('not-found', `${name} not found`));
    },
    list: async ({ plural, namespace }: { plural: string; namespace: string }) => {
      if (closed.includes(namespace)) return err(wizardError('not-authorised', 'forbidden'));
      const items = Object.entries(pods).filter(([key]) => plural === 'pods' && key.startsWith(`${namespace}/`));
      return ok({ items: items.map(([, pod]) => pod) });
    },
    portForward: async (namespace: string, pod: string, port: number) => {
      forwarded.push(`${namespace}/${pod}:${port}`);
      return err(wizardError('aborted', 'not a real one'));
    },
  };
  return { kube: kube as never, forwarded };
}

const service = (spec: object) => ({ spec: { ports: [{ port: 5432, targetPort: 6000 }], ...spec } });
const pod = (name: string, ready = 'True', labels = {}) => ({
  metadata: { name, labels },
  spec: { containers: [{ name: 'pg', ports: [{ containerPort: 6000 }] }] },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});

const find = (kube: never, name: string, port = 5432, isStandby = async () => false) =>
  findPostgresRoute({
    kube,
    namespace: 'shop',
    postgres: { service: name, port } as never,
    isStandby,
    signal: new AbortController().signal,
  });

test.each(['postgres', 'postgres.shop', 'postgres.db', 'postgres.db.svc', 'postgres.db.svc.cluster.local'])(
  '%s: a port-forward to the ready pod behind the Service, in its own namespace',
  async (name) => {
    const home = name.startsWith('postgres.db') ? 'db' : 'shop';
    const selected = service({ selector: { app: 'pg' } });
    const { kube, forwarded } = clusterOf(
      { [`${home}/postgres`]: selected },
      { [`${home}/pg-0`]: pod('pg-0', 'False'), [`${home}/pg-1`]: pod('pg-1') },
    );
    const route = await find(kube, name);
    expect(route).toMatchObject({ ok: true, value: { pod: 'pg-1' } });
    if (route.ok) await route.value.connect();
    expect(forwarded).toEqual([`${home}/pg-1:6000`]);
  },
);

test('of several pods the one that is no standby, those that are labelled primary first', async () => {
  const { kube } = clusterOf(
    { 'shop/postgres': service({ selector: { app: 'pg' } }) },
    { 'shop/a': pod('a'), 'shop/b': pod('b'), 'shop/c': pod('c', 'True', { role: 'primary' }) },
  );
  expect(await find(kube, 'postgres')).toMatchObject({ value: { pod: 'c' } });
  let asked = 0;
  expect(await find(kube, 'postgres', 5432, async () => asked++ < 2)).toMatchObject({ value: { pod: 'b' } });
});

test('a host outside of the cluster is dialled from here, and TLS comes first', async () => {
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  try {
    const { kube } = clusterOf({ 'shop/db': service({ type: 'ExternalName', externalName: '127.0.0.1' }) }, {});
    for (const name of ['127.0.0.1', 'db']) {
      const route = await find(kube, name, port);
      expect(route).toMatchObject({ ok: true, value: { encrypted: true } });
      const stream = route.ok ? await route.value.connect() : route;
      expect(stream.ok).toBe(true);
      if (stream.ok && 'destroy' in stream.value) stream.value.destroy();
    }
  } finally {
    server.close();
  }
});

test('what can’t be reached is told with what still can be done', async () => {
  const { kube } = clusterOf({ 'shop/postgres': service({ selector: { app: 'pg' } }) }, {});
  expect(await find(kube, 'postgres')).toMatchObject({
    error: { code: 'postgres-unreachable', message: 'no ready pod stands behind the Service postgres in shop' },
  });
  const closed = clusterOf({ 'db/postgres': service({ selector: { app: 'pg' } }) }, { 'db/a': pod('a') }, ['db']);
  expect(await find(closed.kube, 'postgres.db')).toMatchObject({ ok: false, error: { code: 'postgres-unreachable' } });
  expect(await find(kube, '127.0.0.1', 1)).toMatchObject({
    error: { message: expect.stringContaining('from this machine') },
  });
});
