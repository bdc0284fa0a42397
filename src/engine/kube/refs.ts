/** Names of objects: from kind and name to the path under which the API server knows it. */
import type { KubeObject, ListRef, Ref, ResourceRef } from './types.ts';

/** The kinds the wizard touches. `Rollout` exists only where Argo Rollouts is installed. */
export const KINDS = {
  Deployment: { apiVersion: 'apps/v1', plural: 'deployments', kind: 'Deployment' },
  ReplicaSet: { apiVersion: 'apps/v1', plural: 'replicasets', kind: 'ReplicaSet' },
  StatefulSet: { apiVersion: 'apps/v1', plural: 'statefulsets', kind: 'StatefulSet' },
  DaemonSet: { apiVersion: 'apps/v1', plural: 'daemonsets', kind: 'DaemonSet' },
  ControllerRevision: { apiVersion: 'apps/v1', plural: 'controllerrevisions', kind: 'ControllerRevision' },
  CronJob: { apiVersion: 'batch/v1', plural: 'cronjobs', kind: 'CronJob' },
  Job: { apiVersion: 'batch/v1', plural: 'jobs', kind: 'Job' },
  Rollout: { apiVersion: 'argoproj.io/v1alpha1', plural: 'rollouts', kind: 'Rollout' },
  Pod: { apiVersion: 'v1', plural: 'pods', kind: 'Pod' },
  Service: { apiVersion: 'v1', plural: 'services', kind: 'Service' },
  ServiceAccount: { apiVersion: 'v1', plural: 'serviceaccounts', kind: 'ServiceAccount' },
  Secret: { apiVersion: 'v1', plural: 'secrets', kind: 'Secret' },
  ConfigMap: { apiVersion: 'v1', plural: 'configmaps', kind: 'ConfigMap' },
  Event: { apiVersion: 'v1', plural: 'events', kind: 'Event' },
  Namespace: { apiVersion: 'v1', plural: 'namespaces', kind: 'Namespace' },
  ResourceQuota: { apiVersion: 'v1', plural: 'resourcequotas', kind: 'ResourceQuota' },
  EndpointSlice: { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices', kind: 'EndpointSlice' },
  Lease: { apiVersion: 'coordination.k8s.io/v1', plural: 'leases', kind: 'Lease' },
  PodDisruptionBudget: { apiVersion: 'policy/v1', plural: 'poddisruptionbudgets', kind: 'PodDisruptionBudget' },
  NetworkPolicy: { apiVersion: 'networking.k8s.io/v1', plural: 'networkpolicies', kind: 'NetworkPolicy' },
  HorizontalPodAutoscaler: {
    apiVersion: 'autoscaling/v2',
    plural: 'horizontalpodautoscalers',
    kind: 'HorizontalPodAutoscaler',
  },
  ServiceMonitor: { apiVersion: 'monitoring.coreos.com/v1', plural: 'servicemonitors', kind: 'ServiceMonitor' },
} as const satisfies Record<string, ResourceRef>;

export type Kind = keyof typeof KINDS;

export function ref(kind: Kind, namespace: string | undefined, name: string): Ref {
  return { ...KINDS[kind], ...(namespace === undefined ? {} : { namespace }), name };
}

export function listOf(
  kind: Kind,
  namespace: string | undefined,
  selectors: { labelSelector?: string; fieldSelector?: string } = {},
): ListRef {
  return { ...KINDS[kind], ...(namespace === undefined ? {} : { namespace }), ...selectors };
}

/** The reference of an object of one of the known kinds, or `undefined`. */
export function refOf(object: KubeObject): Ref | undefined {
  const known = (KINDS as Record<string, ResourceRef>)[object.kind];
  if (known === undefined) return undefined;
  const namespace: string | undefined = object.metadata.namespace;
  return {
    ...known,
    apiVersion: object.apiVersion,
    ...(namespace ? { namespace } : {}),
    name: String(object.metadata.name),
  };
}

/** `deployment/identity-service`, as kubectl writes it. */
export const workloadId = (of: Pick<Ref, 'kind' | 'name'>): string => `${of.kind.toLowerCase()}/${of.name}`;

/** API group: `apps` of `apps/v1`, empty for core. */
export const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '');

/** URL path of a collection. */
export function collectionPath(of: Pick<ListRef, 'apiVersion' | 'plural' | 'namespace'>): string {
  const base = of.apiVersion.includes('/') ? `/apis/${of.apiVersion}` : `/api/${of.apiVersion}`;
  const scope = of.namespace === undefined ? '' : `/namespaces/${encodeURIComponent(of.namespace)}`;
  return `${base}${scope}/${of.plural}`;
}

/** URL path of an object. */
export const objectPath = (of: Ref): string => `${collectionPath(of)}/${encodeURIComponent(of.name)}`;
