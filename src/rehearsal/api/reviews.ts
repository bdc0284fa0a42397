/** Questions about the caller: access reviews, rules reviews, who am I. They are answered, never stored. */
import type { Json } from '../contract.ts';
import type { Access, RehearsalUser } from './access.ts';
import { failure } from './errors.ts';

/** Plural of the review to the answer's status; `undefined` when it isn't a review. */
export function answerReview(group: string, plural: string, body: Json, user: RehearsalUser, access: Access): Json {
  const answer = (kind: string, version: string, spec: Json, status: Json): Json => ({
    kind,
    apiVersion: `${group}/${version}`,
    metadata: {},
    ...(spec === undefined ? {} : { spec }),
    status,
  });
  if (group === 'authentication.k8s.io' && plural === 'selfsubjectreviews') {
    return answer('SelfSubjectReview', 'v1', undefined, {
      userInfo: { username: user.name, groups: [...(user.groups ?? []), 'system:authenticated'] },
    });
  }
  if (group !== 'authorization.k8s.io') return undefined;
  switch (plural) {
    case 'selfsubjectaccessreviews':
      return answer('SelfSubjectAccessReview', 'v1', body.spec, { allowed: ask(body.spec, user, access) });
    case 'selfsubjectrulesreviews':
      if (!body.spec?.namespace) throw failure(400, 'BadRequest', 'no namespace on request');
      return answer('SelfSubjectRulesReview', 'v1', {}, access.rules(user, body.spec.namespace));
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews': {
      const other = { name: body.spec?.user ?? '', token: '', groups: body.spec?.groups ?? [] };
      const kind = plural === 'subjectaccessreviews' ? 'SubjectAccessReview' : 'LocalSubjectAccessReview';
      return answer(kind, 'v1', body.spec, { allowed: ask(body.spec, other, access) });
    }
    default:
      return undefined;
  }
}

function ask(spec: Json, user: RehearsalUser, access: Access): boolean {
  const wanted = spec?.resourceAttributes;
  if (wanted === undefined) {
    const path: string = spec?.nonResourceAttributes?.path ?? '';
    return user.admin === true || /^\/(api|apis|healthz|livez|readyz|openapi|version)(\/|$)/.test(path);
  }
  return access.allowed(user, {
    verb: wanted.verb ?? '',
    group: wanted.group ?? '',
    resource: wanted.resource ?? '',
    ...(wanted.subresource ? { subresource: wanted.subresource } : {}),
    ...(wanted.namespace ? { namespace: wanted.namespace } : {}),
    ...(wanted.name ? { name: wanted.name } : {}),
  });
}
