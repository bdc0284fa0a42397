/**
 * Somebody who stands in for somebody else: `Impersonate-User`, `-Group`, `-Uid` and `-Extra-*` (apiserver's
 * `filters/impersonation.go`). Each of them is a permission of its own, asked of the one who really calls.
 */
import type { IncomingMessage } from 'node:http';
import { failure } from './errors.ts';
import { type Attributes, type Identity, serviceAccountOf } from './rbac.ts';

const EXTRA = 'impersonate-extra-';
const AUTHENTICATED = 'system:authenticated';
const UNAUTHENTICATED = 'system:unauthenticated';

/** Who the request is to be carried out as. `authorize` throws the 403 of what the caller may not stand in for. */
export function impersonated(
  request: IncomingMessage,
  caller: Identity,
  authorize: (who: Identity, wanted: Attributes) => void,
): Identity {
  const headers = request.headersDistinct;
  const user = headers['impersonate-user']?.[0] ?? '';
  const groups = headers['impersonate-group'] ?? [];
  const uid = headers['impersonate-uid']?.[0] ?? '';
  const extra: Record<string, string[]> = {};
  for (const [name, values] of Object.entries(headers)) {
    if (name.startsWith(EXTRA)) extra[unescaped(name.slice(EXTRA.length))] = values ?? [];
  }
  const more = groups.length > 0 || uid !== '' || Object.keys(extra).length > 0;
  if (user === '') {
    if (!more) return caller;
    // The real server answers in plain text here.
    throw failure(
      500,
      'InternalError',
      `Internal Server Error: ${JSON.stringify(request.url)}: requested impersonation without impersonating a user`,
    );
  }
  const ask = (resource: string, name: string, at: Partial<Attributes> = {}) =>
    authorize(caller, { verb: 'impersonate', group: '', resource, name, ...at });
  const account = serviceAccountOf(user);
  if (account) ask('serviceaccounts', account.name, { namespace: account.namespace });
  else ask('users', user);
  for (const group of groups) ask('groups', group);
  const identity = { group: 'authentication.k8s.io' };
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) ask('userextras', value, { ...identity, subresource: key });
  }
  if (uid !== '') ask('uids', uid, identity);
  return {
    name: user,
    groups: groupsOf(user, groups, account?.namespace),
    ...(uid === '' ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function groupsOf(user: string, given: readonly string[], namespace: string | undefined): string[] {
  const groups = given.length > 0 || namespace === undefined ? [...given] : serviceAccountGroups(namespace);
  const said = groups.includes(AUTHENTICATED) || groups.includes(UNAUTHENTICATED);
  if (!said) groups.push(user === 'system:anonymous' ? UNAUTHENTICATED : AUTHENTICATED);
  return groups;
}

/** The groups that every ServiceAccount of a namespace is in. */
export function serviceAccountGroups(namespace: string): string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
}

/** A key of `Impersonate-Extra-` is percent-encoded; what can't be decoded stays as it is. */
function unescaped(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
