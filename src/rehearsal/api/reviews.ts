/** Questions about permissions and about the caller: access reviews, rules reviews, who am I. Answered, never stored. */
import type { Json } from '../contract.ts';
import type { Access } from './access.ts';
import { failure, invalid, invalidValue } from './errors.ts';
import type { Attributes, Identity } from './rbac.ts';

export interface ReviewPath {
  group: string;
  plural: string;
  namespace: string | undefined;
}

/** Is it a review? Then a POST to it is answered by `answerReview`. */
export function isReview({ group, plural }: Pick<ReviewPath, 'group' | 'plural'>): boolean {
  return ['authentication.k8s.io', 'authorization.k8s.io'].includes(group) && /reviews$/.test(plural);
}

/** The review with its status; `undefined` for one the cluster hasn't. */
export function answerReview(path: ReviewPath, body: Json, who: Identity, access: Access): Json {
  const answer = (kind: string, spec: Json, status: Json): Json => ({
    kind,
    apiVersion: `${path.group}/v1`,
    metadata: {},
    ...(spec === undefined ? {} : { spec }),
    status,
  });
  switch (path.plural) {
    case 'selfsubjectreviews': {
      const { name, groups, uid, extra } = who;
      return answer('SelfSubjectReview', undefined, {
        userInfo: { username: name, ...(uid ? { uid } : {}), groups, ...(extra ? { extra } : {}) },
      });
    }
    case 'selfsubjectaccessreviews':
      return answer('SelfSubjectAccessReview', body.spec, decide('SelfSubjectAccessReview', body.spec, who, access));
    case 'selfsubjectrulesreviews':
      if (!body.spec?.namespace) throw failure(400, 'BadRequest', 'no namespace on request');
      return answer('SelfSubjectRulesReview', {}, access.rules(who, body.spec.namespace));
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews': {
      const kind = path.plural === 'subjectaccessreviews' ? 'SubjectAccessReview' : 'LocalSubjectAccessReview';
      const { spec } = body;
      if (!spec?.user && !spec?.groups?.length) {
        const text = 'at least one of user or group must be specified';
        throw invalid(kind, path.group, '', [invalidValue('spec.user', '', text)]);
      }
      const inside = spec.resourceAttributes?.namespace ?? '';
      if (path.namespace !== undefined && inside !== path.namespace) {
        const text = `must match metadata.namespace: ${path.namespace}`;
        throw invalid(kind, path.group, '', [invalidValue('spec.resourceAttributes.namespace', inside, text)]);
      }
      const other: Identity = { name: spec.user ?? '', groups: spec.groups ?? [] };
      return answer(kind, spec, decide(kind, spec, other, access));
    }
    default:
      return undefined;
  }
}

function decide(kind: string, spec: Json, who: Identity, access: Access): Json {
  const about = spec?.resourceAttributes;
  const path = spec?.nonResourceAttributes;
  if ((about === undefined) === (path === undefined)) {
    const text =
      about === undefined
        ? 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
        : 'cannot be specified in combination with nonResourceAttributes';
    throw invalid(kind, 'authorization.k8s.io', '', [invalidValue('spec.resourceAttributes', about ?? null, text)]);
  }
  const wanted: Attributes =
    about === undefined
      ? { verb: path.verb ?? '', group: '', resource: '', path: path.path ?? '' }
      : {
          verb: about.verb ?? '',
          group: about.group ?? '',
          resource: about.resource ?? '',
          ...(about.subresource ? { subresource: about.subresource } : {}),
          ...(about.namespace ? { namespace: about.namespace } : {}),
          ...(about.name ? { name: about.name } : {}),
        };
  const { allowed, reason } = access.decide(who, wanted);
  return { allowed, ...(reason === '' ? {} : { reason }) };
}
