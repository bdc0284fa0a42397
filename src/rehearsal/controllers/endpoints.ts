/** Endpoints and EndpointSlices: for each Service with a selector, the addresses of its ready pods that are not leaving. */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { isReady } from './pod-sets.ts';
import { createWorkQueue } from './queue.ts';
import type { ServiceIndex } from './service-index.ts';

const MANAGER = { manager: 'kube-controller-manager' };
const SLICES = 'endpointslices.discovery.k8s.io';

export const selects = (selector: Record<string, string> | undefined, pod: KubeObject): boolean =>
  selector !== undefined &&
  Object.keys(selector).length > 0 &&
  Object.entries(selector).every(([key, value]) => pod.metadata.labels?.[key] === value);

/** A Service port's number inside one pod: a number, or the name of a container's port. */
export function targetPort(port: Json, pod: KubeObject): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  for (const container of pod.spec?.containers ?? [])
    for (const item of container.ports ?? []) if (item.name === target) return item.containerPort;
  return /^\d+$/.test(target) ? Number(target) : undefined;
}

export function startEndpointsController(
  store: ObjectStore,
  index: ServiceIndex,
  report: (key: string, error: unknown) => void,
): () => void {
  const queue = createWorkQueue((key) => sync(key), report);
  const stop = store.watch(({ resource, object, old }) => {
    if (resource === 'services') queue.add(`${object.metadata.namespace}/${object.metadata.name}`);
    else if (resource === 'pods') {
      for (const service of [...index.selecting(object), ...(old ? index.selecting(old) : [])])
        queue.add(`${service.metadata.namespace}/${service.metadata.name}`);
    }
  });
  for (const service of store.list('services')) queue.add(`${service.metadata.namespace}/${service.metadata.name}`);

  function sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const service = store.get('services', namespace, name);
    if (!service) {
      for (const [resource, id] of [
        ['endpoints', name],
        [SLICES, `${name}-slice`],
      ] as const)
        if (store.get(resource, namespace, id)) store.delete(resource, namespace, id);
      return;
    }
    if (!service.spec?.selector) return;
    const pods = store
      .list('pods', namespace, service.spec.selector)
      .filter((pod) => pod.status?.podIP && !['Succeeded', 'Failed'].includes(pod.status.phase));
    const live = pods.filter((pod) => !pod.metadata.deletionTimestamp);
    const address = (pod: KubeObject) => ({
      ip: pod.status.podIP,
      nodeName: pod.spec.nodeName,
      targetRef: { kind: 'Pod', namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    });
    const ready = live.filter(isReady).map(address);
    const notReady = live.filter((pod) => !isReady(pod)).map(address);
    const ports = (service.spec.ports ?? []).map((port: Json) => ({
      ...(port.name ? { name: port.name } : {}),
      port: pods[0] ? (targetPort(port, pods[0]) ?? port.port) : port.port,
      protocol: port.protocol ?? 'TCP',
    }));
    const subset = {
      ...(ready.length ? { addresses: ready } : {}),
      ...(notReady.length ? { notReadyAddresses: notReady } : {}),
      ports,
    };
    write(
      'endpoints',
      namespace,
      name,
      { apiVersion: 'v1', kind: 'Endpoints', subsets: ready.length + notReady.length > 0 ? [subset] : [] },
      service.metadata.labels,
    );
    write(
      SLICES,
      namespace,
      `${name}-slice`,
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        addressType: 'IPv4',
        endpoints: pods.map((pod) => {
          const { ip, nodeName, targetRef } = address(pod);
          const serving = isReady(pod);
          const terminating = Boolean(pod.metadata.deletionTimestamp);
          return {
            addresses: [ip],
            conditions: { ready: serving && !terminating, serving, terminating },
            targetRef,
            nodeName,
          };
        }),
        ports: ports.map((port: Json) => ({ name: port.name ?? '', port: port.port, protocol: port.protocol })),
      },
      {
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        'kubernetes.io/service-name': name,
      },
      service,
    );
  }

  function write(
    resource: string,
    namespace: string,
    name: string,
    body: Json,
    labels?: Record<string, string>,
    owner?: KubeObject,
  ): void {
    const existing = store.get(resource, namespace, name);
    if (existing) {
      store.update(resource, { ...existing, ...body }, MANAGER);
      return;
    }
    const ownerReferences = owner
      ? [
          {
            apiVersion: 'v1',
            kind: 'Service',
            name: owner.metadata.name,
            uid: owner.metadata.uid as string,
            controller: true,
            blockOwnerDeletion: true,
          },
        ]
      : undefined;
    store.create(
      resource,
      {
        ...body,
        metadata: { name, namespace, ...(labels ? { labels } : {}), ...(ownerReferences ? { ownerReferences } : {}) },
      },
      MANAGER,
    );
  }

  return () => {
    stop();
    queue.close();
  };
}
