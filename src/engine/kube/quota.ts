/** Room for one more pod: what a rollout with a surge takes beside the pods that run, against the quotas of the namespace. */
import { sanitiseLine } from '../sanitise.ts';
import type { Json } from './types.ts';

const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  ...{ k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** `500m`, `1Gi`, `2e3` as a number (cores, bytes); undefined for what is no quantity. */
export function quantityOf(text: unknown): number | undefined {
  const found = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(m|k|[MGTPE]i?|Ki)?$/.exec(String(text));
  return found ? Number(found[1]) * FACTORS[found[2] ?? '']! : undefined;
}

/** What one pod of this template takes of each resource that a quota may limit. Amounts that it does not say are not known here. */
function takenBy(pod: Json): ReadonlyMap<string, number> {
  const taken = new Map<string, number>([
    ['pods', 1],
    ['count/pods', 1],
  ]);
  const add = (name: string, amount: number) => taken.set(name, (taken.get(name) ?? 0) + amount);
  // Side-cars run beside the containers all the time; other init containers run before them.
  const lasting = ((pod.initContainers ?? []) as Json[]).filter((one) => one.restartPolicy === 'Always');
  for (const container of [...(pod.containers ?? []), ...lasting] as Json[]) {
    for (const side of ['requests', 'limits'] as const) {
      // A limit without a request is a request of as much.
      const amounts = { ...(side === 'requests' ? container.resources?.limits : {}), ...container.resources?.[side] };
      for (const [name, amount] of Object.entries(amounts)) {
        const value = quantityOf(amount);
        if (value === undefined) continue;
        add(`${side}.${name}`, value);
        if (side === 'requests' && (name === 'cpu' || name === 'memory')) add(name, value);
      }
    }
  }
  return taken;
}

/** Why a quota has no room for one more pod of this template; one sentence for each resource. Quotas with scopes are left out. */
export function withoutRoom(pod: Json, quotas: readonly Json[]): string[] {
  const taken = takenBy(pod);
  const found: string[] = [];
  for (const quota of quotas) {
    // Which pods it counts depends on what is not known here (priority, deadlines).
    if (quota.spec?.scopes?.length || quota.spec?.scopeSelector) continue;
    const { hard = {}, used = {} } = (quota.status ?? {}) as { hard?: Json; used?: Json };
    for (const [name, limit] of Object.entries(hard)) {
      const more = taken.get(name);
      const most = quantityOf(limit);
      const now = quantityOf(used[name] ?? '0');
      if (more === undefined || most === undefined || now === undefined) continue;
      // Sums of binary fractions: a hair above the limit is none.
      if (now + more <= most * (1 + 1e-9)) continue;
      const text = `ResourceQuota ${quota.metadata.name} has no room for one more pod (${name}: ${used[name] ?? 0} of ${limit} used)`;
      found.push(`${sanitiseLine(text, 300)}.`);
    }
  }
  return found;
}
