/** Who a request comes from and what it may do: bearer tokens, impersonation, and RBAC (rbac.ts). */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Json } from '../contract.ts';
import { failure, qualified } from './errors.ts';
import { impersonated, serviceAccountGroups } from './impersonation.ts';
import { type Attributes, createRbac, type Decision, type Identity, MASTERS, type PolicyRule } from './rbac.ts';
import type { RehearsalStore } from './store.ts';

export interface RehearsalUser {
  name: string;
  token: string;
  groups?: readonly string[];
  /** May do everything: in `system:masters`. */
  admin?: boolean;
}

export interface JudgedRequest {
  readonly who: Identity;
  readonly wanted: Attributes;
  readonly allowed: boolean;
}

export interface Access {
  /** Who the request is to be carried out as; throws 401 for a missing or unknown token, 403 for a refused impersonation. */
  authenticate(request: IncomingMessage): Identity;
  decide(who: Identity, wanted: Attributes): Decision;
  /** Throws the 403 of the real server unless allowed. */
  authorize(who: Identity, wanted: Attributes): void;
  /** Rules in force for somebody in a namespace, in the form of a SelfSubjectRulesReview. */
  rules(who: Identity, namespace: string): Json;
  /** The rules themselves, for the check that nobody grants what they haven't. */
  heldRules(who: Identity, namespace: string | undefined): PolicyRule[];
  /** A new token for a ServiceAccount. */
  issueToken(namespace: string, name: string): string;
  /** Told of every request that was judged (reviews are none). Returns the unsubscribe function. */
  observe(listener: (judged: JudgedRequest) => void): () => void;
  /** Makes a token unknown, or known again: expiry on demand. */
  revoke(token: string): void;
  restore(token: string): void;
}

export function createAccess(users: readonly RehearsalUser[], store: RehearsalStore): Access {
  const byToken = new Map(users.map((user) => [user.token, identityOf(user)]));
  const revoked = new Set<string>();
  const rbac = createRbac(store);
  const observers = new Set<(judged: JudgedRequest) => void>();

  function authorize(who: Identity, wanted: Attributes): void {
    const decision = rbac.decide(who, wanted);
    for (const observer of observers) observer({ who, wanted, allowed: decision.allowed });
    if (!decision.allowed) throw refusal(who, wanted, decision.reason);
  }

  return {
    authenticate(request) {
      const header = request.headers.authorization ?? '';
      const token = /^Bearer\s+(.+)$/i.exec(header)?.[1]?.trim() ?? protocolToken(request);
      const user = token === undefined || revoked.has(token) ? undefined : byToken.get(token);
      if (user === undefined) throw failure(401, 'Unauthorized', 'Unauthorized');
      return impersonated(request, user, authorize);
    },
    decide: rbac.decide,
    authorize,
    rules(who, namespace) {
      const { rules, errors } = rbac.rulesOf(who, namespace);
      return {
        resourceRules: rules.filter((rule) => (rule.resources ?? []).length > 0),
        nonResourceRules: rules.filter((rule) => (rule.nonResourceURLs ?? []).length > 0),
        incomplete: errors.length > 0,
        ...(errors.length > 0 ? { evaluationError: errors.join(', ') } : {}),
      };
    },
    heldRules: (who, namespace) => rbac.rulesOf(who, namespace).rules,
    issueToken(namespace, name) {
      const token = randomBytes(24).toString('base64url');
      byToken.set(token, {
        name: `system:serviceaccount:${namespace}:${name}`,
        groups: [...serviceAccountGroups(namespace), 'system:authenticated'],
      });
      return token;
    },
    observe: (listener) => {
      observers.add(listener);
      return () => observers.delete(listener);
    },
    revoke: (token) => revoked.add(token),
    restore: (token) => revoked.delete(token),
  };
}

function identityOf(user: RehearsalUser): Identity {
  const groups = new Set(user.groups ?? []);
  if (user.admin) groups.add(MASTERS);
  groups.add('system:authenticated');
  return { name: user.name, groups: [...groups] };
}

/** Browsers can't set headers on a WebSocket: they send the token as a subprotocol. */
function protocolToken(request: IncomingMessage): string | undefined {
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
  const prefix = 'base64url.bearer.authorization.k8s.io.';
  const found = offered.find((one) => one.startsWith(prefix));
  return found === undefined ? undefined : Buffer.from(found.slice(prefix.length), 'base64url').toString();
}

/** The 403 in the words of `responsewriters.ForbiddenStatusError` (recording 16). */
function refusal(who: Identity, wanted: Attributes, reason: string): Error {
  const because = reason === '' ? '' : `: ${reason}`;
  if (wanted.path !== undefined) {
    const text = `forbidden: User ${JSON.stringify(who.name)} cannot ${wanted.verb} path ${JSON.stringify(wanted.path)}`;
    return failure(403, 'Forbidden', text + because, {});
  }
  const resource = wanted.subresource === undefined ? wanted.resource : `${wanted.resource}/${wanted.subresource}`;
  const scope =
    wanted.namespace === undefined || wanted.namespace === ''
      ? ' at the cluster scope'
      : ` in the namespace "${wanted.namespace}"`;
  const message = `User ${JSON.stringify(who.name)} cannot ${wanted.verb} resource "${resource}" in API group "${wanted.group}"${scope}`;
  const subject = qualified(wanted.resource, wanted.group);
  const named = wanted.name === undefined || wanted.name === '' ? '' : ` "${wanted.name}"`;
  const details: Json = {};
  if (named !== '') details.name = wanted.name;
  if (wanted.group !== '') details.group = wanted.group;
  details.kind = wanted.resource;
  return failure(403, 'Forbidden', `${subject}${named} is forbidden: ${message}${because}`, details);
}
