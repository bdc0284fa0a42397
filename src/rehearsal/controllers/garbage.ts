/** Garbage collection: when an owner is gone its dependents go too (background propagation). */
import type { ObjectStore } from '../contract.ts';

const DEPENDENTS = ['replicasets.apps', 'pods', 'jobs.batch', 'controllerrevisions.apps', 'endpointslices.discovery.k8s.io'];
const OWNERS = new Set(['deployments.apps', 'replicasets.apps', 'statefulsets.apps', 'daemonsets.apps', 'jobs.batch', 'cronjobs.batch', 'services']);

export function startGarbageCollector(store: ObjectStore, report: (key: string, error: unknown) => void): () => void {
  let closed = false;
  const stop = store.watch((event) => {
    if (event.type !== 'DELETED' || !OWNERS.has(event.resource)) return;
    const { uid, namespace } = event.object.metadata;
    setImmediate(() => {
      if (closed) return;
      for (const resource of DEPENDENTS)
        for (const object of store.list(resource, namespace)) {
          if (object.metadata.deletionTimestamp || !object.metadata.ownerReferences?.some((owner) => owner.uid === uid)) continue;
          try {
            store.delete(resource, namespace, object.metadata.name, { uid: object.metadata.uid });
          } catch (error) {
            if ((error as { code?: number }).code !== 404) report(`${namespace}/${object.metadata.name}`, error);
          }
        }
    });
  });
  return () => {
    closed = true;
    stop();
  };
}
