/** The changes that files are to follow: those that a run has kept in the cluster, or those that a run would make. */

import { editsOf, newObjectsOf, restoreChange } from '../kube/change.ts';
import { discoverConsumers, targetSeenFrom } from '../kube/discover.ts';
import { proposeSwitch } from '../kube/propose.ts';
import { loadOriginals } from '../kube/run-state.ts';
import { discoveryTarget, type ResolvedTarget } from '../kube/target.ts';
import type { Kube } from '../kube/types.ts';
import type { WorkloadChange } from '../kube/workload-types.ts';
import type { Plan } from '../plan/schema.ts';
import { fail, ok, type Result } from '../result.ts';
import type { WantedChange } from './types.ts';

export interface Wanted {
  readonly changes: readonly WantedChange[];
  readonly target: ResolvedTarget;
  /** Services of the plan without a change, and why. */
  readonly without: Readonly<Record<string, string>>;
}

export interface WantedRequest {
  readonly plan: Plan;
  readonly namespace: string;
  readonly runId: string;
  /** Only these services. */
  readonly only?: readonly string[];
  readonly signal?: AbortSignal;
}

/** What files are told of a change. */
export const wantedOf = (change: WorkloadChange): WantedChange => ({
  ref: change.ref,
  edits: editsOf(change),
  objects: newObjectsOf(change),
});

const servicesOf = ({ plan, only }: WantedRequest) =>
  plan.phases
    .flatMap((phase) => phase.services)
    .filter((service) => only === undefined || only.length === 0 || only.includes(service.name));

/** Every name of the plan's PostgreSQL, for a request about files. */
export function targetOfPlan(
  kube: Kube,
  plan: Plan,
  namespace: string,
  signal?: AbortSignal,
): Promise<Result<ResolvedTarget>> {
  const target = discoveryTarget(plan.postgres.service, plan.postgres.port);
  return targetSeenFrom(kube, { namespace, target, ...(signal ? { signal } : {}) });
}

/** The changes that a run keeps in the cluster. `not-found` when it keeps none (it has not come to p1.prepare). */
export async function wantedOfRun(kube: Kube, request: WantedRequest): Promise<Result<Wanted>> {
  const { namespace, runId, signal } = request;
  const kept = await loadOriginals(kube, namespace, runId, signal);
  if (!kept.ok) return kept;
  if (!kept.value) {
    return fail('not-found', `Run ${runId} keeps no originals in namespace ${namespace} yet.`, {
      next: ['It keeps them at p1.prepare. To look before: leave --run out, and give --run-id.'],
    });
  }
  const byName = new Map<string, WorkloadChange>();
  for (const sealed of Object.values(kept.value.changes)) {
    const change = restoreChange(sealed);
    if (!change.ok) return change;
    byName.set(change.value.ref.name, change.value);
  }
  const changes: WantedChange[] = [];
  const without: Record<string, string> = {};
  for (const { name } of servicesOf(request)) {
    const change = byName.get(name);
    if (change === undefined) without[name] = 'the run does not switch it';
    else if (change.alreadyDone) without[name] = 'it used the pooler before the run';
    else changes.push(wantedOf(change));
  }
  const target = await targetOfPlan(kube, request.plan, namespace, signal);
  return target.ok ? ok({ changes, without, target: target.value }) : target;
}

/** The changes that a run with this id would make, whoever owns the workloads. Reads only. */
export async function wantedOfPlan(kube: Kube, request: WantedRequest): Promise<Result<Wanted>> {
  const { plan, namespace, runId, signal } = request;
  const to = { host: plan.pooler.name, port: plan.pooler.port };
  const target = discoveryTarget(plan.postgres.service, plan.postgres.port);
  const named = servicesOf(request).map((one) => `${one.kind.toLowerCase()}/${one.name}`);
  const call = signal ? { signal } : {};
  const found = await discoverConsumers(kube, { namespace, target, to, named, ...call });
  if (!found.ok) return found;
  const changes: WantedChange[] = [];
  const without: Record<string, string> = {};
  for (const service of servicesOf(request)) {
    if (service.skip) {
      without[service.name] = `skipped: ${service.skip}`;
      continue;
    }
    const id = `${service.kind.toLowerCase()}/${service.name}`;
    const workload = found.value.workloads.find((one) => one.id === id);
    if (!workload) {
      const known = found.value.notConsumers.find((one) => one.workload.id === id);
      without[service.name] = known?.reason ?? 'not found in the namespace';
      continue;
    }
    const proposed = await proposeSwitch(kube, workload, { to, runId, ...call });
    if (!proposed.ok) {
      if (proposed.error.code !== 'not-eligible' && proposed.error.code !== 'drift') return proposed;
      without[service.name] = proposed.error.message;
    } else if (proposed.value.plan === undefined) without[service.name] = 'it takes its address from no other place';
    else {
      const { edits, objects } = proposed.value.plan;
      changes.push({ ref: workload.ref, edits, objects });
    }
  }
  const seen = await targetOfPlan(kube, plan, namespace, signal);
  return seen.ok ? ok({ changes, without, target: seen.value }) : seen;
}
