/** Which driver each service uses, as far as its address, its environment and its images tell. No value is kept. */
import type { Workload } from '../kube/workload-types.ts';
import { guessDriver } from '../postgres/drivers.ts';
import type { Driver } from '../postgres/types.ts';

/** Parameters of an address that already turn named prepared statements off. */
const TURNED_OFF: readonly (readonly [string, RegExp])[] = [
  ['prepareThreshold', /^0$/],
  ['prepare_threshold', /^(none|0)$/i],
  ['statement_cache_size', /^0$/],
  ['prepared_statements', /^false$/i],
  ['prepared_statement_cache_size', /^0$/],
  ['pgbouncer', /^true$/i],
  ['default_query_exec_mode', /^(exec|cache_describe|simple_protocol)$/],
];

/** By workload name; workloads whose driver is not told are absent. `prepares: false`: its address turns it off. */
export function driversOf(
  workloads: readonly Workload[],
): ReadonlyMap<string, { readonly driver: Driver; readonly prepares: boolean }> {
  const found = new Map<string, { driver: Driver; prepares: boolean }>();
  for (const workload of workloads) {
    const containers: { name: string; image?: string; env?: { name: string }[] }[] =
      workload.object.spec?.template?.spec?.containers ?? [];
    for (const consumer of workload.consumers) {
      const container = containers.find((one) => one.name === consumer.container);
      const driver = guessDriver({
        url: consumer.form === 'jdbc' ? 'jdbc:postgresql:' : consumer.masked,
        ...(container?.image ? { image: container.image } : {}),
        env: [...(container?.env ?? []).map((one) => one.name), ...(consumer.form === 'dotnet' ? ['DOTNET_'] : [])],
      });
      if (driver === 'unknown') continue;
      const off = TURNED_OFF.some(([name, value]) => value.test(consumer.parameters[name] ?? ''));
      found.set(workload.ref.name, { driver, prepares: !off });
    }
  }
  return found;
}
