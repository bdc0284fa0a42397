/** ResourceQuota admission: the counts and amounts a namespace may still use. */
import type { Json, KubeObject } from '../../contract.ts';
import { definitions, type ResourceDefinition } from '../catalogue.ts';
import { quantity } from './quantity.ts';

const COUNTED: Record<string, string> = {
  pods: 'pods',
  services: 'services',
  secrets: 'secrets',
  configmaps: 'configmaps',
  persistentvolumeclaims: 'persistentvolumeclaims',
};

/** What an object takes of each named resource. */
function usage(definition: ResourceDefinition, object: KubeObject): Map<string, number> {
  const used = new Map<string, number>([[`count/${definition.resource}`, 1]]);
  const counted = COUNTED[definition.resource];
  if (counted !== undefined) used.set(counted, 1);
  if (definition.resource !== 'pods') return used;
  if (object.status?.phase === 'Succeeded' || object.status?.phase === 'Failed') return new Map();
  for (const container of object.spec?.containers ?? []) {
    for (const side of ['requests', 'limits']) {
      for (const [name, amount] of Object.entries(container.resources?.[side] ?? {}) as [string, string][]) {
        const names = side === 'requests' ? [`requests.${name}`, name] : [`limits.${name}`];
        for (const one of names) used.set(one, (used.get(one) ?? 0) + quantity(amount));
      }
    }
  }
  return used;
}

/** Resources of a quota that every container has to say an amount of. */
const COMPUTE = /^(?:(requests|limits)\.)?(cpu|memory)$/;

/** A pod in a namespace with a quota for CPU or memory has to say what it takes (plugin/pkg/admission/resourcequota). */
function unspecified(quota: Json, pod: KubeObject): string | undefined {
  const missing = Object.keys(quota.spec?.hard ?? {})
    .sort()
    .flatMap((name) => {
      const [, side = 'requests', resource = ''] = COMPUTE.exec(name) ?? [];
      if (resource === '') return [];
      const silent = (pod.spec?.containers ?? []).filter(
        (one: Json) => one.resources?.[side]?.[resource] === undefined,
      );
      return silent.length === 0 ? [] : [`${name} for: ${silent.map((one: Json) => one.name).join(',')}`];
    });
  return missing.length === 0 ? undefined : `failed quota: ${quota.metadata.name}: must specify ${missing.join('; ')}`;
}

/** How much of a named resource (`pods`, `limits.memory`, `count/secrets`) the objects of a namespace use. */
export function usedOf(name: string, each: (resource: string) => readonly KubeObject[]): string {
  const resource = name.startsWith('count/') ? name.slice('count/'.length) : (COUNTED[name] ?? 'pods');
  const definition = definitions().find((one) => one.resource === resource);
  if (definition === undefined) return '0';
  return String(each(resource).reduce((sum, one) => sum + (usage(definition, one).get(name) ?? 0), 0));
}

/** The sentence of the refusal, or `undefined` when the object fits every quota of its namespace. */
export function exceededQuota(
  definition: ResourceDefinition,
  object: KubeObject,
  each: (resource: string) => Json[],
): string | undefined {
  if (!definition.namespaced || definition.resource === 'resourcequotas') return undefined;
  const quotas = each('resourcequotas');
  if (quotas.length === 0) return undefined;
  const requested = usage(definition, object);
  for (const quota of quotas) {
    const silent = definition.resource === 'pods' ? unspecified(quota, object) : undefined;
    if (silent !== undefined) return silent;
    const over: { name: string; asked: number; used: number; hard: string }[] = [];
    for (const [name, hard] of Object.entries(quota.spec?.hard ?? {}) as [string, string][]) {
      const asked = requested.get(name);
      if (asked === undefined) continue;
      const used = each(definition.resource).reduce((sum, one) => sum + (usage(definition, one).get(name) ?? 0), 0);
      if (used + asked > quantity(hard)) over.push({ name, asked, used, hard });
    }
    if (over.length === 0) continue;
    const list = (pick: (one: (typeof over)[number]) => string): string =>
      over.map((one) => `${one.name}=${pick(one)}`).join(',');
    return `exceeded quota: ${quota.metadata.name}, requested: ${list((one) => String(one.asked))}, used: ${list((one) => String(one.used))}, limited: ${list((one) => one.hard)}`;
  }
  return undefined;
}
