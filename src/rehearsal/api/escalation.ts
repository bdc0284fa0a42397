/**
 * Nobody grants what they haven't: a Role may hold only what its author holds, and a binding only what its author holds or may
 * `bind` (`pkg/registry/rbac/validation` and the policy-based storages of roles and bindings).
 */
import type { Json, KubeObject } from '../contract.ts';
import type { Access } from './access.ts';
import type { ResourceDefinition } from './catalogue.ts';
import { forbidden, notFound } from './errors.ts';
import { covers, type Identity, MASTERS, type PolicyRule, RBAC_GROUP } from './rbac.ts';
import { same } from './registry/canonical.ts';
import type { RehearsalStore } from './store.ts';

/** One thing of a rule: a verb on a resource (maybe one by name), or a verb on a path. */
interface Right {
  verb: string;
  group?: string;
  resource?: string;
  name?: string;
  path?: string;
}

/** Throws 403 when `object`, about to be written over `before`, would give away more than `who` holds. */
export function refuseEscalation(
  context: { access: Access; store: RehearsalStore; definitionOf: (resource: string) => ResourceDefinition },
  definition: ResourceDefinition,
  who: Identity,
  object: KubeObject,
  before: KubeObject | undefined,
): void {
  if (definition.group !== RBAC_GROUP || who.groups.includes(MASTERS)) return;
  const { access, store } = context;
  const { namespace, name } = object.metadata;
  const may = (verb: string, resource: string, about: string): boolean =>
    access.decide(who, {
      verb,
      group: RBAC_GROUP,
      resource,
      name: about,
      ...(namespace === undefined ? {} : { namespace }),
    }).allowed;
  if (definition.plural === 'roles' || definition.plural === 'clusterroles') {
    if (before !== undefined && same(before.rules, object.rules)) return;
    if (may('escalate', definition.plural, name)) return;
    refuse(definition, object, who, missing(access.heldRules(who, namespace), object.rules ?? []));
    return;
  }
  const { roleRef } = object;
  if (before !== undefined && same(before.roleRef, roleRef) && same(before.subjects, object.subjects)) return;
  const plural = roleRef?.kind === 'Role' ? 'roles' : 'clusterroles';
  if (may('bind', plural, roleRef?.name ?? '')) return;
  const role = store.peek(`${plural}.${RBAC_GROUP}`, plural === 'roles' ? namespace : undefined, roleRef?.name ?? '');
  if (role === undefined) throw notFound(context.definitionOf(`${plural}.${RBAC_GROUP}`), roleRef?.name ?? '');
  refuse(definition, object, who, missing(access.heldRules(who, namespace), role.rules ?? []));
}

function refuse(definition: ResourceDefinition, object: KubeObject, who: Identity, rights: Right[]): void {
  if (rights.length === 0) return;
  const list = quoted(who.groups);
  throw forbidden(
    definition,
    object.metadata.name,
    `user ${JSON.stringify(who.name)} (groups=${list}) is attempting to grant RBAC permissions not currently held:\n${describe(rights).join('\n')}`,
  );
}

/** What of `wanted` no rule of `held` covers. */
function missing(held: readonly PolicyRule[], wanted: readonly Json[]): Right[] {
  return wanted.flatMap(rightsOf).filter((right) => !held.some((rule) => grants(rule, right)));
}

function rightsOf(rule: PolicyRule): Right[] {
  const rights: Right[] = [];
  for (const verb of rule.verbs ?? []) {
    for (const path of rule.nonResourceURLs ?? []) rights.push({ verb, path });
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        if ((rule.resourceNames ?? []).length === 0) rights.push({ verb, group, resource });
        for (const name of rule.resourceNames ?? []) rights.push({ verb, group, resource, name });
      }
    }
  }
  return rights;
}

/** A rule covers a right as it covers a request, but `*` is covered by `*` alone. */
function grants(rule: PolicyRule, { verb, group = '', resource = '', name, path }: Right): boolean {
  if (path !== undefined) return covers(rule, { verb, group: '', resource: '', path });
  const [plural = '', subresource] = resource.split('/');
  const wildcard = plural === '*' && subresource !== undefined;
  if (wildcard && !(rule.resources ?? []).some((one) => one === '*' || one === resource)) return false;
  return covers(rule, {
    verb,
    group,
    resource: plural,
    ...(subresource === undefined ? {} : { subresource }),
    ...(name === undefined ? {} : { name }),
  });
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, one line for what differs in verbs alone. */
function describe(rights: Right[]): string[] {
  const verbs = new Map<string, string[]>();
  for (const { verb, group, resource, name, path } of rights) {
    const parts =
      path === undefined
        ? [`APIGroups:${quoted([group ?? ''])}`, `Resources:${quoted([resource ?? ''])}`]
        : [`NonResourceURLs:${quoted([path])}`];
    if (name !== undefined) parts.push(`ResourceNames:${quoted([name])}`);
    const key = parts.join(', ');
    verbs.set(key, [...(verbs.get(key) ?? []), verb]);
  }
  return [...verbs].map(([key, list]) => `{${key}, Verbs:${quoted(list)}}`).sort();
}

/** As Go prints a list with `%q`. */
function quoted(list: readonly string[]): string {
  return `[${list.map((one) => JSON.stringify(one)).join(' ')}]`;
}
