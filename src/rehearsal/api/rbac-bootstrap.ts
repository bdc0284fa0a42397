/**
 * The ClusterRoles and bindings a new cluster has: what everybody may, and the roles people bind (`plugin/pkg/auth/authorizer/
 * rbac/bootstrappolicy`), for the kinds that the rehearsal cluster knows.
 */
import type { Json } from '../contract.ts';
import { type PolicyRule, RBAC_GROUP } from './rbac.ts';
import type { RehearsalStore } from './store.ts';

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];

const rule = (apiGroup: string, resources: string, verbs: readonly string[]): PolicyRule => ({
  verbs,
  apiGroups: [apiGroup],
  resources: resources.split(' '),
});
const paths = (urls: string): PolicyRule => ({ verbs: ['get'], nonResourceURLs: urls.split(' ') });

const VIEW: readonly PolicyRule[] = [
  rule('', 'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods', READ),
  rule('', 'serviceaccounts services services/status', READ),
  rule('', 'bindings events limitranges namespaces/status pods/log pods/status', READ),
  rule('', 'resourcequotas resourcequotas/status', READ),
  rule('', 'namespaces', READ),
  rule('discovery.k8s.io', 'endpointslices', READ),
  rule('apps', 'controllerrevisions daemonsets daemonsets/status', READ),
  rule('apps', 'deployments deployments/scale deployments/status', READ),
  rule('apps', 'replicasets replicasets/scale replicasets/status', READ),
  rule('apps', 'statefulsets statefulsets/scale statefulsets/status', READ),
  rule('autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status', READ),
  rule('batch', 'cronjobs cronjobs/status jobs jobs/status', READ),
  rule('policy', 'poddisruptionbudgets poddisruptionbudgets/status', READ),
  rule('networking.k8s.io', 'ingresses ingresses/status networkpolicies', READ),
];

const EDIT: readonly PolicyRule[] = [
  rule('', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy', READ),
  rule('', 'serviceaccounts', ['impersonate']),
  rule('', 'pods pods/attach pods/exec pods/portforward pods/proxy', WRITE),
  rule('', 'pods/eviction', ['create']),
  rule('', 'configmaps events persistentvolumeclaims secrets serviceaccounts services services/proxy', WRITE),
  rule('', 'serviceaccounts/token', ['create']),
  rule('apps', 'daemonsets deployments deployments/rollback deployments/scale', WRITE),
  rule('apps', 'replicasets replicasets/scale statefulsets statefulsets/scale', WRITE),
  rule('autoscaling', 'horizontalpodautoscalers', WRITE),
  rule('batch', 'cronjobs jobs', WRITE),
  rule('policy', 'poddisruptionbudgets', WRITE),
  rule('networking.k8s.io', 'ingresses networkpolicies', WRITE),
  rule('coordination.k8s.io', 'leases', [...WRITE, ...READ]),
  ...VIEW,
];

const ADMIN: readonly PolicyRule[] = [
  rule('authorization.k8s.io', 'localsubjectaccessreviews', ['create']),
  rule(RBAC_GROUP, 'rolebindings roles', [...WRITE, ...READ]),
  ...EDIT,
];

const ROLES: Record<string, readonly PolicyRule[]> = {
  admin: ADMIN,
  'cluster-admin': [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ],
  edit: EDIT,
  'system:basic-user': [
    rule('authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews', ['create']),
    rule('authentication.k8s.io', 'selfsubjectreviews', ['create']),
  ],
  'system:discovery': [
    paths('/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/'),
  ],
  'system:public-info-viewer': [paths('/healthz /livez /readyz /version /version/')],
  'system:service-account-issuer-discovery': [paths('/.well-known /.well-known/*')],
  view: VIEW,
};

const BINDINGS: Record<string, readonly string[]> = {
  'cluster-admin': ['system:masters'],
  'system:basic-user': ['system:authenticated'],
  'system:discovery': ['system:authenticated'],
  'system:public-info-viewer': ['system:authenticated', 'system:unauthenticated'],
  'system:service-account-issuer-discovery': ['system:authenticated'],
};

/** Creates them in a new store. */
export function bootstrapRbac(store: RehearsalStore): void {
  const create = (kind: string, plural: string, name: string, more: Json) =>
    store.create(
      `${plural}.${RBAC_GROUP}`,
      {
        apiVersion: `${RBAC_GROUP}/v1`,
        kind,
        metadata: {
          name,
          labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
          annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
        },
        ...more,
      },
      { manager: 'kube-apiserver' },
    );
  for (const [name, rules] of Object.entries(ROLES)) {
    if (store.peek(`clusterroles.${RBAC_GROUP}`, undefined, name) === undefined)
      create('ClusterRole', 'clusterroles', name, { rules });
  }
  for (const [name, groups] of Object.entries(BINDINGS)) {
    if (store.peek(`clusterrolebindings.${RBAC_GROUP}`, undefined, name) !== undefined) continue;
    create('ClusterRoleBinding', 'clusterrolebindings', name, {
      roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name },
      subjects: groups.map((group) => ({ apiGroup: RBAC_GROUP, kind: 'Group', name: group })),
    });
  }
}
