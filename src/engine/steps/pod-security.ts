/**
 * Pod Security: what the labels of the namespace enforce is asked of new pods only. Those that run from before the labels go
 * on; a rollout would end at its first pod, with the service still where it was.
 */
import { ref } from '../kube/refs.ts';
import type { WorkloadChange } from '../kube/workload-types.ts';
import type { StepContext } from './types.ts';

/** `restricted`, `baseline`; `unknown` when the namespace may not be read, `none` when it enforces nothing. */
export type EnforcedLevel = 'restricted' | 'baseline' | 'none' | 'unknown';

export async function enforcedLevel(ctx: Pick<StepContext, 'kube' | 'fleet' | 'signal'>): Promise<EnforcedLevel> {
  const found = await ctx.kube.get(ref('Namespace', undefined, ctx.fleet.namespace), { signal: ctx.signal });
  if (!found.ok) return 'unknown';
  const level: unknown = found.value.metadata.labels?.['pod-security.kubernetes.io/enforce'];
  return level === 'restricted' || level === 'baseline' ? level : 'none';
}

/** Why no new pod of this workload would be let in, in the words of the cluster; nothing when it may warn of less than that. */
export function podsRefused(
  change: Pick<WorkloadChange, 'clusterWarnings'>,
  enforced: EnforcedLevel,
): string | undefined {
  for (const text of change.clusterWarnings ?? []) {
    const found = /^would violate PodSecurity "(baseline|restricted):[^"]*": (.+)$/.exec(text);
    if (found && found[1] === enforced)
      return `Pod Security (${enforced}) of the namespace refuses its new pods: ${found[2]}`;
  }
  return undefined;
}
