/**
 * Table output: the columns `kubectl get` prints, computed by the server (pkg/printers/internalversion/printers.go). A column of priority 1 is
 * shown with `-o wide` only.
 */
import type { Json, KubeObject } from '../contract.ts';
import { type Cell, type Column, since } from './table-text.ts';
import { podColumns, podRow } from './tables-pod.ts';
import { workloadTables } from './tables-workloads.ts';

export interface TableLayout {
  columns: readonly Column[];
  row(object: KubeObject, now: Date): Cell[];
}

const name: Column = ['Name', 'string', 0];
const age: Column = ['Age', 'string', 0];

const DEFAULT: TableLayout = {
  columns: [name, ['Created At', 'date', 0]],
  row: (object) => [object.metadata.name, object.metadata.creationTimestamp ?? ''],
};

const subjects = (binding: KubeObject, kind: string): string =>
  (binding.subjects ?? [])
    .filter((one: Json) => one.kind === kind)
    .map((one: Json) => (kind === 'ServiceAccount' ? `${one.namespace}/${one.name}` : one.name))
    .join(', ');

const bindings: TableLayout = {
  columns: [
    name,
    ['Role', 'string', 0],
    age,
    ['Users', 'string', 1],
    ['Groups', 'string', 1],
    ['ServiceAccounts', 'string', 1],
  ],
  row: (object, now) => [
    object.metadata.name,
    `${object.roleRef?.kind}/${object.roleRef?.name}`,
    since(object.metadata.creationTimestamp, now),
    subjects(object, 'User'),
    subjects(object, 'Group'),
    subjects(object, 'ServiceAccount'),
  ],
};

const LAYOUTS: Record<string, TableLayout> = {
  ...workloadTables,
  Pod: { columns: podColumns, row: podRow },
  Service: {
    columns: [
      name,
      ['Type', 'string', 0],
      ['Cluster-IP', 'string', 0],
      ['External-IP', 'string', 0],
      ['Port(s)', 'string', 0],
      age,
      ['Selector', 'string', 1],
    ],
    row: ({ metadata, spec = {} }, now) => [
      metadata.name,
      spec.type,
      spec.clusterIP ?? '<none>',
      spec.type === 'ExternalName' ? spec.externalName : spec.type === 'LoadBalancer' ? '<pending>' : '<none>',
      ports(spec.ports),
      since(metadata.creationTimestamp, now),
      pairs(spec.selector),
    ],
  },
  Secret: {
    columns: [name, ['Type', 'string', 0], ['Data', 'string', 0], age],
    row: (object, now) => [
      object.metadata.name,
      object.type,
      Object.keys(object.data ?? {}).length,
      since(object.metadata.creationTimestamp, now),
    ],
  },
  ConfigMap: {
    columns: [name, ['Data', 'string', 0], age],
    row: (object, now) => [
      object.metadata.name,
      Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
      since(object.metadata.creationTimestamp, now),
    ],
  },
  RoleBinding: bindings,
  ClusterRoleBinding: bindings,
  Namespace: {
    columns: [name, ['Status', 'string', 0], age],
    row: ({ metadata, status }, now) => [metadata.name, status?.phase, since(metadata.creationTimestamp, now)],
  },
  Node: {
    columns: [
      name,
      ['Status', 'string', 0],
      ['Roles', 'string', 0],
      age,
      ['Version', 'string', 0],
      ['Internal-IP', 'string', 1],
      ['External-IP', 'string', 1],
      ['OS-Image', 'string', 1],
      ['Kernel-Version', 'string', 1],
      ['Container-Runtime', 'string', 1],
    ],
    row: ({ metadata, status = {} }, now) => {
      const ready = (status.conditions ?? []).find((one: Json) => one.type === 'Ready');
      const internal = (status.addresses ?? []).find((one: Json) => one.type === 'InternalIP');
      const info = status.nodeInfo ?? {};
      return [
        metadata.name,
        ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady',
        '<none>',
        since(metadata.creationTimestamp, now),
        info.kubeletVersion ?? '',
        internal?.address ?? '<none>',
        '<none>',
        info.osImage ?? '<unknown>',
        info.kernelVersion ?? '<unknown>',
        info.containerRuntimeVersion ?? '<unknown>',
      ];
    },
  },
  Event: {
    columns: [
      ['Last Seen', 'string', 0],
      ['Type', 'string', 0],
      ['Reason', 'string', 0],
      ['Object', 'string', 0],
      ['Subobject', 'string', 1],
      ['Source', 'string', 1],
      ['Message', 'string', 0],
      ['First Seen', 'string', 1],
      ['Count', 'string', 1],
      ['Name', 'string', 1],
    ],
    row: eventRow,
  },
  Lease: {
    columns: [name, ['Holder', 'string', 0], age],
    row: ({ metadata, spec }, now) => [
      metadata.name,
      spec?.holderIdentity ?? '',
      since(metadata.creationTimestamp, now),
    ],
  },
  ServiceAccount: {
    columns: [name, ['Secrets', 'string', 0], age],
    row: (object, now) => [
      object.metadata.name,
      (object.secrets ?? []).length,
      since(object.metadata.creationTimestamp, now),
    ],
  },
  Endpoints: {
    columns: [name, ['Endpoints', 'string', 0], age],
    row: (object, now) => [
      object.metadata.name,
      endpoints(object.subsets),
      since(object.metadata.creationTimestamp, now),
    ],
  },
  EndpointSlice: {
    columns: [name, ['AddressType', 'string', 0], ['Ports', 'string', 0], ['Endpoints', 'string', 0], age],
    row: (object, now) => [
      object.metadata.name,
      object.addressType,
      some((object.ports ?? []).map((one: Json) => String(one.port ?? '*'))),
      some((object.endpoints ?? []).flatMap((one: Json) => one.addresses ?? [])),
      since(object.metadata.creationTimestamp, now),
    ],
  },
  PodDisruptionBudget: {
    columns: [
      name,
      ['Min Available', 'string', 0],
      ['Max Unavailable', 'string', 0],
      ['Allowed Disruptions', 'integer', 0],
      age,
    ],
    row: ({ metadata, spec = {}, status }, now) => [
      metadata.name,
      spec.minAvailable === undefined ? 'N/A' : String(spec.minAvailable),
      spec.maxUnavailable === undefined ? 'N/A' : String(spec.maxUnavailable),
      status?.disruptionsAllowed ?? 0,
      since(metadata.creationTimestamp, now),
    ],
  },
  NetworkPolicy: {
    columns: [name, ['Pod-Selector', 'string', 0], age],
    row: ({ metadata, spec }, now) => [
      metadata.name,
      pairs(spec?.podSelector?.matchLabels),
      since(metadata.creationTimestamp, now),
    ],
  },
  HorizontalPodAutoscaler: {
    columns: [
      name,
      ['Reference', 'string', 0],
      ['Targets', 'string', 0],
      ['MinPods', 'string', 0],
      ['MaxPods', 'string', 0],
      ['Replicas', 'string', 0],
      age,
    ],
    row: ({ metadata, spec = {}, status }, now) => [
      metadata.name,
      `${spec.scaleTargetRef?.kind}/${spec.scaleTargetRef?.name}`,
      (spec.metrics ?? [])
        .map(
          (one: Json) =>
            `${one.resource?.name ?? one.type}: <unknown>/${one.resource?.target?.averageUtilization ?? '?'}%`,
        )
        .join(', ') || '<none>',
      String(spec.minReplicas ?? '<unset>'),
      spec.maxReplicas,
      status?.currentReplicas ?? 0,
      since(metadata.creationTimestamp, now),
    ],
  },
  ResourceQuota: {
    columns: [name, ['Request', 'string', 0], ['Limit', 'string', 0], age],
    row: ({ metadata, spec = {}, status }, now) => {
      const list = (limits: boolean): string =>
        Object.entries(spec.hard ?? {})
          .filter(([key]) => key.startsWith('limits.') === limits)
          .map(([key, hard]) => `${key}: ${status?.used?.[key] ?? 0}/${hard}`)
          .join(', ');
      return [metadata.name, list(false), list(true), since(metadata.creationTimestamp, now)];
    },
  },
  PersistentVolumeClaim: {
    columns: [
      name,
      ['Status', 'string', 0],
      ['Volume', 'string', 0],
      ['Capacity', 'string', 0],
      ['Access Modes', 'string', 0],
      ['StorageClass', 'string', 0],
      ['VolumeAttributesClass', 'string', 0],
      age,
      ['VolumeMode', 'string', 1],
    ],
    row: ({ metadata, spec = {}, status }, now) => [
      metadata.name,
      status?.phase ?? 'Pending',
      spec.volumeName ?? '',
      status?.capacity?.storage ?? '',
      (spec.accessModes ?? []).map((mode: string) => mode.replace(/[a-z]/g, '')).join(','),
      spec.storageClassName ?? '',
      '<unset>',
      since(metadata.creationTimestamp, now),
      spec.volumeMode ?? 'Filesystem',
    ],
  },
};

function ports(list: Json[] | undefined): string {
  return (
    (list ?? [])
      .map((one) => `${one.port}${one.nodePort === undefined ? '' : `:${one.nodePort}`}/${one.protocol}`)
      .join(',') || '<none>'
  );
}

export function pairs(labels: Record<string, string> | undefined): string {
  const text = Object.entries(labels ?? {})
    .sort()
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  return text === '' ? '<none>' : text;
}

function some(list: string[]): string {
  if (list.length === 0) return '<unset>';
  return list.length > 3 ? `${list.slice(0, 3).join(',')} + ${list.length - 3} more...` : list.join(',');
}

function endpoints(subsets: Json[] | undefined): string {
  const list = (subsets ?? []).flatMap((set) =>
    (set.addresses ?? []).flatMap((address: Json) =>
      (set.ports ?? [{}]).map((port: Json) => (port.port === undefined ? address.ip : `${address.ip}:${port.port}`)),
    ),
  );
  if (list.length === 0) return '<none>';
  return list.length > 3 ? `${list.slice(0, 3).join(',')} + ${list.length - 3} more...` : list.join(',');
}

function eventRow(event: Json, now: Date): Cell[] {
  const first = event.firstTimestamp ?? event.eventTime;
  const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? first;
  const about = event.involvedObject ?? {};
  const component = event.source?.component || event.reportingComponent || '';
  const host = event.source?.host || event.reportingInstance || '';
  return [
    since(last, now),
    event.type,
    event.reason,
    `${String(about.kind ?? '').toLowerCase()}/${about.name}`,
    about.fieldPath ?? '',
    host === '' ? component : `${component}, ${host}`,
    String(event.message ?? '').trim(),
    since(first, now),
    event.series?.count ?? event.count ?? 1,
    event.metadata.name,
  ];
}

/** What the `Accept` header asks of a Table: `undefined` when it asks for none. */
export function wantsTable(accept: string): boolean {
  return accept
    .split(',')
    .some((one) => /application\/json/.test(one) && /as=Table/.test(one) && /g=meta\.k8s\.io/.test(one));
}

/**
 * The Table of some objects of one kind. `include` is the `includeObject` parameter: `None`, `Metadata` (default) or `Object`.
 */
export function table(
  kind: string,
  objects: readonly KubeObject[],
  listMetadata: Json,
  now: Date,
  include = 'Metadata',
): Json {
  const layout = LAYOUTS[kind] ?? DEFAULT;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMetadata,
    columnDefinitions: layout.columns.map(([title, type, priority]) => ({
      name: title,
      type,
      format: title === 'Name' ? 'name' : '',
      description: '',
      priority,
    })),
    rows: objects.map((object) => ({ cells: layout.row(object, now), object: embedded(object, include) })),
  };
}

function embedded(object: KubeObject, include: string): Json {
  if (include === 'None') return null;
  if (include === 'Object') return object;
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
