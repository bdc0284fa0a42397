/**
 * The kinds the rehearsal cluster knows: names, verbs, subresources and the few rules of storage that differ between
 * them. Discovery, routing and the store read this one table. Names and verbs are those of a 1.36 server.
 */

export interface ResourceDefinition {
  /** The store's key: `pods`, `deployments.apps`. */
  resource: string;
  group: string;
  version: string;
  plural: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  shortNames: readonly string[];
  categories: readonly string[];
  /** Subresource name to the Kind it speaks, e.g. `scale` to `Scale`. */
  subresources: Readonly<Record<string, Subresource>>;
  verbs: readonly string[];
  /** A custom resource: no strategic merge (415), lists are atomic, nothing is defaulted. */
  custom: boolean;
  /** Names follow RFC 1123 label, RFC 1035 label, or subdomain (the default), or are free path segments. */
  naming: 'subdomain' | 'label' | 'label1035' | 'path';
  /** An update without resourceVersion is refused (Lease and others). */
  conditionalUpdate: boolean;
  /** PUT of an object that isn't there creates it. */
  createOnUpdate: boolean;
  /** The spec has a generation. */
  generation: boolean;
}

export interface Subresource {
  kind: string;
  verbs: readonly string[];
  /** `autoscaling/v1` for `scale`, `policy/v1` for `eviction`. */
  groupVersion?: string;
}

const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;

interface Row {
  kind: string;
  plural?: string;
  short?: string;
  all?: boolean;
  cluster?: boolean;
  status?: boolean;
  scale?: boolean;
  naming?: ResourceDefinition['naming'];
  conditional?: boolean;
  createOnUpdate?: boolean;
  generation?: boolean;
  verbs?: readonly string[];
  more?: Record<string, Subresource>;
}

function define(group: string, version: string, rows: Row[], custom = false): ResourceDefinition[] {
  return rows.map((row) => {
    const singular = row.kind.toLowerCase();
    const plural = row.plural ?? `${singular}s`;
    const subresources: Record<string, Subresource> = { ...row.more };
    if (row.scale) {
      subresources.scale = { kind: 'Scale', verbs: ['get', 'patch', 'update'], groupVersion: 'autoscaling/v1' };
    }
    if (row.status) subresources.status = { kind: row.kind, verbs: ['get', 'patch', 'update'] };
    return {
      resource: group === '' ? plural : `${plural}.${group}`,
      group,
      version,
      plural,
      singular,
      kind: row.kind,
      namespaced: row.cluster !== true,
      shortNames: row.short === undefined ? [] : row.short.split(' '),
      categories: row.all ? ['all'] : [],
      subresources,
      verbs: row.verbs ?? ALL_VERBS,
      custom,
      naming: row.naming ?? 'subdomain',
      conditionalUpdate: row.conditional ?? custom,
      createOnUpdate: row.createOnUpdate ?? false,
      generation: row.generation ?? custom,
    };
  });
}

const STREAM = ['create', 'get'] as const;

const DEFINITIONS: readonly ResourceDefinition[] = [
  ...define('', 'v1', [
    { kind: 'ConfigMap', short: 'cm' },
    { kind: 'Endpoints', plural: 'endpoints', short: 'ep', createOnUpdate: true },
    { kind: 'Event', short: 'ev', createOnUpdate: true },
    { kind: 'LimitRange', short: 'limits', createOnUpdate: true },
    {
      kind: 'Namespace',
      short: 'ns',
      cluster: true,
      status: true,
      naming: 'label',
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
      more: { finalize: { kind: 'Namespace', verbs: ['update'] } },
    },
    { kind: 'Node', short: 'no', cluster: true, status: true },
    { kind: 'PersistentVolumeClaim', short: 'pvc', status: true },
    {
      kind: 'Pod',
      short: 'po',
      all: true,
      status: true,
      generation: true,
      more: {
        attach: { kind: 'PodAttachOptions', verbs: STREAM },
        eviction: { kind: 'Eviction', verbs: ['create'], groupVersion: 'policy/v1' },
        exec: { kind: 'PodExecOptions', verbs: STREAM },
        log: { kind: 'Pod', verbs: ['get'] },
        portforward: { kind: 'PodPortForwardOptions', verbs: STREAM },
      },
    },
    { kind: 'ResourceQuota', short: 'quota', status: true },
    { kind: 'Secret' },
    {
      kind: 'ServiceAccount',
      short: 'sa',
      more: { token: { kind: 'TokenRequest', verbs: ['create'], groupVersion: 'authentication.k8s.io/v1' } },
    },
    { kind: 'Service', short: 'svc', all: true, status: true, naming: 'label1035' },
  ]),
  ...define('apps', 'v1', [
    { kind: 'ControllerRevision' },
    { kind: 'DaemonSet', short: 'ds', all: true, status: true, generation: true },
    { kind: 'Deployment', short: 'deploy', all: true, status: true, scale: true, generation: true },
    { kind: 'ReplicaSet', short: 'rs', all: true, status: true, scale: true, generation: true },
    { kind: 'StatefulSet', short: 'sts', all: true, status: true, scale: true, generation: true },
  ]),
  ...define('batch', 'v1', [
    { kind: 'CronJob', short: 'cj', all: true, status: true, generation: true },
    { kind: 'Job', all: true, status: true, generation: true },
  ]),
  ...define('autoscaling', 'v2', [{ kind: 'HorizontalPodAutoscaler', short: 'hpa', all: true, status: true }]),
  ...define('policy', 'v1', [{ kind: 'PodDisruptionBudget', short: 'pdb', status: true, generation: true }]),
  ...define('networking.k8s.io', 'v1', [
    { kind: 'Ingress', plural: 'ingresses', short: 'ing', status: true, generation: true },
    { kind: 'NetworkPolicy', plural: 'networkpolicies', short: 'netpol', generation: true },
  ]),
  ...define('discovery.k8s.io', 'v1', [{ kind: 'EndpointSlice', generation: true, createOnUpdate: true }]),
  ...define('events.k8s.io', 'v1', [{ kind: 'Event', short: 'ev', createOnUpdate: true }]),
  ...define('coordination.k8s.io', 'v1', [{ kind: 'Lease', conditional: true, createOnUpdate: true }]),
  ...define('rbac.authorization.k8s.io', 'v1', [
    { kind: 'ClusterRoleBinding', cluster: true, naming: 'path', createOnUpdate: true },
    { kind: 'ClusterRole', cluster: true, naming: 'path', createOnUpdate: true },
    { kind: 'RoleBinding', naming: 'path', createOnUpdate: true },
    { kind: 'Role', naming: 'path', createOnUpdate: true },
  ]),
  ...define(
    'monitoring.coreos.com',
    'v1',
    [
      { kind: 'ServiceMonitor', short: 'smon' },
      { kind: 'PodMonitor', short: 'pmon' },
    ],
    true,
  ),
  ...define(
    'argoproj.io',
    'v1alpha1',
    [
      { kind: 'Application', short: 'app apps', status: true },
      { kind: 'Rollout', short: 'ro', status: true, scale: true },
    ],
    true,
  ),
  ...define('kustomize.toolkit.fluxcd.io', 'v1', [{ kind: 'Kustomization', short: 'ks', status: true }], true),
  ...define('helm.toolkit.fluxcd.io', 'v2', [{ kind: 'HelmRelease', short: 'hr', status: true }], true),
  ...define('keda.sh', 'v1alpha1', [{ kind: 'ScaledObject', short: 'so', status: true }], true),
];

/** `events.k8s.io` shows the core events: one storage, two views. */
export const EVENTS_VIEW = 'events.events.k8s.io';

const BY_RESOURCE = new Map(DEFINITIONS.map((definition) => [definition.resource, definition]));
const BY_PATH = new Map(
  DEFINITIONS.map((definition) => [`${definition.group}/${definition.version}/${definition.plural}`, definition]),
);

/** Every kind, in the order of discovery. */
export function definitions(): readonly ResourceDefinition[] {
  return DEFINITIONS;
}

/** Throws for a resource the cluster doesn't have: callers inside the cluster name constants. */
export function definitionOf(resource: string): ResourceDefinition {
  const found = BY_RESOURCE.get(resource);
  if (found === undefined) throw new Error(`the rehearsal cluster has no resource ${resource}`);
  return found;
}

export function definitionAt(group: string, version: string, plural: string): ResourceDefinition | undefined {
  return BY_PATH.get(`${group}/${version}/${plural}`);
}

/** `apps/v1`, or `v1` in the core group. */
export function groupVersion(definition: Pick<ResourceDefinition, 'group' | 'version'>): string {
  return definition.group === '' ? definition.version : `${definition.group}/${definition.version}`;
}
