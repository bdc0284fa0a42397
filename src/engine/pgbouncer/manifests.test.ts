import { describe, expect, test } from 'vitest';
import { Secret } from '../secret.ts';
import { settings, version } from '../testing/pooler-settings.ts';
import { checkManifests } from './check-manifests.ts';
import { PATHS, parseVersion, renderHba, renderIni } from './config.ts';
import type { KubeObject, PoolerManifestOptions } from './config-types.ts';
import { contentHash, exporterConnection, poolerObjects, poolerSecret } from './manifests.ts';

const LATEST = version('1.26.1');
const options: PoolerManifestOptions = {
  namespace: 'nova',
  image: 'example.org/pgbouncer:1.26.1',
  exporterImage: 'example.org/pgbouncer-exporter:0.12.0',
  replicas: 2,
  version: LATEST,
  ini: renderIni(LATEST, settings),
  hba: renderHba(settings),
  userlistSecretName: 'pgbouncer-userlist',
};
const kinds = (objects: readonly KubeObject[]) => objects.map((object) => object.kind);
const deployment = (objects: readonly KubeObject[]) => objects.find((object) => object.kind === 'Deployment')!;

test('what the cluster demands stands on every object and on the pods; the labels they are found by stay', () => {
  const objects = poolerObjects({
    ...options,
    serviceMonitor: true,
    labels: { team: 'payments', app: 'mine' },
    annotations: { 'sidecar.istio.io/inject': 'false' },
  });
  const pods = deployment(objects).spec.template;
  for (const { metadata } of [...objects, pods]) {
    expect(metadata.labels).toMatchObject({ team: 'payments', app: 'pgbouncer' });
    expect(metadata.annotations).toEqual({ 'sidecar.istio.io/inject': 'false' });
  }
  expect(deployment(objects).spec.selector).toEqual({ matchLabels: { app: 'pgbouncer' } });
});

test('certificates are mounted as folders, readable for the user it runs as, where the configuration names them', () => {
  const objects = poolerObjects({
    ...options,
    serverCa: { name: 'postgres-ca', key: 'root.pem' },
    clientTlsSecret: 'pgbouncer-tls',
  });
  const pod = deployment(objects).spec.template.spec;
  expect(pod.volumes.slice(2)).toEqual([
    {
      name: 'server-ca',
      secret: { secretName: 'postgres-ca', items: [{ key: 'root.pem', path: 'ca.crt' }], defaultMode: 0o440 },
    },
    { name: 'client-tls', secret: { secretName: 'pgbouncer-tls', defaultMode: 0o440 } },
  ]);
  const mounts: { mountPath: string; subPath?: string }[] = pod.containers[0].volumeMounts;
  expect(mounts.map((one) => one.mountPath)).toEqual(
    expect.arrayContaining([PATHS.serverCa.replace('/ca.crt', ''), PATHS.clientCert.replace('/tls.crt', '')]),
  );
  expect(mounts.some((one) => one.subPath)).toBe(false);
  expect(checkManifests(objects)).toEqual([]);
});

describe('our objects', () => {
  test('are what they should be, and pass our own rules', () => {
    const objects = poolerObjects(options);
    expect(kinds(objects)).toEqual(['ConfigMap', 'Service', 'PodDisruptionBudget', 'Deployment']);
    expect(checkManifests(objects)).toEqual([]);
    const { spec } = deployment(objects);
    expect(spec.template.spec.containers.map((container: { name: string }) => container.name)).toEqual([
      'pgbouncer',
      'exporter',
    ]);
    expect(spec.template.spec.enableServiceLinks).toBe(false);
    expect(spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
  });
  test('a change of the configuration renames the ConfigMap, so that the Deployment rolls', () => {
    const name = (ini: string) => poolerObjects({ ...options, ini })[0]!.metadata.name;
    expect(name(options.ini)).toBe(name(options.ini));
    expect(name(options.ini)).not.toBe(name(`${options.ini}; changed\n`));
    expect(contentHash('a')).toHaveLength(10);
  });
  test('hold no secret', () => {
    const password = new Secret('p@ss"word-of-tests');
    const secret = poolerSecret({
      namespace: 'nova',
      name: 'pgbouncer-userlist',
      userlist: new Secret('"a" "b"\n'),
      exporterConnection: new Secret(exporterConnection('stats_user', password)),
    });
    expect(Buffer.from(secret.data['exporter-connection'], 'base64').toString()).toContain(
      'stats_user:p%40ss%22word-of-tests@127.0.0.1:6432/pgbouncer',
    );
    expect(JSON.stringify(poolerObjects(options))).not.toMatch(/password|p%40ss/i);
  });
  test('optional objects come when asked for', () => {
    const objects = poolerObjects({
      ...options,
      serviceMonitor: true,
      networkPolicy: { clientLabels: { tier: 'app' }, postgres: { labels: { app: 'postgres' } } },
    });
    expect(kinds(objects)).toEqual([
      'ConfigMap',
      'Service',
      'PodDisruptionBudget',
      'NetworkPolicy',
      'Deployment',
      'Service',
      'ServiceMonitor',
    ]);
    expect(checkManifests(objects)).toEqual([]);
  });
  test('the drain follows the version: SIGTERM waits for clients from 1.23 on', () => {
    const grace = (text: string) => {
      const version = parseVersion(text);
      return version.ok
        ? deployment(poolerObjects({ ...options, version: version.value, clientMaxLifetimeSeconds: 120 })).spec.template
            .spec.terminationGracePeriodSeconds
        : 0;
    };
    expect(grace('1.18.0')).toBe(165);
    expect(grace('1.24.1')).toBe(165);
  });
  test('before 1.23 the pooler stays until its clients have left, because SIGTERM cuts them', () => {
    const sleep = (text: string) => {
      const version = parseVersion(text);
      return version.ok
        ? deployment(poolerObjects({ ...options, version: version.value, clientMaxLifetimeSeconds: 120 })).spec.template
            .spec.containers[0].lifecycle.preStop.sleep.seconds
        : 0;
    };
    expect([sleep('1.18.0'), sleep('1.22.1'), sleep('1.23.0'), sleep('1.26.1')]).toEqual([135, 135, 15, 15]);
  });
  test('baseline pod security leaves the uid to the image', () => {
    const pod = deployment(poolerObjects({ ...options, podSecurity: 'baseline' })).spec.template.spec;
    expect(pod.securityContext).toEqual({});
    expect(pod.containers[0].securityContext.allowPrivilegeEscalation).toBe(false);
  });
});

describe('an operator’s manifests', () => {
  const change = (edit: (objects: KubeObject[]) => void) => {
    const objects = structuredClone(poolerObjects(options));
    edit(objects);
    return checkManifests(objects).map((finding) => finding.id);
  };
  test.each<[string, (objects: KubeObject[]) => void]>([
    ['no-pooler', (objects) => objects.splice(3, 1)],
    ['one-replica', (objects) => (deployment(objects).spec.replicas = 1)],
    ['recreate', (objects) => (deployment(objects).spec.strategy = { type: 'Recreate' })],
    ['max-unavailable', (objects) => (deployment(objects).spec.strategy = undefined)],
    ['no-readiness', (objects) => delete deployment(objects).spec.template.spec.containers[0].readinessProbe],
    [
      'sql-probe',
      (objects) =>
        (deployment(objects).spec.template.spec.containers[0].livenessProbe = {
          exec: { command: ['psql', '-c', 'SELECT 1'] },
        }),
    ],
    ['no-pre-stop', (objects) => delete deployment(objects).spec.template.spec.containers[0].lifecycle],
    ['grace-too-short', (objects) => (deployment(objects).spec.template.spec.terminationGracePeriodSeconds = 10)],
    ['security-context', (objects) => delete deployment(objects).spec.template.spec.containers[0].securityContext],
    ['service-links', (objects) => delete deployment(objects).spec.template.spec.enableServiceLinks],
    ['no-anti-affinity', (objects) => delete deployment(objects).spec.template.spec.affinity],
    ['no-exporter', (objects) => deployment(objects).spec.template.spec.containers.pop()],
    ['no-service', (objects) => objects.splice(1, 1)],
    ['no-pdb', (objects) => objects.splice(2, 1)],
    ['pdb-blocks-drain', (objects) => (objects[2]!.spec.minAvailable = 2)],
    [
      'sub-path',
      (objects) => (deployment(objects).spec.template.spec.containers[0].volumeMounts[1].subPath = 'userlist.txt'),
    ],
    [
      'password-in-env',
      (objects) =>
        (deployment(objects).spec.template.spec.containers[1].env = [
          { name: 'X', value: 'postgres://stats:abc@127.0.0.1/pgbouncer' },
        ]),
    ],
    [
      'password-in-args',
      (objects) =>
        (deployment(objects).spec.template.spec.containers[1].args = [
          '--conn=postgres://stats:abc@127.0.0.1/pgbouncer',
        ]),
    ],
    ['userlist-in-configmap', (objects) => (objects[0]!.data['userlist.txt'] = '"a" "bcdefgh"')],
    [
      'image-not-pinned',
      (objects) => (deployment(objects).spec.template.spec.containers[0].image = 'pgbouncer:latest'),
    ],
    ['pgbouncer-old', (objects) => (deployment(objects).spec.template.spec.containers[0].image = 'pgbouncer:1.18.0')],
    [
      'ini-pool-mode',
      (objects) =>
        (objects[0]!.data['pgbouncer.ini'] = options.ini.replace('pool_mode = transaction', 'pool_mode = session')),
    ],
    [
      'autoscaled',
      (objects) =>
        objects.push({
          apiVersion: 'autoscaling/v2',
          kind: 'HorizontalPodAutoscaler',
          metadata: { name: 'x' },
          spec: { scaleTargetRef: { name: 'pgbouncer' } },
        }),
    ],
  ])('%s is found', (id, edit) => {
    expect(change(edit)).toContain(id);
  });
});
