/** Discovery on a cluster that answers some of its lists only: nobody may be called no consumer because of that. */
import { expect, test } from 'vitest';
import { fail, ok } from '../result.ts';
import { discoverConsumers, targetSeenFrom } from './discover.ts';
import { discoveryTarget } from './target.ts';
import type { Kube, KubeObject, ListRef } from './types.ts';

const workload = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'auth', namespace: 'nova', uid: 'u1', generation: 1 },
  spec: {
    template: {
      spec: { containers: [{ name: 'app', env: [{ name: 'URL', value: 'postgres://u@pg-twin:5432/nova' }] }] },
    },
  },
} as unknown as KubeObject;
const service = (name: string) => ({
  metadata: { name, namespace: 'nova' },
  spec: { selector: { app: 'pg' }, ports: [{ port: 5432 }] },
});

/** A namespace whose list of one kind is answered with an error. */
function clusterWithout(plural: string, code: 'api-unavailable' | 'not-authorised' | 'not-found'): Kube {
  const refused = (ref: ListRef) => ref.plural === plural;
  const itemsOf = ({ plural: kind }: ListRef) =>
    kind === 'deployments' ? [workload] : kind === 'services' ? [service('postgres'), service('pg-twin')] : [];
  return {
    list: async (ref: ListRef) =>
      refused(ref) ? fail(code, `${plural}: ${code}`) : ok({ items: itemsOf(ref), resourceVersion: '1' }),
    listPages: async (ref: ListRef, page: (items: unknown[]) => void) => {
      page(itemsOf(ref));
      return ok({ resourceVersion: '1' });
    },
  } as unknown as Kube;
}
const options = { namespace: 'nova', target: discoveryTarget('postgres', 5432) };

test('a workload that uses another Service of the same pods is a consumer', async () => {
  const found = await discoverConsumers(clusterWithout('nothing', 'not-found'), options);
  expect(found.ok && found.value.workloads.map((one) => one.id)).toEqual(['deployment/auth']);
});

test.each(['services', 'endpointslices', 'horizontalpodautoscalers', 'resourcequotas'])(
  'a list of %s that fails is an error, and not an empty list',
  async (plural) => {
    const kube = clusterWithout(plural, 'api-unavailable');
    expect(await discoverConsumers(kube, options)).toMatchObject({ ok: false, error: { code: 'api-unavailable' } });
    expect(await targetSeenFrom(kube, options)).toMatchObject({ ok: false, error: { code: 'api-unavailable' } });
  },
);

test('one that may not be read is told', async () => {
  const found = await discoverConsumers(clusterWithout('services', 'not-authorised'), options);
  expect(found.ok && found.value.unexplained).toEqual([{ workload: 'services', reason: 'cannot be listed (403)' }]);
});
