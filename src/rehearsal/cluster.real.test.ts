/** A small cluster with real servers: the pooler is deployed, a service is switched, nothing is lost, nothing stays. */
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, ClusterError, startCluster } from './cluster.ts';
import type { Json, KubeObject } from './contract.ts';

const PASSWORD = "s3cret pass'!x";
const ENCODED = 's3cret%20pass%27%21x';
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ services: 4, password: PASSWORD, faults: ['crashloop:cdn-service'], pace: 20 });
});
afterAll(async () => {
  await cluster.close();
});

const base64 = (text: string) => Buffer.from(text).toString('base64');
const deployment = (name: string) => cluster.store.get('deployments.apps', 'nova', name) as KubeObject;
const podsOf = (app: string) => cluster.store.list('pods', 'nova', { app });

async function exec(
  pod: string,
  container: string,
  ...command: string[]
): Promise<{ exitCode: number; output: string }> {
  let output = '';
  const add = (data: Buffer) => {
    output += data.toString();
  };
  const exitCode = await cluster.kubelet.exec('nova', pod, container, command, {
    stdout: add,
    stderr: add,
    tty: false,
    signal: AbortSignal.timeout(10_000),
  });
  return { exitCode, output };
}

const complete = (name: string) =>
  vi.waitFor(
    () => {
      const { metadata, spec, status } = deployment(name);
      expect([status.observedGeneration, status.updatedReplicas, status.replicas, status.availableReplicas]).toEqual([
        metadata.generation,
        spec.replicas,
        spec.replicas,
        spec.replicas,
      ]);
    },
    { timeout: 15_000, interval: 20 },
  );

const setUrl = (name: string, value: string) => {
  const object = deployment(name);
  object.spec.template.spec.containers[0].env[0] = { name: 'DATABASE_URL', value };
  cluster.store.update('deployments.apps', object);
};

function deployPooler(): void {
  const meta = (name: string) => ({ name, namespace: 'nova', labels: { app: 'pgbouncer' } });
  const ini = `[databases]\nnova = host=postgres.nova.svc.cluster.local port=5432 dbname=nova user=nova_user\n[pgbouncer]\nlisten_addr = *\nlisten_port = 6432\nauth_type = scram-sha-256\nauth_file = /etc/pgbouncer/userlist.txt\nadmin_users = admin\npool_mode = transaction\n`;
  const userlist = `"nova_user" "${PASSWORD}"\n"admin" "adminpass456"\n`;
  cluster.store.create('configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: meta('pgbouncer'),
    data: { 'pgbouncer.ini': ini },
  });
  cluster.store.create('secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: meta('pgbouncer-userlist'),
    data: { 'userlist.txt': base64(userlist) },
  });
  cluster.store.create('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta('pgbouncer'),
    spec: { selector: { app: 'pgbouncer' }, ports: [{ port: 6432 }] },
  });
  const volumes = [
    {
      name: 'config',
      projected: { sources: [{ configMap: { name: 'pgbouncer' } }, { secret: { name: 'pgbouncer-userlist' } }] },
    },
  ];
  const containers = [
    {
      name: 'pgbouncer',
      image: 'pgbouncer:1',
      ports: [{ containerPort: 6432 }],
      readinessProbe: { tcpSocket: { port: 6432 }, periodSeconds: 1 },
      volumeMounts: [{ name: 'config', mountPath: '/etc/pgbouncer' }],
    },
  ];
  cluster.store.create('deployments.apps', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta('pgbouncer'),
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'pgbouncer' } },
      template: { metadata: { labels: { app: 'pgbouncer' } }, spec: { containers, volumes } },
    },
  });
}

const addressesOf = async (service: string): Promise<string[]> => {
  const { output } = await exec(
    'postgres',
    'postgres',
    'psql',
    '-Atc',
    `select distinct host(client_addr) from pg_stat_activity where application_name = '${service}'`,
  );
  return output.split('\n').filter(Boolean).sort();
};

test('every pod of the fleet is Ready and PostgreSQL sees it under its own address', async () => {
  for (const service of cluster.services) {
    const pods = podsOf(service.name);
    expect(pods).toHaveLength(service.replicas);
    expect(await addressesOf(service.name)).toEqual(pods.map((pod) => pod.status.podIP).sort());
  }
});

test('a service switched to the pooler leaves direct PostgreSQL without one failed query', async () => {
  deployPooler();
  await complete('pgbouncer');
  const poolers = podsOf('pgbouncer').map((pod) => pod.status.podIP);
  setUrl('auth-service', `postgresql://nova_user:${ENCODED}@pgbouncer:6432/nova`);
  await complete('auth-service');
  const before = cluster.report().services['auth-service']?.queries ?? 0;
  await vi.waitFor(
    async () => {
      expect(cluster.report().services['auth-service']?.queries ?? 0).toBeGreaterThan(before + 10);
      for (const address of await addressesOf('auth-service')) expect(poolers).toContain(address);
    },
    { timeout: 10_000, interval: 100 },
  );
  expect(cluster.report().totals.failed).toBe(0);
});

test('the pooler answers inside its pod, with the pod meant by 127.0.0.1', async () => {
  const [pod] = podsOf('pgbouncer') as [KubeObject];
  const console = `postgresql://admin:adminpass456@127.0.0.1:6432/pgbouncer`;
  expect((await exec(pod.metadata.name, 'pgbouncer', 'psql', console, '-Atc', 'SHOW VERSION')).output).toMatch(
    /PgBouncer \d/,
  );
  expect((await exec(pod.metadata.name, 'pgbouncer', 'cat', '/etc/pgbouncer/pgbouncer.ini')).output).toContain(
    'host=postgres.nova.svc.cluster.local',
  );
  await expect(exec(pod.metadata.name, 'pgbouncer', 'no-such-program')).rejects.toThrow(
    'executable file not found in $PATH',
  );
});

test('a crash-looping service restarts with back-off, keeps its old pods, and heals when it goes back', async () => {
  const original = deployment('cdn-service').spec.template.spec.containers[0].env[0].value;
  setUrl('cdn-service', `postgresql://nova_user:${ENCODED}@pgbouncer:6432/nova`);
  const broken = await vi.waitFor(
    () => {
      const found = podsOf('cdn-service').find(
        (pod) => pod.status.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff',
      );
      expect(found).toBeDefined();
      return found as KubeObject;
    },
    { timeout: 10_000, interval: 20 },
  );
  expect(broken.status.containerStatuses[0]).toMatchObject({
    ready: false,
    restartCount: 1,
    lastState: { terminated: { exitCode: 1, reason: 'Error' } },
  });
  const lines: string[] = [];
  for await (const { line } of cluster.kubelet.log('nova', broken.metadata.name, 'app', {
    previous: true,
    follow: false,
    signal: new AbortController().signal,
  }))
    lines.push(line);
  expect(lines.join('\n')).toContain('panicked');
  expect(deployment('cdn-service').status.availableReplicas).toBe(3);
  setUrl('cdn-service', original);
  await complete('cdn-service');
});

test('a missing Secret keeps a container from being created and says which', async () => {
  const object = deployment('identity-service');
  const original = object.spec.template.spec.containers[0].env[0];
  object.spec.template.spec.containers[0].env[0] = {
    name: 'DATABASE_URL',
    valueFrom: { secretKeyRef: { name: 'nowhere', key: 'DATABASE_URL' } },
  };
  cluster.store.update('deployments.apps', object);
  await vi.waitFor(
    () => {
      const states = podsOf('identity-service').map((pod) => pod.status.containerStatuses?.[0]?.state.waiting);
      expect(states).toContainEqual({ reason: 'CreateContainerConfigError', message: 'secret "nowhere" not found' });
    },
    { timeout: 10_000, interval: 20 },
  );
  const again = deployment('identity-service');
  again.spec.template.spec.containers[0].env[0] = original;
  cluster.store.update('deployments.apps', again);
  await complete('identity-service');
});

test('a killed pooler process is started again and the load goes on', async () => {
  const [pod] = podsOf('pgbouncer') as [KubeObject];
  cluster.kubelet.agent('nova', pod.metadata.name)?.crash();
  await vi.waitFor(
    () =>
      expect(
        podsOf('pgbouncer').find((item) => item.metadata.name === pod.metadata.name)?.status.containerStatuses[0],
      ).toMatchObject({ restartCount: 1, ready: true }),
    { timeout: 10_000, interval: 20 },
  );
});

test('a Job with a real program runs to its end', async () => {
  cluster.store.create('jobs.batch', {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'ask', namespace: 'nova' },
    spec: {
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [
            {
              name: 'psql',
              image: 'postgres:16',
              env: [{ name: 'PGPASSWORD', value: PASSWORD }],
              command: [
                'psql',
                '-h',
                'pgbouncer',
                '-p',
                '6432',
                '-U',
                'nova_user',
                '-d',
                'nova',
                '-Atc',
                'select 6 * 7',
              ],
            },
          ],
        },
      },
    },
  });
  await vi.waitFor(() => expect((cluster.store.get('jobs.batch', 'nova', 'ask') as Json).status?.succeeded).toBe(1), {
    timeout: 10_000,
    interval: 20,
  });
  const [pod] = cluster.store.list('pods', 'nova', { 'job-name': 'ask' }) as [KubeObject];
  const lines: string[] = [];
  for await (const { line } of cluster.kubelet.log('nova', pod.metadata.name, 'psql', {
    previous: false,
    follow: false,
    signal: new AbortController().signal,
  }))
    lines.push(line);
  expect(lines).toEqual(['42']);
});

test('an unknown fault is refused before anything is started', async () => {
  await expect(startCluster({ faults: ['meteor'] })).rejects.toBeInstanceOf(ClusterError);
});

test('after close no file and no listener is left', async () => {
  const { kubeconfigPath } = cluster;
  const postgres = podsOf('postgres')[0]?.status.podIP;
  await cluster.close();
  expect(existsSync(kubeconfigPath)).toBe(false);
  const refused = await new Promise<boolean>((resolve) => {
    const socket = createConnection({ host: postgres, port: 5432 });
    socket.on('connect', () => resolve(false));
    socket.on('error', () => resolve(true));
  });
  expect(refused).toBe(true);
});
