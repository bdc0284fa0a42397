/** The objects of the rehearsal's cluster: the guide's namespace, database and services. */
import type { KubeObject } from '../contract.ts';
import { LOAD_ANNOTATION } from '../pods/service-container.ts';
import { LOAD, type ServicePlan } from './services.ts';

export const NAMESPACE = 'nova';
const ROLE = 'nova_user';
const DATABASE = 'nova';

/** Unreserved characters only stay as they are, so that every driver reads the same password (RFC 3986). */
const encodePassword = (password: string): string =>
  encodeURIComponent(password).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

export const databaseUrl = (password: string): string =>
  `postgresql://${ROLE}:${encodePassword(password)}@postgres:5432/${DATABASE}`;

export interface FleetObject {
  resource: string;
  object: KubeObject;
}

const meta = (name: string, app: string, more: object = {}) => ({
  name,
  namespace: NAMESPACE,
  labels: { app },
  ...more,
});
const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** Namespace and nodes. */
export function clusterObjects(address: string): FleetObject[] {
  const namespaces = ['default', 'kube-system', NAMESPACE].map((name) => ({
    resource: 'namespaces',
    object: {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    },
  }));
  const nodes = ['node-1', 'node-2'].map((name) => ({
    resource: 'nodes',
    object: {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
      spec: {},
      status: {
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'KubeletReady',
            message: 'kubelet is posting ready status',
            lastHeartbeatTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
            lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
          },
        ],
        addresses: [
          { type: 'InternalIP', address },
          { type: 'Hostname', address: name },
        ],
        capacity: { cpu: '8', memory: '32Gi', pods: '250' },
        allocatable: { cpu: '8', memory: '32Gi', pods: '250' },
        nodeInfo: {
          kubeletVersion: 'v1.36.0',
          containerRuntimeVersion: 'containerd://2.0.0',
          operatingSystem: 'linux',
        },
      },
    },
  }));
  return [...namespaces, ...nodes];
}

/**
 * PostgreSQL: a bare pod named `postgres`, because the guide says `kubectl exec postgres`, behind a Service of that name.
 * The role's password is in the Secret `postgres-credentials`, where the services' literals have it too.
 */
export function postgresObjects(password: string): FleetObject[] {
  const fromSecret = (name: string, key: string) => ({
    name,
    valueFrom: { secretKeyRef: { name: 'postgres-credentials', key } },
  });
  return [
    {
      resource: 'secrets',
      object: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: meta('postgres-credentials', 'postgres'),
        type: 'Opaque',
        data: { username: base64(ROLE), password: base64(password) },
      },
    },
    {
      resource: 'services',
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: meta('postgres', 'postgres'),
        spec: { selector: { app: 'postgres' }, ports: [{ name: 'postgres', port: 5432, targetPort: 5432 }] },
      },
    },
    {
      resource: 'pods',
      object: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: meta('postgres', 'postgres'),
        spec: {
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 10,
          containers: [
            {
              name: 'postgres',
              image: 'postgres:16',
              ports: [{ name: 'postgres', containerPort: 5432 }],
              env: [
                fromSecret('POSTGRES_USER', 'username'),
                fromSecret('POSTGRES_PASSWORD', 'password'),
                { name: 'POSTGRES_DB', value: DATABASE },
              ],
              readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  ];
}

export function serviceObjects(service: ServicePlan, password: string): FleetObject[] {
  const { name, replicas, port, healthPath, traffic } = service;
  const url = databaseUrl(password);
  const secret = `${name}-database`;
  const load = LOAD[traffic];
  const env =
    service.source === 'secret'
      ? { name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: secret, key: 'DATABASE_URL' } } }
      : { name: 'DATABASE_URL', value: url };
  const objects: FleetObject[] = [];
  if (service.source === 'secret')
    objects.push({
      resource: 'secrets',
      object: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: meta(secret, name),
        type: 'Opaque',
        data: { DATABASE_URL: base64(url) },
      },
    });
  objects.push(
    {
      resource: 'services',
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: meta(name, name),
        spec: {
          ...(service.loadBalancer ? { type: 'LoadBalancer' } : {}),
          selector: { app: name },
          ports: [{ name: 'http', port, targetPort: port }],
        },
      },
    },
    {
      resource: 'deployments.apps',
      object: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: meta(name, name),
        spec: {
          replicas,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name }, annotations: { [LOAD_ANNOTATION]: `${load.rate}/${load.connections}` } },
            spec: {
              terminationGracePeriodSeconds: 15,
              containers: [
                {
                  name: 'app',
                  image: `nova/${name}:1.0.0`,
                  ports: [{ name: 'http', containerPort: port }],
                  env: [env, { name: 'RUST_LOG', value: 'info' }],
                  readinessProbe: { httpGet: { path: healthPath, port }, periodSeconds: 2, timeoutSeconds: 2 },
                },
              ],
            },
          },
        },
      },
    },
  );
  return objects;
}
