/**
 * The rules of role based access control over the Roles and bindings in the store, as `plugin/pkg/auth/authorizer/rbac` applies
 * them: bindings of the cluster first, then those of the namespace; the first rule that covers the request allows it.
 */
import type { Json, KubeObject } from '../contract.ts';
import type { RehearsalStore } from './store.ts';

/** Somebody who asks: a token's owner, or whom they stand in for. */
export interface Identity {
  name: string;
  groups: readonly string[];
  uid?: string;
  extra?: Readonly<Record<string, readonly string[]>>;
}

export interface PolicyRule {
  verbs: readonly string[];
  apiGroups?: readonly string[];
  resources?: readonly string[];
  resourceNames?: readonly string[];
  nonResourceURLs?: readonly string[];
}

/** What a request wants, as the authorizer sees it: something of a resource, or a path that is none. */
export interface Attributes {
  verb: string;
  namespace?: string;
  group: string;
  resource: string;
  subresource?: string;
  name?: string;
  /** `/version`: then `group` and `resource` are empty. */
  path?: string;
}

export interface Decision {
  allowed: boolean;
  /** Which binding allows it, or which Roles of bindings are missing; empty when there is nothing to say. */
  reason: string;
}

export const RBAC_GROUP = 'rbac.authorization.k8s.io';
/** Whoever is in it is never refused, whatever the Roles say. */
export const MASTERS = 'system:masters';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Namespace and name of `system:serviceaccount:<namespace>:<name>`. */
export function serviceAccountOf(user: string): { namespace: string; name: string } | undefined {
  const found = SERVICE_ACCOUNT.exec(user);
  return found === null ? undefined : { namespace: found[1] as string, name: found[2] as string };
}

export interface Rbac {
  decide(who: Identity, wanted: Attributes): Decision;
  /** Every rule in force for somebody in a namespace (`undefined`: at the scope of the cluster), and what could not be read. */
  rulesOf(who: Identity, namespace: string | undefined): { rules: PolicyRule[]; errors: string[] };
}

export function createRbac(store: RehearsalStore): Rbac {
  /** Calls `visit` with each rule, or with an error, until it returns false. */
  function visitRules(
    who: Identity,
    namespace: string | undefined,
    visit: (rule: PolicyRule | undefined, from: () => string, error: string | undefined) => boolean,
  ): void {
    const lists: [bindings: KubeObject[], namespace: string | undefined][] = [
      [store.each(`clusterrolebindings.${RBAC_GROUP}`), undefined],
    ];
    if (namespace) lists.push([store.each(`rolebindings.${RBAC_GROUP}`, namespace), namespace]);
    for (const [bindings, scope] of lists) {
      for (const binding of bindings) {
        const subject = (binding.subjects ?? []).find((one: Json) => isSubject(one, who, scope));
        if (subject === undefined) continue;
        const { kind, name } = binding.roleRef ?? {};
        const role = store.peek(
          kind === 'Role' ? `roles.${RBAC_GROUP}` : `clusterroles.${RBAC_GROUP}`,
          kind === 'Role' ? scope : undefined,
          name ?? '',
        );
        if (role === undefined) {
          const missing = `${String(kind).toLowerCase()}.${RBAC_GROUP} ${JSON.stringify(name)} not found`;
          if (!visit(undefined, () => '', missing)) return;
          continue;
        }
        for (const rule of role.rules ?? []) {
          if (!visit(rule, () => describe(binding, subject, scope), undefined)) return;
        }
      }
    }
  }

  return {
    decide(who, wanted) {
      if (who.groups.includes(MASTERS)) return { allowed: true, reason: '' };
      const errors: string[] = [];
      let reason: string | undefined;
      visitRules(who, wanted.namespace, (rule, from, error) => {
        if (error !== undefined) errors.push(error);
        else if (covers(rule as PolicyRule, wanted)) {
          reason = `RBAC: allowed by ${from()}`;
          return false;
        }
        return true;
      });
      if (reason !== undefined) return { allowed: true, reason };
      return { allowed: false, reason: errors.length === 0 ? '' : `RBAC: ${aggregate(errors)}` };
    },
    rulesOf(who, namespace) {
      const rules: PolicyRule[] = [];
      const errors: string[] = [];
      visitRules(who, namespace, (rule, _from, error) => {
        if (error === undefined) rules.push(rule as PolicyRule);
        else errors.push(error);
        return true;
      });
      return { rules, errors };
    },
  };
}

/** Go prints one error of several as it is, and more in brackets, each once. */
export function aggregate(errors: readonly string[]): string {
  const unique = [...new Set(errors)];
  return unique.length === 1 ? (unique[0] as string) : `[${unique.join(', ')}]`;
}

function isSubject(subject: Json, who: Identity, namespace: string | undefined): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === who.name;
    case 'Group':
      return who.groups.includes(subject.name);
    case 'ServiceAccount': {
      const account = serviceAccountOf(who.name);
      const wanted = subject.namespace || namespace;
      return account !== undefined && account.name === subject.name && account.namespace === wanted;
    }
    default:
      return false;
  }
}

function describe(binding: KubeObject, subject: Json, namespace: string | undefined): string {
  const place = namespace === undefined ? '' : `/${namespace}`;
  const of = `${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)}`;
  const to =
    subject.kind === 'ServiceAccount'
      ? JSON.stringify(`${subject.name}/${subject.namespace || namespace}`)
      : JSON.stringify(subject.name);
  const kind = namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding';
  return `${kind} ${JSON.stringify(binding.metadata.name + place)} of ${of} to ${subject.kind} ${to}`;
}

const any = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some((one) => one === '*' || one === value) ?? false;

/** Does a rule allow a request? A rule with names covers no request without one, so never a create or a plain list. */
export function covers(rule: PolicyRule, wanted: Attributes): boolean {
  if (!any(rule.verbs, wanted.verb)) return false;
  if (wanted.path !== undefined) return coversPath(rule, wanted.path);
  if (!any(rule.apiGroups, wanted.group)) return false;
  const { subresource, resource } = wanted;
  const combined = subresource === undefined ? resource : `${resource}/${subresource}`;
  const everywhere = subresource === undefined ? undefined : `*/${subresource}`;
  if (!rule.resources?.some((one) => one === '*' || one === combined || one === everywhere)) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || names.includes(wanted.name ?? '');
}

/** A URL of a rule may end with a star. */
function coversPath(rule: PolicyRule, path: string): boolean {
  return (rule.nonResourceURLs ?? []).some(
    (one) => one === '*' || one === path || (one.endsWith('*') && path.startsWith(one.replace(/\*+$/, ''))),
  );
}
