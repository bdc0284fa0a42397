/** Keeps the routes of the cluster in step with its Services and pods, here and in every worker. */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { targetPort } from '../controllers/endpoints.ts';
import { isReady } from '../controllers/pod-sets.ts';
import type { ServiceIndex } from '../controllers/service-index.ts';
import { kindOf } from './images.ts';
import type { Route, RouteTable } from './routes.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface RouteBuilderOptions {
  store: ObjectStore;
  index: ServiceIndex;
  routes: RouteTable;
  workers: WorkerPool;
  /** The number under which a pod's container port is really bound. */
  boundPort(pod: KubeObject, port: number): number;
}

export function startRouteBuilder(options: RouteBuilderOptions): () => void {
  const { store, index, routes, workers } = options;
  const known = new Map<string, string>();
  const stop = store.watch(({ resource, type, object, old }) => {
    if (resource === 'services') {
      if (type === 'DELETED') {
        routes.delete(object.metadata.namespace as string, object.metadata.name);
        workers.deleteRoute(object.metadata.namespace as string, object.metadata.name);
        known.delete(`${object.metadata.namespace}/${object.metadata.name}`);
      } else update(object);
    } else if (resource === 'pods')
      for (const service of new Set([...index.selecting(object), ...(old ? index.selecting(old) : [])]))
        update(service);
  });
  for (const service of store.list('services')) update(service);

  function update(service: KubeObject): void {
    const route = build(service);
    const text = JSON.stringify(route);
    const key = `${route.namespace}/${route.name}`;
    if (known.get(key) === text) return;
    known.set(key, text);
    routes.set(route);
    workers.setRoute(route);
  }

  function build(service: KubeObject): Route {
    const namespace = service.metadata.namespace as string;
    const selector = service.spec?.selector;
    const pods = selector && Object.keys(selector).length > 0 ? store.list('pods', namespace, selector) : [];
    const ready = pods.filter((pod) => isReady(pod) && !pod.metadata.deletionTimestamp && pod.status?.podIP);
    const headless = service.spec?.clusterIP === 'None';
    const ports: Route['ports'] = {};
    for (const port of service.spec?.ports ?? ([] as Json[])) {
      for (const pod of ready) {
        const target = targetPort(port, pod);
        if (target === undefined) continue;
        const number = headless ? target : port.port;
        ports[number] ??= [];
        ports[number].push({ host: pod.status.podIP, port: options.boundPort(pod, target) });
      }
      ports[port.port] ??= [];
    }
    const pooler =
      pods.length > 0
        ? pods.some((pod) => (pod.spec?.containers ?? []).some((container: Json) => kindOf(container) === 'pgbouncer'))
        : /pgbouncer|pooler/.test(service.metadata.name);
    return {
      namespace,
      name: service.metadata.name,
      ...(service.spec?.clusterIP && !headless ? { clusterIP: service.spec.clusterIP } : {}),
      ports,
      pooler,
    };
  }

  return stop;
}
