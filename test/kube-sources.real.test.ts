/** One workload for each place an address can come from: found, switched in that place only, put back to the byte. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restoreChange } from '../src/engine/kube/change.ts';
import { discoverConsumers } from '../src/engine/kube/discover.ts';
import { canonicalJson } from '../src/engine/kube/fingerprint.ts';
import { createObjects } from '../src/engine/kube/new-objects.ts';
import { classifyLive, planSwitch, sendChange } from '../src/engine/kube/switch.ts';
import type { Json, Kube } from '../src/engine/kube/types.ts';
import type { Discovery } from '../src/engine/kube/workload-types.ts';
import { type BareCluster, bareCluster } from './kube-cluster.ts';

const DSN = 'postgresql://nova_user:s3cret%21pass@postgres:5432/nova?sslmode=disable';
const POOLED = 'postgresql://nova_user:s3cret%21pass@pgbouncer:6432/nova?sslmode=disable';
const to = { host: 'pgbouncer', port: 6432 };

type Container = Json;

/** name → containers, and what the application must see afterwards. */
const FLEET: Record<string, { pod: Json; kind?: string; sees: (now: Effective) => void }> = {
  literal: {
    pod: app({
      env: [
        { name: 'A', value: '1' },
        { name: 'DATABASE_URL', value: DSN },
        { name: 'Z', value: '2' },
      ],
    }),
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  'literal-without-password': {
    pod: app({ env: [{ name: 'DATABASE_URL', value: 'postgres://postgres.nova.svc/nova' }] }),
    sees: (e) => expect(e.DATABASE_URL).toBe('postgres://pgbouncer:6432/nova'),
  },
  composed: {
    pod: app({
      env: [
        { name: 'U', value: 'nova_user' },
        { name: 'P', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
        { name: 'URL', value: 'postgres://$(U):$(P)@postgres:5432/nova' },
      ],
    }),
    sees: (e) => expect(e.URL).toBe('postgres://nova_user:s3cret!pass@pgbouncer:6432/nova'),
  },
  split: {
    pod: app({
      env: [
        { name: 'DB_HOST', value: 'postgres.nova.svc.cluster.local' },
        { name: 'DB_PORT', value: '5432' },
        { name: 'DB_NAME', value: 'nova' },
      ],
    }),
    sees: (e) => expect([e.DB_HOST, e.DB_PORT, e.DB_NAME]).toEqual(['pgbouncer', '6432', 'nova']),
  },
  'libpq-vars': {
    pod: app({ env: [{ name: 'PGHOST', value: 'postgres' }] }),
    sees: (e) => expect([e.PGHOST, e.PGPORT]).toEqual(['pgbouncer', '6432']),
  },
  'host-and-port': {
    pod: app({ env: [{ name: 'DB_ADDR', value: 'postgres:5432' }] }),
    sees: (e) => expect(e.DB_ADDR).toBe('pgbouncer:6432'),
  },
  'referenced-host': {
    pod: app({
      env: [
        { name: 'PG', value: 'postgres' },
        { name: 'URL', value: 'postgres://u:pw123456@$(PG)/nova' },
      ],
    }),
    sees: (e) => expect([e.PG, e.URL]).toEqual(['postgres', 'postgres://u:pw123456@pgbouncer:6432/nova']),
  },
  'referenced-host-and-port': {
    pod: app({
      env: [
        { name: 'PORT', value: '8080' },
        { name: 'H', valueFrom: { configMapKeyRef: { name: 'db', key: 'host' } } },
        { name: 'N', valueFrom: { configMapKeyRef: { name: 'db', key: 'port' } } },
        { name: 'URL', value: 'postgres://u:pw123456@$(H):$(N)/nova' },
      ],
    }),
    sees: (e) => expect([e.PORT, e.URL]).toEqual(['8080', 'postgres://u:pw123456@pgbouncer:6432/nova']),
  },
  'twin-service': {
    pod: app({ env: [{ name: 'DATABASE_URL', value: DSN.replace('postgres:5432', 'pg-primary:5433') }] }),
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  'composed-of-fields': {
    pod: {
      labels: { tier: 'nova' },
      ...app({
        env: [
          { name: 'NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
          { name: 'DATABASE_URL', value: DSN.replace('@postgres:', '@postgres.$(NAMESPACE).svc:') },
        ],
      }),
    },
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  'endpoints-by-hand': {
    pod: app({ env: [{ name: 'DATABASE_URL', value: DSN.replace('@postgres:', '@pg-by-hand:') }] }),
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  'host-alias': {
    pod: {
      ...app({ env: [{ name: 'DATABASE_URL', value: DSN.replace('@postgres:', '@legacy-db:') }] }),
      hostAliases: [{ ip: 'CLUSTER_IP', hostnames: ['Legacy-DB'] }],
    },
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  jdbc: {
    pod: app({
      env: [
        { name: 'SPRING_DATASOURCE_URL', value: 'jdbc:postgresql://postgres:5432/nova?user=u&password=s3cret!pass' },
      ],
    }),
    sees: (e) =>
      expect(e.SPRING_DATASOURCE_URL).toBe('jdbc:postgresql://pgbouncer:6432/nova?user=u&password=s3cret!pass'),
  },
  dotnet: {
    pod: app({ env: [{ name: 'ConnectionStrings__Db', value: 'Host=postgres;Port=5432;Password=s3cret!pass' }] }),
    sees: (e) => expect(e.ConnectionStrings__Db).toBe('Host=pgbouncer;Port=6432;Password=s3cret!pass'),
  },
  libpq: {
    pod: app({ env: [{ name: 'DB_DSN', value: "host=postgres port=5432 password='s3cret!pass'" }] }),
    sees: (e) => expect(e.DB_DSN).toBe("host=pgbouncer port=6432 password='s3cret!pass'"),
  },
  'dollar-literal': {
    pod: app({ env: [{ name: 'URL', value: 'postgres://u:pa$$$$word@postgres/nova' }] }),
    sees: (e) => expect(e.URL).toBe('postgres://u:pa$$word@pgbouncer:6432/nova'),
  },
  'secret-key': {
    pod: app({ env: [{ name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: 'db', key: 'url' } } }] }),
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  'configmap-key': {
    pod: app({
      env: [
        { name: 'DB_HOST', valueFrom: { configMapKeyRef: { name: 'db', key: 'host' } } },
        { name: 'DB_PORT', valueFrom: { configMapKeyRef: { name: 'db', key: 'port' } } },
      ],
    }),
    sees: (e) => expect([e.DB_HOST, e.DB_PORT]).toEqual(['pgbouncer', '6432']),
  },
  'env-from': {
    pod: app({ envFrom: [{ secretRef: { name: 'db' } }] }),
    sees: (e) => expect([e.url, e.password]).toEqual([POOLED, 's3cret!pass']),
  },
  'env-from-prefix': {
    pod: app({ envFrom: [{ prefix: 'DB_', secretRef: { name: 'db' } }], env: [{ name: 'COPY', value: '$(DB_url)' }] }),
    sees: (e) => expect([e.DB_url, e.COPY]).toEqual([POOLED, POOLED]),
  },
  argument: {
    pod: app({ args: ['serve', `--db=${DSN}`, '-v'] }),
    sees: (e) => expect(e.args).toBe(`serve --db=${POOLED} -v`),
  },
  file: {
    pod: {
      ...app({ volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] }),
      volumes: [{ name: 'config', secret: { secretName: 'files', defaultMode: 256 } }],
    },
    sees: (e) => expect(e['file:config']).toBe(`db:\n  url: ${POOLED}\n  pool: 5\n`),
  },
  'service-link': {
    pod: app({
      env: [{ name: 'URL', value: 'postgres://u:pw123456@$(POSTGRES_SERVICE_HOST):$(POSTGRES_SERVICE_PORT)/nova' }],
    }),
    sees: (e) => expect(e.URL).toBe('postgres://u:pw123456@pgbouncer:6432/nova'),
  },
  'init-stays': {
    pod: {
      ...app({ env: [{ name: 'DATABASE_URL', value: DSN }] }),
      initContainers: [{ name: 'migrate', image: 'x', env: [{ name: 'DATABASE_URL', value: DSN }] }],
    },
    sees: (e) => expect([e.DATABASE_URL, e['init:DATABASE_URL']]).toEqual([POOLED, DSN]),
  },
  sidecar: {
    pod: {
      containers: [
        ...app({ env: [{ name: 'DATABASE_URL', value: DSN }] }).containers,
        { name: 'metrics', image: 'x', env: [{ name: 'OTHER', value: 'y' }] },
      ],
    },
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  stateful: {
    kind: 'StatefulSet',
    pod: app({ env: [{ name: 'DATABASE_URL', value: DSN }] }),
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  daemon: {
    kind: 'DaemonSet',
    pod: app({ env: [{ name: 'DATABASE_URL', value: DSN }] }),
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
  cron: {
    kind: 'CronJob',
    pod: { ...app({ env: [{ name: 'DATABASE_URL', value: DSN }] }), restartPolicy: 'Never' },
    sees: (e) => expect(e.DATABASE_URL).toBe(POOLED),
  },
};

type Effective = Record<string, string>;

function app(container: Container): Json {
  return { containers: [{ name: 'app', image: 'nova/app:1', ...container }] };
}

function objectOf(name: string, kind: string, pod: Json): Json {
  const template = { metadata: { labels: { app: name } }, spec: pod };
  const selector = { matchLabels: { app: name } };
  if (kind === 'CronJob')
    return {
      apiVersion: 'batch/v1',
      kind,
      metadata: { name, namespace: 'nova' },
      spec: { schedule: '0 3 * * *', jobTemplate: { spec: { template } } },
    };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'nova' },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas: 2 }),
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      selector,
      template,
    },
  };
}

const RESOURCE: Record<string, string> = {
  Deployment: 'deployments.apps',
  StatefulSet: 'statefulsets.apps',
  DaemonSet: 'daemonsets.apps',
  CronJob: 'cronjobs.batch',
};
const b64 = (text: string) => Buffer.from(text).toString('base64');

let cluster: BareCluster;
let kube: Kube;
let found: Discovery;

beforeAll(async () => {
  cluster = await bareCluster();
  const { store } = cluster;
  const make = (resource: string, object: Json) => store.create(resource, object);
  make('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'postgres', namespace: 'nova' },
    spec: { selector: { app: 'postgres' }, ports: [{ port: 5432, targetPort: 5432 }] },
  });
  // The same pods behind another name and number.
  make('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'pg-primary', namespace: 'nova' },
    spec: { selector: { app: 'postgres' }, ports: [{ port: 5433, targetPort: 5432 }] },
  });
  // The same pods once more, by addresses that somebody wrote down; and other pods.
  for (const [name, address] of [
    ['postgres', '10.1.0.7'],
    ['pg-by-hand', '10.1.0.7'],
    ['pg-elsewhere', '10.1.0.8'],
  ] as const) {
    if (name !== 'postgres')
      make('services', {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'nova' },
        spec: { ports: [{ port: 5432, targetPort: 5432 }] },
      });
    make('endpointslices.discovery.k8s.io', {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-1`, namespace: 'nova', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: '', port: 5432 }],
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
    });
  }
  make('secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db', namespace: 'nova' },
    data: { url: b64(DSN), password: b64('s3cret!pass') },
  });
  make('secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'files', namespace: 'nova' },
    data: { config: b64(`db:\n  url: ${DSN}\n  pool: 5\n`), other: b64('x') },
  });
  make('configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'db', namespace: 'nova' },
    data: { host: 'postgres', port: '5432' },
  });
  const ip = store.get('services', 'nova', 'postgres')!.spec.clusterIP;
  for (const [name, { pod, kind = 'Deployment' }] of Object.entries(FLEET))
    make(RESOURCE[kind]!, objectOf(name, kind, JSON.parse(JSON.stringify(pod).replaceAll('CLUSTER_IP', ip))));
  const elsewhere = DSN.replace('@postgres:', '@pg-elsewhere:');
  make('deployments.apps', objectOf('elsewhere', 'Deployment', app({ env: [{ name: 'URL', value: elsewhere }] })));
  make('deployments.apps', objectOf('stranger', 'Deployment', app({ env: [{ name: 'REDIS_HOST', value: 'redis' }] })));
  make('deployments.apps', objectOf('no-port', 'Deployment', app({ env: [{ name: 'DB_HOST', value: 'postgres' }] })));
  kube = await cluster.connect();
  const result = await discoverConsumers(kube, { namespace: 'nova', target: { service: 'postgres', port: 5432 } });
  if (!result.ok) throw new Error(result.error.message);
  found = result.value;
});

afterAll(() => cluster.close());

/** The environment, arguments and files as a kubelet would make them: written for the test, from the live objects. */
function effective(name: string, kind: string): Effective {
  const object = cluster.store.get(RESOURCE[kind]!, 'nova', name)!;
  const spec = (kind === 'CronJob' ? object.spec.jobTemplate.spec.template : object.spec.template).spec;
  const data = (resource: string, of: string): Record<string, string> => {
    const held = cluster.store.get(resource, 'nova', of);
    return Object.fromEntries(
      Object.entries((held?.data ?? {}) as Record<string, string>).map(([k, v]) => [
        k,
        resource === 'secrets' ? Buffer.from(v, 'base64').toString() : v,
      ]),
    );
  };
  const ip = cluster.store.get('services', 'nova', 'postgres')!.spec.clusterIP;
  const links: Effective = { POSTGRES_SERVICE_HOST: ip, POSTGRES_SERVICE_PORT: '5432' };
  const of = (container: Json): Effective => {
    const env: Effective = {};
    const fill = (text: string) =>
      text.replace(/\$\$|\$\((\w+)\)/g, (whole, key) => (whole === '$$' ? '$' : (env[key] ?? links[key] ?? whole)));
    for (const source of container.envFrom ?? [])
      for (const [k, v] of Object.entries(data('secrets', source.secretRef.name)))
        env[`${source.prefix ?? ''}${k}`] = v;
    for (const entry of container.env ?? []) {
      const from = entry.valueFrom?.secretKeyRef
        ? data('secrets', entry.valueFrom.secretKeyRef.name)[entry.valueFrom.secretKeyRef.key]
        : entry.valueFrom?.fieldRef
          ? object.metadata.namespace
          : entry.valueFrom
            ? data('configmaps', entry.valueFrom.configMapKeyRef.name)[entry.valueFrom.configMapKeyRef.key]
            : fill(entry.value ?? '');
      env[entry.name] = from ?? 'MISSING';
    }
    if (container.args) env.args = container.args.map(fill).join(' ');
    return env;
  };
  const result = of(spec.containers[0]);
  for (const volume of spec.volumes ?? [])
    for (const [k, v] of Object.entries(data('secrets', volume.secret.secretName))) result[`file:${k}`] = v;
  for (const init of spec.initContainers ?? []) for (const [k, v] of Object.entries(of(init))) result[`init:${k}`] = v;
  return result;
}

test('every workload that reaches PostgreSQL is found, and no other', () => {
  expect(found.workloads.map((w) => w.ref.name).sort()).toEqual([...Object.keys(FLEET), 'no-port'].sort());
  expect(JSON.stringify(found.workloads.map((w) => w.consumers))).not.toContain('s3cret');
});

describe.each(Object.entries(FLEET))('%s', (name, { kind = 'Deployment', sees }) => {
  test('is switched in its own place, and put back to the byte while others’ changes stay', async () => {
    const { store } = cluster;
    const resource = RESOURCE[kind]!;
    const original = canonicalJson(store.get(resource, 'nova', name)!.spec);
    const workload = found.workloads.find((w) => w.ref.name === name)!;
    const planned = await planSwitch(kube, workload, { to, runId: '7f3a2b1c' });
    if (!planned.ok) throw new Error(planned.error.message);
    expect(canonicalJson(store.get(resource, 'nova', name)!.spec)).toBe(original);
    expect(JSON.stringify(planned.value)).not.toContain('s3cret');

    expect(await createObjects(kube, planned.value)).toMatchObject({ ok: true });
    expect(await createObjects(kube, planned.value)).toMatchObject({ ok: true, value: { created: [] } });
    const sent = await sendChange(kube, planned.value, 'forward');
    expect(sent).toMatchObject({
      ok: true,
      value: { patched: true, fingerprint: planned.value.after, keptChanges: [] },
    });
    sees(effective(name, kind));
    expect(await classifyLive(kube, planned.value)).toMatchObject({ ok: true, value: { state: 'after', exact: true } });
    expect(await sendChange(kube, planned.value, 'forward')).toMatchObject({ ok: true, value: { patched: false } });
    expect(await planSwitch(kube, workload, { to, runId: '7f3a2b1c' })).toMatchObject({
      ok: true,
      value: { alreadyDone: true },
    });

    // From the originals alone, as another machine would do it.
    const restored = restoreChange(planned.value.sealed.reveal());
    if (!restored.ok) throw new Error(restored.error.message);
    const back = await sendChange(kube, restored.value, 'back');
    expect(back).toMatchObject({ ok: true, value: { patched: true, fingerprint: planned.value.before } });
    expect(canonicalJson(store.get(resource, 'nova', name)!.spec)).toBe(original);
    expect(await classifyLive(kube, restored.value)).toMatchObject({
      ok: true,
      value: { state: 'before', exact: true, contested: false },
    });
  });
});

test('the patch goes by the look before it; where the object has moved since, by what is read then', async () => {
  const workload = found.workloads.find((w) => w.ref.name === 'literal')!;
  const planned = await planSwitch(kube, workload, { to, runId: 'dddd4444' });
  if (!planned.ok) throw new Error(planned.error.message);
  await createObjects(kube, planned.value);
  const asked = async (work: () => Promise<unknown>) => {
    const before = { ...kube.requestCounts().byKind };
    await work();
    const after = kube.requestCounts().byKind;
    return ['GET deployments', 'PATCH deployments'].map((kind) => (after[kind] ?? 0) - (before[kind] ?? 0));
  };
  const forward = () => sendChange(kube, planned.value, 'forward');
  await classifyLive(kube, planned.value);
  expect(await asked(forward)).toEqual([0, 1]);
  // One look is good for one patch: without another the object is read, and says that nothing is left to do.
  expect(await asked(forward)).toEqual([1, 0]);
  await classifyLive(kube, planned.value);
  const live = cluster.store.get('deployments.apps', 'nova', 'literal')!;
  live.spec.template.spec.containers[0].env.unshift({ name: 'MOVED', value: 'm' });
  cluster.store.update('deployments.apps', live, { manager: 'somebody' });
  expect(await asked(() => sendChange(kube, planned.value, 'back'))).toEqual([1, 2]);
  const { env } = cluster.store.get('deployments.apps', 'nova', 'literal')!.spec.template.spec.containers[0];
  expect(env.map((one: { name: string }) => one.name)).toEqual(['MOVED', 'A', 'DATABASE_URL', 'Z']);
  expect(env[2]).toEqual({ name: 'DATABASE_URL', value: DSN });
  env.shift();
  const clean = cluster.store.get('deployments.apps', 'nova', 'literal')!;
  clean.spec.template.spec.containers[0].env = env;
  cluster.store.update('deployments.apps', clean, { manager: 'somebody' });
});

test('a workload that was deleted since the look is drift', async () => {
  cluster.store.create('deployments.apps', {
    ...structuredClone(cluster.store.get('deployments.apps', 'nova', 'literal')!),
    metadata: { name: 'short-lived', namespace: 'nova' },
  });
  const again = await discoverConsumers(kube, { namespace: 'nova', target: { service: 'postgres', port: 5432 } });
  if (!again.ok) throw new Error(again.error.message);
  const workload = again.value.workloads.find((w) => w.ref.name === 'short-lived')!;
  const planned = await planSwitch(kube, workload, { to, runId: 'eeee5555' });
  if (!planned.ok) throw new Error(planned.error.message);
  await classifyLive(kube, planned.value);
  cluster.store.delete('deployments.apps', 'nova', 'short-lived');
  expect(await sendChange(kube, planned.value, 'forward')).toMatchObject({ ok: false, error: { code: 'drift' } });
});

test('a workload that changes while it is being planned is planned anew; one that never holds still is told', async () => {
  const { store } = cluster;
  const workload = found.workloads.find((w) => w.ref.name === 'split')!;
  let times = 0;
  // Between the look and the dry run, as an autoscaler might.
  const restless = (most: number): Kube => ({
    ...kube,
    patch: (of, ops, options) => {
      if (options?.dryRun && times++ < most) {
        const live = store.get('deployments.apps', 'nova', 'split')!;
        live.spec.replicas = (live.spec.replicas ?? 1) + 1;
        store.update('deployments.apps', live, { manager: 'autoscaler' });
      }
      return kube.patch(of, ops, options);
    },
  });
  expect(await planSwitch(restless(2), workload, { to, runId: 'dddd4444' })).toMatchObject({ ok: true });
  expect(times).toBe(3);
  times = 0;
  expect(await planSwitch(restless(1000), workload, { to, runId: 'dddd4444' })).toMatchObject({
    ok: false,
    error: { code: 'conflict', message: expect.stringContaining('while it is being planned') },
  });
  expect(times).toBeLessThan(10);
});

test('changes by others are kept on the way back, and named', async () => {
  const workload = found.workloads.find((w) => w.ref.name === 'literal')!;
  const planned = await planSwitch(kube, workload, { to, runId: 'aaaa1111' });
  if (!planned.ok) throw new Error(planned.error.message);
  await createObjects(kube, planned.value);
  await sendChange(kube, planned.value, 'forward');
  const live = cluster.store.get('deployments.apps', 'nova', 'literal')!;
  live.spec.template.spec.containers[0].image = 'nova/app:2';
  live.spec.template.spec.containers[0].env.unshift({ name: 'NEW', value: 'n' });
  cluster.store.update('deployments.apps', live, { manager: 'somebody' });
  const back = await sendChange(kube, planned.value, 'back');
  expect(back).toMatchObject({ ok: true, value: { patched: true } });
  expect(back.ok && back.value.keptChanges.join()).toContain('image');
  const { env, image } = cluster.store.get('deployments.apps', 'nova', 'literal')!.spec.template.spec.containers[0];
  expect(image).toBe('nova/app:2');
  expect(env).toEqual([
    { name: 'NEW', value: 'n' },
    { name: 'A', value: '1' },
    { name: 'DATABASE_URL', value: DSN },
    { name: 'Z', value: '2' },
  ]);
});

test('an address changed by somebody else is drift, and nothing is written', async () => {
  const workload = found.workloads.find((w) => w.ref.name === 'jdbc')!;
  const planned = await planSwitch(kube, workload, { to, runId: 'bbbb2222' });
  if (!planned.ok) throw new Error(planned.error.message);
  const live = cluster.store.get('deployments.apps', 'nova', 'jdbc')!;
  live.spec.template.spec.containers[0].env[0].value = 'jdbc:postgresql://elsewhere/nova';
  const { metadata } = cluster.store.update('deployments.apps', live, { manager: 'somebody' });
  expect(await sendChange(kube, planned.value, 'forward')).toMatchObject({ ok: false, error: { code: 'drift' } });
  expect(await classifyLive(kube, planned.value)).toMatchObject({
    ok: true,
    value: { state: 'other', manager: 'somebody' },
  });
  expect(cluster.store.get('deployments.apps', 'nova', 'jdbc')!.metadata.resourceVersion).toBe(
    metadata.resourceVersion,
  );
});

test('a host without a port variable is refused with what to do', async () => {
  const workload = found.workloads.find((w) => w.ref.name === 'no-port')!;
  const planned = await planSwitch(kube, workload, { to, runId: 'x' });
  expect(planned).toMatchObject({ ok: false, error: { code: 'not-eligible' } });
  expect(await planSwitch(kube, workload, { to: { host: 'pgbouncer', port: 5432 }, runId: 'x' })).toMatchObject({
    ok: true,
  });
});

test('a Secret of that name that is not this run’s stops the change', async () => {
  cluster.store.create('secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'sidecar-pgb-cccc3333', namespace: 'nova' },
    data: { DATABASE_URL: b64('other') },
  });
  const workload = found.workloads.find((w) => w.ref.name === 'sidecar')!;
  const planned = await planSwitch(kube, workload, { to, runId: 'cccc3333' });
  if (!planned.ok) throw new Error(planned.error.message);
  expect(await createObjects(kube, planned.value)).toMatchObject({ ok: false, error: { code: 'already-exists' } });
});
