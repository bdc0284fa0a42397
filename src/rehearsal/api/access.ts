/** Who may do what: bearer tokens, and the rules of RBAC over the Roles and bindings in the store. */
import type { IncomingMessage } from 'node:http';
import type { Json } from '../contract.ts';
import { failure, qualified } from './errors.ts';
import type { RehearsalStore } from './store.ts';

export interface RehearsalUser {
  name: string;
  token: string;
  groups?: readonly string[];
  /** May do everything (`cluster-admin`). */
  admin?: boolean;
  /** Rights beside those of the Roles in the store; a rule without `namespace` holds everywhere. */
  rules?: readonly AccessRule[];
}

export interface AccessRule {
  namespace?: string;
  verbs: readonly string[];
  apiGroups?: readonly string[];
  resources?: readonly string[];
  resourceNames?: readonly string[];
  nonResourceURLs?: readonly string[];
}

/** What a request wants, as the authorizer sees it. */
export interface Attributes {
  verb: string;
  namespace?: string;
  group: string;
  resource: string;
  subresource?: string;
  name?: string;
}

export interface Access {
  /** The user of the request; throws 401 for a missing or unknown token. */
  authenticate(request: IncomingMessage): RehearsalUser;
  allowed(user: RehearsalUser, attributes: Attributes): boolean;
  /** Throws the 403 of the real server unless allowed. */
  authorize(user: RehearsalUser, attributes: Attributes): void;
  /** Rules in force for the user in a namespace, in the form of a SelfSubjectRulesReview. */
  rules(user: RehearsalUser, namespace: string): Json;
  /** Makes a token unknown, or known again: expiry on demand. */
  revoke(token: string): void;
  restore(token: string): void;
}

export function createAccess(users: readonly RehearsalUser[], store: RehearsalStore): Access {
  const byToken = new Map(users.map((user) => [user.token, user]));
  const revoked = new Set<string>();

  function rulesOf(user: RehearsalUser, namespace: string | undefined): AccessRule[] {
    const rules: AccessRule[] = (user.rules ?? []).filter(
      (rule) => rule.namespace === undefined || rule.namespace === namespace,
    );
    const subject = (one: Json): boolean =>
      (one.kind === 'User' && one.name === user.name) ||
      (one.kind === 'Group' && (user.groups ?? []).includes(one.name)) ||
      (one.kind === 'ServiceAccount' && user.name === `system:serviceaccount:${one.namespace}:${one.name}`);
    const add = (binding: Json, roleNamespace: string | undefined): void => {
      if (!(binding.subjects ?? []).some(subject)) return;
      const resource =
        binding.roleRef?.kind === 'Role' ? 'roles.rbac.authorization.k8s.io' : 'clusterroles.rbac.authorization.k8s.io';
      const role = store.peek(resource, roleNamespace, binding.roleRef?.name ?? '');
      rules.push(...((role?.rules ?? []) as AccessRule[]));
    };
    for (const binding of store.each('clusterrolebindings.rbac.authorization.k8s.io')) add(binding, undefined);
    if (namespace !== undefined && namespace !== '') {
      for (const binding of store.each('rolebindings.rbac.authorization.k8s.io', namespace)) add(binding, namespace);
    }
    return rules;
  }

  function allowed(user: RehearsalUser, wanted: Attributes): boolean {
    if (user.admin) return true;
    const resource = wanted.subresource === undefined ? wanted.resource : `${wanted.resource}/${wanted.subresource}`;
    return rulesOf(user, wanted.namespace).some((rule) => {
      const covers = (list: readonly string[] | undefined, value: string): boolean =>
        list !== undefined && (list.includes('*') || list.includes(value));
      if (!covers(rule.verbs, wanted.verb) || !covers(rule.apiGroups, wanted.group)) return false;
      const any = wanted.subresource !== undefined && (rule.resources ?? []).includes(`*/${wanted.subresource}`);
      if (!covers(rule.resources, resource) && !any) return false;
      const names = rule.resourceNames ?? [];
      return names.length === 0 || (wanted.name !== undefined && names.includes(wanted.name));
    });
  }

  return {
    authenticate(request) {
      const header = request.headers.authorization ?? '';
      const token = /^Bearer\s+(.+)$/i.exec(header)?.[1]?.trim() ?? protocolToken(request);
      const user = token === undefined || revoked.has(token) ? undefined : byToken.get(token);
      if (user === undefined) throw failure(401, 'Unauthorized', 'Unauthorized');
      return user;
    },
    allowed,
    authorize(user, wanted) {
      if (!allowed(user, wanted)) throw refusal(user, wanted);
    },
    rules(user, namespace) {
      // The rules every authenticated user has from the start: system:basic-user, system:discovery and their like.
      const basic = [
        {
          verbs: ['create'],
          apiGroups: ['authorization.k8s.io'],
          resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
        },
        { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
      ];
      const health = ['/healthz', '/livez', '/readyz', '/version', '/version/'];
      const discovery = ['/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*'];
      const open = [
        { verbs: ['get'], nonResourceURLs: [...discovery, '/readyz', '/version', '/version/'] },
        { verbs: ['get'], nonResourceURLs: health },
        { verbs: ['get'], nonResourceURLs: ['/.well-known', '/.well-known/*'] },
      ];
      if (user.admin) {
        return {
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, ...basic],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }, ...open],
          incomplete: false,
        };
      }
      const own = rulesOf(user, namespace).map(({ namespace: _namespace, ...rule }) => rule);
      return {
        resourceRules: [...own.filter((rule) => rule.resources !== undefined), ...basic],
        nonResourceRules: [...own.filter((rule) => rule.nonResourceURLs !== undefined), ...open],
        incomplete: false,
      };
    },
    revoke: (token) => revoked.add(token),
    restore: (token) => revoked.delete(token),
  };
}

/** Browsers can't set headers on a WebSocket: they send the token as a subprotocol. */
function protocolToken(request: IncomingMessage): string | undefined {
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
  const prefix = 'base64url.bearer.authorization.k8s.io.';
  const found = offered.find((one) => one.startsWith(prefix));
  return found === undefined ? undefined : Buffer.from(found.slice(prefix.length), 'base64url').toString();
}

function refusal(user: RehearsalUser, wanted: Attributes): Error {
  const resource = wanted.subresource === undefined ? wanted.resource : `${wanted.resource}/${wanted.subresource}`;
  const scope =
    wanted.namespace === undefined || wanted.namespace === ''
      ? ' at the cluster scope'
      : ` in the namespace "${wanted.namespace}"`;
  const message = `User "${user.name}" cannot ${wanted.verb} resource "${resource}" in API group "${wanted.group}"${scope}`;
  const subject = qualified(wanted.resource, wanted.group);
  const details: Json = {};
  if (wanted.name !== undefined) details.name = wanted.name;
  if (wanted.group !== '') details.group = wanted.group;
  details.kind = wanted.resource;
  return failure(
    403,
    'Forbidden',
    `${subject}${wanted.name === undefined ? '' : ` "${wanted.name}"`} is forbidden: ${message}`,
    details,
  );
}
