/** What a change of one workload would be: its sources read, its sites found, its edits planned. Nothing is sent. */
import { fail, ok, type Result } from '../result.ts';
import type { PlanSwitchOptions } from './option-types.ts';
import { scanTemplate } from './scan.ts';
import type { Site } from './site.ts';
import { readSources } from './sources.ts';
import { planEdits, type SwitchPlan } from './switch-plan.ts';
import { poolerTarget, type ResolvedTarget } from './target.ts';
import type { Kube, KubeObject } from './types.ts';
import { staysDirect, type Workload } from './workload-types.ts';

/** A change as it would be made, before the cluster has been asked about it. */
export interface Proposal {
  readonly live: KubeObject;
  readonly sites: readonly Site[];
  /** Absent: it has no address of the target. `there`: places with the pooler's. */
  readonly plan?: SwitchPlan;
  readonly there: readonly Site[];
}

/**
 * What a change of the live object would be; reads only. Errors: `drift` (recreated since the discovery), `not-eligible` (a
 * source that cannot be switched), `not-found`.
 */
export async function proposeSwitch(
  kube: Kube,
  workload: Pick<Workload, 'ref' | 'uid' | 'target' | 'id'>,
  options: PlanSwitchOptions,
): Promise<Result<Proposal>> {
  const call = options.signal ? { signal: options.signal } : {};
  const got = await kube.get(workload.ref, call);
  if (!got.ok) return got;
  const live = got.value;
  if (live.metadata.uid !== workload.uid) {
    return fail('drift', `${workload.id} was deleted and made again since it was looked at`, {
      next: ['Look again: pgb-wizard preflight'],
    });
  }
  const namespace: string = live.metadata.namespace;
  const sources = await readSources(kube, namespace, [live], workload.target.links, options.signal);
  if (!sources.ok) return sources;
  const wanted = (target: ResolvedTarget) =>
    scanTemplate(live, sources.value, target).sites.filter((site) => !staysDirect(site.role));
  const sites = wanted(workload.target);
  if (sites.length === 0) return ok({ live, sites, there: wanted(poolerTarget(options.to, namespace)) });
  const plan = planEdits(live, sites, sources.value, workload.target, options.to, options.runId);
  return plan.ok ? ok({ live, sites, plan: plan.value, there: [] }) : plan;
}
