/** What only a rehearsal cluster answers: `/rehearsal/v1/load`, the count of the clients' queries and failures. */
import { fail, ok, type Result } from '../engine/result.ts';
import type { KubeOptions } from '../engine/run/options.ts';
import type { LoadReport } from '../rehearsal/cluster.ts';
import { withTransport } from './connection.ts';

/** The load so far. `not-found` on a cluster that is no rehearsal. */
export async function fetchLoad(kube: KubeOptions): Promise<Result<LoadReport>> {
  return withTransport(kube, async (transport) => {
    const answer = await transport.json({
      method: 'GET',
      path: '/rehearsal/v1/load',
      what: 'read the load of the rehearsal',
      kind: 'GET load',
      timeoutMs: 5_000,
      maxTries: 2,
      ...(kube.signal ? { signal: kube.signal } : {}),
    });
    return answer.ok ? ok(answer.value as LoadReport) : answer;
  });
}

/** Refuses a cluster that is no rehearsal: on a real one time passes as it does. */
export async function requireRehearsal(kube: KubeOptions): Promise<Result<void>> {
  const load = await fetchLoad(kube);
  if (load.ok) return ok(undefined);
  if (load.error.code !== 'not-found' && load.error.code !== 'not-authorised') return load;
  return fail('usage', '--time-scale is for a rehearsal cluster, and this one is real.', {
    next: ['Leave --time-scale out.'],
  });
}

/** One line for people. */
export function loadLine(load: LoadReport): string {
  const { queries, failed } = load.totals;
  const worst = Object.entries(load.services).filter(([, service]) => service.failed > 0);
  const names = worst.map(([name, service]) => `${name} ${service.failed}`).join(', ');
  return `load: ${queries} queries of ${Object.keys(load.services).length} services, ${failed} failed${names ? ` (${names})` : ''}`;
}
