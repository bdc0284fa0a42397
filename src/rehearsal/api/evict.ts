/** `pods/eviction`: a deletion that asks the disruption budgets first. */
import type { Json } from '../contract.ts';
import { definitionOf } from './catalogue.ts';
import { failure, notFound } from './errors.ts';
import { type ApiRequest, type Reply, readObject } from './request.ts';
import { matchesSelector } from './selectors.ts';
import type { RehearsalStore } from './store.ts';

export function evict(store: RehearsalStore, request: ApiRequest, namespace: string, name: string): Reply {
  const pod = store.peek('pods', namespace, name);
  if (pod === undefined) throw notFound(definitionOf('pods'), name);
  const eviction = request.body.length === 0 ? {} : readObject(request, 'Eviction');
  const budgets = store
    .each('poddisruptionbudgets.policy', namespace)
    .filter((budget) => matchesSelector(budget.spec?.selector, pod.metadata.labels));
  for (const budget of budgets) {
    if ((budget.status?.disruptionsAllowed ?? 0) > 0) continue;
    throw failure(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
      causes: [
        {
          reason: 'DisruptionBudget',
          message: `The disruption budget ${budget.metadata.name} needs ${budget.status?.desiredHealthy ?? 0} healthy pods and has ${budget.status?.currentHealthy ?? 0} currently`,
        },
      ],
    } satisfies Json);
  }
  store.delete('pods', namespace, name, eviction.deleteOptions ?? {});
  return { code: 201, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } };
}
