/**
 * Response times of the services' own health endpoints, and what a difference of them is worth. They are asked through a
 * port-forward, so each time holds the way there and back as well: that is the floor below which no difference says
 * anything about the service. A dozen answers give a median and the range in which the true one lies.
 */
import { openPodHttp } from '../kube/pod-http.ts';
import type { KubeObject } from '../kube/types.ts';
import type { PlanService } from '../plan/schema.ts';
import { healthTarget } from './health-target.ts';
import type { StepContext } from './types.ts';

/** Response times of a service's health endpoint at one of its pods, one request after the other. Milliseconds, sorted. */
export async function measureResponse(
  ctx: StepContext,
  service: PlanService,
  pod: KubeObject,
  count: number,
): Promise<number[]> {
  const times: number[] = [];
  const target = healthTarget(service, pod);
  if (!target) return times;
  const http = await openPodHttp(
    ctx.kube,
    { namespace: ctx.fleet.namespace, name: pod.metadata.name, port: target.port },
    { signal: ctx.signal },
  );
  if (!http.ok) return times;
  try {
    // The first answer pays for the connection inside the pod; it is asked for and not counted.
    for (let i = 0; i <= count; i++) {
      const answer = await http.value.get(target.path);
      if (!answer.ok) break;
      if (i > 0 && answer.value.status < 500) times.push(answer.value.ms);
    }
  } finally {
    http.value.close();
  }
  return times.sort((a, b) => a - b);
}

/** The value below which a share of the sorted values lies. */
export const quantile = (sorted: readonly number[], q: number): number | undefined =>
  sorted.length === 0 ? undefined : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

/** Fewer answers than this have no range at 95 %: even their lowest and highest may both lie on one side. */
export const FEWEST_ANSWERS = 6;

/**
 * The range in which the true median lies with 95 % certainty, whatever the times are distributed like: order statistics,
 * with the normal approximation of the binomial. The whole range of the values when they are few.
 */
export function medianRange(sorted: readonly number[]): { readonly low: number; readonly high: number } | undefined {
  const n = sorted.length;
  if (n < FEWEST_ANSWERS) return undefined;
  const half = 0.98 * Math.sqrt(n);
  const low = Math.max(0, Math.floor(n / 2 - half) - 1);
  const high = Math.min(n - 1, Math.ceil(n / 2 + half));
  return { low: sorted[low]!, high: sorted[high]! };
}

export interface ResponseBaseline {
  readonly medianMs: number;
  readonly p90Ms: number;
}

/** A difference below this is the port-forward's. */
export const FLOOR_MS = 5;
/** An answer within this is fast, whatever it was before. */
export const FAST_MS = 20;

/** The time above which a median is slower than its baseline: the plan's percent, but never within the baseline's own spread or noise. */
export const responseLimit = (before: ResponseBaseline, percent: number): number =>
  Math.max(before.medianMs * (1 + percent / 100), before.p90Ms, before.medianMs + FLOOR_MS, FAST_MS);
