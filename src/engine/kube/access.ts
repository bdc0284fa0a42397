/** Asks the cluster with SelfSubjectAccessReview which permissions of a plan are there. */
import { err, ok, type Result, type WizardError } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { AccessRow, Need } from './option-types.ts';
import type { Kube } from './types.ts';

const PARALLEL = 6;

/** Asks the cluster about each; an answer that cannot be had is `unknown`, not `no`. */
export async function checkAccess(
  kube: Kube,
  needs: readonly Need[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<Result<AccessRow[]>> {
  const rows: AccessRow[] = new Array(needs.length);
  let failure: WizardError | undefined;
  let next = 0;
  const at = {
    apiVersion: 'authorization.k8s.io/v1',
    plural: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
    name: '',
  };
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      while (next < needs.length && failure === undefined) {
        const index = next++;
        const need = needs[index]!;
        const asked = await kube.create(
          at,
          {
            apiVersion: at.apiVersion,
            kind: at.kind,
            spec: {
              resourceAttributes: {
                namespace: need.namespace,
                verb: need.verb,
                group: need.group,
                resource: need.resource,
                ...(need.subresource ? { subresource: need.subresource } : {}),
                ...(need.name ? { name: need.name } : {}),
              },
            },
          },
          options,
        );
        if (!asked.ok) {
          if (
            asked.error.code === 'aborted' ||
            asked.error.code === 'cluster-unreachable' ||
            asked.error.code === 'unauthenticated'
          )
            failure = asked.error;
          rows[index] = { ...need, allowed: 'unknown', reason: asked.error.message };
          continue;
        }
        const { allowed, denied, reason, evaluationError } = asked.value.status ?? {};
        const why = reason || evaluationError;
        rows[index] = {
          ...need,
          allowed: allowed === true && denied !== true,
          ...(why ? { reason: sanitiseLine(why, 300) } : {}),
        };
      }
    }),
  );
  return failure ? err(failure) : ok(rows);
}
