/** Permissions as Roles: one a namespace, with the fewest rules that say exactly what is needed. */
import type { Need } from './option-types.ts';
import type { Json, KubeObject } from './types.ts';

const RBAC = 'rbac.authorization.k8s.io';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** A Role with exactly these rules for each namespace, and a RoleBinding when `user` is given. */
export function renderRbac(needs: readonly Need[], options: { name?: string; user?: string } = {}): KubeObject[] {
  const { name = 'pgb-wizard', user } = options;
  const objects: KubeObject[] = [];
  for (const namespace of [...new Set(needs.map((n) => n.namespace))]) {
    const mine = needs.filter((n) => n.namespace === namespace);
    objects.push({ apiVersion: `${RBAC}/v1`, kind: 'Role', metadata: { name, namespace }, rules: rulesOf(mine) });
    if (user === undefined) continue;
    objects.push({
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata: { name, namespace },
      roleRef: { apiGroup: RBAC, kind: 'Role', name },
      subjects: [subjectOf(user)],
    });
  }
  return objects;
}

function subjectOf(user: string): Json {
  const account = SERVICE_ACCOUNT.exec(user);
  return account
    ? { kind: 'ServiceAccount', name: account[2], namespace: account[1] }
    : { apiGroup: RBAC, kind: 'User', name: user };
}

/** Merges needs: same resource and names → one rule with all verbs; same verbs and no names → one rule with all resources. */
function rulesOf(needs: readonly Need[]): Json[] {
  const verbs = new Map<string, { group: string; resource: string; name: string | undefined; verbs: Set<string> }>();
  for (const need of needs) {
    const resource = need.subresource ? `${need.resource}/${need.subresource}` : need.resource;
    const key = JSON.stringify([need.group, resource, need.name ?? null]);
    const held = verbs.get(key) ?? { group: need.group, resource, name: need.name, verbs: new Set() };
    held.verbs.add(need.verb);
    verbs.set(key, held);
  }
  const rules = new Map<
    string,
    { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }
  >();
  for (const { group, resource, name, verbs: set } of verbs.values()) {
    const list = [...set].sort();
    const key = JSON.stringify(name === undefined ? [group, list] : [group, resource, list]);
    const rule = rules.get(key) ?? {
      apiGroups: [group],
      resources: [],
      ...(name === undefined ? {} : { resourceNames: [] }),
      verbs: list,
    };
    if (!rule.resources.includes(resource)) rule.resources.push(resource);
    if (name !== undefined) rule.resourceNames!.push(name);
    rules.set(key, rule);
  }
  return [...rules.values()];
}
