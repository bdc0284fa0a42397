/** The quota controller: what of each quota is used (pkg/controller/resourcequota). */
import { usedOf } from '../api/registry/quota.ts';
import type { Json, ObjectStore } from '../contract.ts';
import { createWorkQueue } from './queue.ts';

const QUOTAS = 'resourcequotas';

export function startResourceQuotaController(
  store: ObjectStore,
  report: (key: string, error: unknown) => void,
): () => void {
  const queue = createWorkQueue((key) => sync(key), report);
  const stop = store.watch(({ resource, object }) => {
    const { namespace, name } = object.metadata;
    if (resource === QUOTAS) queue.add(`${namespace}/${name}`);
    else if (resource !== 'events' && namespace !== undefined)
      for (const quota of store.list(QUOTAS, namespace)) queue.add(`${namespace}/${quota.metadata.name}`);
  });
  for (const quota of store.list(QUOTAS)) queue.add(`${quota.metadata.namespace}/${quota.metadata.name}`);

  function sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const quota = store.get(QUOTAS, namespace, name);
    if (!quota || quota.metadata.deletionTimestamp) return;
    const hard: Record<string, string> = quota.spec?.hard ?? {};
    const used: Json = Object.fromEntries(
      Object.keys(hard).map((resource) => [resource, usedOf(resource, (of) => store.list(of, namespace))]),
    );
    const status = { hard, used };
    if (JSON.stringify(status) !== JSON.stringify(quota.status ?? {}))
      store.updateStatus(QUOTAS, { ...quota, status }, { manager: 'kube-controller-manager' });
  }

  return () => {
    stop();
    queue.close();
  };
}
