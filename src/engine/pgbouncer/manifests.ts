/**
 * The pooler's Kubernetes objects, plain JSON. Why each field is as it is stands beside it; the same rules, read the other
 * way round, judge an operator's own manifests (check-manifests.ts).
 */
import { createHash } from 'node:crypto';
import type { Secret } from '../secret.ts';
import { PATHS } from './config.ts';
import type { KubeJson, KubeObject, PoolerManifestOptions } from './config-types.ts';
import { atLeast } from './version.ts';

const POOLER_CONTAINER = 'pgbouncer';
const EXPORTER_CONTAINER = 'exporter';
const EXPORTER_PORT = 9127;
/** Until the last node has taken an endpoint out of its rules. */
const ENDPOINT_SECONDS = 15;
export const USERLIST_KEY = 'userlist.txt';
export const EXPORTER_KEY = 'exporter-connection';

/** First ten digits of the SHA-256 of a text: names a ConfigMap by its content, so that a change rolls the Deployment. */
export const contentHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 10);

/**
 * The exporter's connection string, for the Secret. `connect_timeout` keeps a scrape from hanging; the console rejects
 * what it does not know, and `extra_float_digits` (sent by lib/pq) must be in ignore_startup_parameters.
 */
export function exporterConnection(
  user: string,
  password: Secret,
  port = 6432,
  sslmode: 'disable' | 'require' = 'disable',
): string {
  return `postgres://${encodeURIComponent(user)}:${percentEncode(password.reveal())}@127.0.0.1:${port}/pgbouncer?sslmode=${sslmode}&connect_timeout=5`;
}

/** Percent-encodes everything but RFC 3986 unreserved characters: the one spelling that libpq, node-pg and sqlx all read the same. */
function percentEncode(value: string): string {
  return encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The Secret with the userlist and, when given, the exporter's connection string. */
export function poolerSecret(options: {
  readonly namespace: string;
  readonly name: string;
  readonly userlist: Secret;
  readonly exporterConnection?: Secret;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}): KubeObject {
  const base64 = (secret: Secret) => Buffer.from(secret.reveal(), 'utf8').toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: options.name,
      namespace: options.namespace,
      labels: { app: 'pgbouncer', ...options.labels },
      ...(options.annotations ? { annotations: { ...options.annotations } } : {}),
    },
    type: 'Opaque',
    data: {
      [USERLIST_KEY]: base64(options.userlist),
      ...(options.exporterConnection ? { [EXPORTER_KEY]: base64(options.exporterConnection) } : {}),
    },
  };
}

interface Frame {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
  meta(name: string, more?: Record<string, string>): KubeObject['metadata'];
}

/** Of the poolers' pods, and of everything made for them. */
export const poolerLabels = (name: string): Record<string, string> => ({
  app: name,
  'app.kubernetes.io/name': 'pgbouncer',
  'app.kubernetes.io/managed-by': 'pgb-wizard',
});

function frame(options: PoolerManifestOptions): Frame {
  const name = options.name ?? 'pgbouncer';
  const labels = { ...options.labels, ...poolerLabels(name) };
  return {
    name,
    namespace: options.namespace,
    labels,
    meta: (object) => ({
      name: object,
      namespace: options.namespace,
      labels: { ...labels },
      ...(options.annotations ? { annotations: { ...options.annotations } } : {}),
    }),
  };
}

/** Every object except the Secret, in the order in which they are applied. */
export function poolerObjects(options: PoolerManifestOptions): KubeObject[] {
  const at = frame(options);
  const configMapName = `${at.name}-config-${contentHash(`${options.ini}\0${options.hba}`)}`;
  const port = options.port ?? 6432;
  const objects: KubeObject[] = [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: at.meta(configMapName),
      data: { 'pgbouncer.ini': options.ini, 'pg_hba.conf': options.hba },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: at.meta(at.name),
      spec: {
        selector: { app: at.name },
        ports: [{ name: 'pgbouncer', port, targetPort: 'pgbouncer', protocol: 'TCP' }],
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: at.meta(at.name),
      spec:
        options.replicas > 1
          ? { minAvailable: 1, selector: { matchLabels: { app: at.name } } }
          : { maxUnavailable: 1, selector: { matchLabels: { app: at.name } } },
    },
  ];
  if (options.networkPolicy) objects.push(networkPolicy(options, at, port));
  objects.push(deployment(options, at, configMapName, port));
  if (options.serviceMonitor && options.exporterImage) objects.push(...monitoring(options, at));
  return objects;
}

function preStop(options: PoolerManifestOptions, seconds: number): KubeJson {
  // The endpoint must be gone from every node before PgBouncer stops to accept: SIGTERM first means connect errors.
  // The native sleep needs no shell in the image, and Kubernetes 1.30 or later.
  if (options.preStop === 'none' || seconds === 0) return undefined;
  return options.preStop === 'shell' ? { exec: { command: ['sleep', String(seconds)] } } : { sleep: { seconds } };
}

function deployment(options: PoolerManifestOptions, at: Frame, configMapName: string, port: number): KubeObject {
  const restricted = options.podSecurity !== 'baseline';
  const drain = options.clientMaxLifetimeSeconds ?? 60;
  // From 1.23 SIGTERM waits for the clients to leave: it may need their whole lifetime. Before, it cuts every client at
  // once, so the wait has to come first: nobody new is sent there, and those who are there leave at their max_lifetime.
  const waits = atLeast(options.version, 1, 23);
  const preStopSeconds =
    options.preStop === 'none' ? 0 : (options.preStopSeconds ?? (waits ? ENDPOINT_SECONDS : ENDPOINT_SECONDS + drain));
  const grace = preStopSeconds + (waits ? drain : 0) + 30;
  const hook = preStop(options, preStopSeconds);
  const readable = restricted ? { defaultMode: 0o440 } : {};
  const containerSecurity = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    ...(restricted
      ? { readOnlyRootFilesystem: true, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }
      : {}),
  };
  const containers: KubeJson[] = [
    {
      name: POOLER_CONTAINER,
      image: options.image,
      imagePullPolicy: 'IfNotPresent',
      // Named, because images differ: an entry point that generates its own ini must not overwrite ours.
      command: ['pgbouncer', PATHS.ini],
      ports: [{ name: 'pgbouncer', containerPort: port, protocol: 'TCP' }],
      // TCP only: a probe with SQL would take the pooler down together with PostgreSQL, everywhere at once.
      readinessProbe: { tcpSocket: { port: 'pgbouncer' }, periodSeconds: 5, failureThreshold: 3 },
      livenessProbe: {
        tcpSocket: { port: 'pgbouncer' },
        initialDelaySeconds: 10,
        periodSeconds: 15,
        failureThreshold: 4,
      },
      ...(hook ? { lifecycle: { preStop: hook } } : {}),
      resources: options.resources ?? { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '256Mi' } },
      securityContext: containerSecurity,
      volumeMounts: [
        { name: 'config', mountPath: PATHS.configDir, readOnly: true },
        // A directory, not a subPath: a subPath mount never sees a changed Secret.
        { name: 'userlist', mountPath: PATHS.authDir, readOnly: true },
        ...(options.serverCa ? [{ name: 'server-ca', mountPath: PATHS.serverCaDir, readOnly: true }] : []),
        ...(options.clientTlsSecret ? [{ name: 'client-tls', mountPath: PATHS.clientTlsDir, readOnly: true }] : []),
      ],
    },
  ];
  if (options.exporterImage) {
    const secret = options.exporterSecret ?? { name: options.userlistSecretName, key: EXPORTER_KEY };
    containers.push({
      name: EXPORTER_CONTAINER,
      image: options.exporterImage,
      imagePullPolicy: 'IfNotPresent',
      // The exporter reads the connection string from its environment; an argument would show it in `ps` and the object.
      env: [
        {
          name: 'PGBOUNCER_EXPORTER_CONNECTION_STRING',
          valueFrom: { secretKeyRef: { name: secret.name, key: secret.key } },
        },
      ],
      ports: [{ name: 'metrics', containerPort: EXPORTER_PORT, protocol: 'TCP' }],
      readinessProbe: { tcpSocket: { port: 'metrics' }, periodSeconds: 10 },
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '64Mi' } },
      securityContext: containerSecurity,
    });
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: at.meta(at.name),
    spec: {
      replicas: options.replicas,
      revisionHistoryLimit: 5,
      selector: { matchLabels: { app: at.name } },
      // A new pooler is there before an old one goes; the connection budget counts the one above.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: { ...at.labels },
          ...(options.annotations ? { annotations: { ...options.annotations } } : {}),
        },
        spec: {
          // A Service called `pgbouncer` would inject PGBOUNCER_PORT=tcp://…, which entry points of images misread.
          enableServiceLinks: false,
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: grace,
          ...(options.imagePullSecrets?.length
            ? { imagePullSecrets: options.imagePullSecrets.map((name) => ({ name })) }
            : {}),
          // fsGroup lets the unprivileged user read the Secret, whose files are 0440.
          securityContext: restricted
            ? {
                runAsNonRoot: true,
                runAsUser: options.runAsUser ?? 70,
                runAsGroup: options.runAsUser ?? 70,
                fsGroup: options.runAsUser ?? 70,
                seccompProfile: { type: 'RuntimeDefault' },
              }
            : {},
          // Preferred, so that a cluster of one node works too.
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                'kubernetes.io/hostname',
                'topology.kubernetes.io/zone',
              ].map((topologyKey, index) => ({
                weight: 100 - index * 50,
                podAffinityTerm: { topologyKey, labelSelector: { matchLabels: { app: at.name } } },
              })),
            },
          },
          containers,
          volumes: [
            { name: 'config', configMap: { name: configMapName } },
            {
              name: 'userlist',
              secret: {
                secretName: options.userlistSecretName,
                ...readable,
                // The exporter's connection string has no business in the pooler's file system.
                items: [{ key: USERLIST_KEY, path: 'userlist.txt' }],
              },
            },
            ...(options.serverCa
              ? [
                  {
                    name: 'server-ca',
                    secret: {
                      secretName: options.serverCa.name,
                      items: [{ key: options.serverCa.key, path: 'ca.crt' }],
                      ...readable,
                    },
                  },
                ]
              : []),
            ...(options.clientTlsSecret
              ? [{ name: 'client-tls', secret: { secretName: options.clientTlsSecret, ...readable } }]
              : []),
          ],
        },
      },
    },
  };
}

function networkPolicy(options: PoolerManifestOptions, at: Frame, port: number): KubeObject {
  const rules = options.networkPolicy!;
  const upstream = rules.postgres ?? {};
  const to: KubeJson[] = [
    ...(upstream.labels ? [{ podSelector: { matchLabels: upstream.labels } }] : []),
    ...(upstream.cidr ? [{ ipBlock: { cidr: upstream.cidr } }] : []),
  ];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: at.meta(at.name),
    spec: {
      podSelector: { matchLabels: { app: at.name } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [{ podSelector: rules.clientLabels ? { matchLabels: rules.clientLabels } : {} }],
          ports: [{ protocol: 'TCP', port }],
        },
        // Where Prometheus lives is often not known: numbers may be read from the whole cluster then, not from outside.
        ...(options.exporterImage
          ? [
              {
                from: [
                  {
                    namespaceSelector: rules.prometheusNamespace
                      ? { matchLabels: { 'kubernetes.io/metadata.name': rules.prometheusNamespace } }
                      : {},
                  },
                ],
                ports: [{ protocol: 'TCP', port: EXPORTER_PORT }],
              },
            ]
          : []),
      ],
      egress: [
        // Without `to` a rule allows every destination: used only when the address of PostgreSQL is not known.
        { ...(to.length > 0 ? { to } : {}), ...postgresPorts(upstream.ports ?? [5432]) },
        {
          // 5353 is where the DNS pods of some distributions listen behind port 53 of their Service.
          ports: [53, 5353].flatMap((port) => [
            { protocol: 'UDP', port },
            { protocol: 'TCP', port },
          ]),
        },
      ],
    },
  };
}

const postgresPorts = (ports: readonly number[]): KubeJson =>
  ports.length > 0 ? { ports: ports.map((port) => ({ protocol: 'TCP', port })) } : {};

/**
 * Metrics get a headless Service of their own: on the Service that clients use, the exporter would be reachable under the
 * name of the pooler. Headless, so that each pooler pod is a target.
 */
function monitoring(options: PoolerManifestOptions, at: Frame): KubeObject[] {
  const metadata = at.meta(`${at.name}-metrics`);
  const labels = { ...metadata.labels, 'app.kubernetes.io/component': 'metrics' };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, labels },
      spec: {
        clusterIP: 'None',
        selector: { app: at.name },
        ports: [{ name: 'metrics', port: EXPORTER_PORT, targetPort: 'metrics', protocol: 'TCP' }],
      },
    },
    {
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'ServiceMonitor',
      metadata: at.meta(options.name ?? 'pgbouncer'),
      spec: {
        selector: { matchLabels: { app: at.name, 'app.kubernetes.io/component': 'metrics' } },
        endpoints: [{ port: 'metrics', interval: '15s' }],
      },
    },
  ];
}
