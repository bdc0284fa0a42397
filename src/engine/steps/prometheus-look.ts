/** The guide's alerts (3.2), and the services' HTTP errors, as a Prometheus of the cluster sees them. */
import { readPrometheus } from '../pgbouncer/prometheus.ts';
import { databasesOf } from '../plan/logins.ts';
import type { StepContext } from './types.ts';

export interface PrometheusLook {
  /** It was asked, and says what the limits of the plan allow. */
  readonly agrees: boolean;
  readonly observed: string;
  /** Share of failed HTTP requests, when the plan has a query for it and there was traffic. */
  readonly errorPercent?: number;
  /** Why that query has no answer. */
  readonly errorProblem?: string;
}

/** Undefined when the plan names no Prometheus. */
export async function askPrometheus(ctx: StepContext): Promise<PrometheusLook | undefined> {
  const { prometheus } = ctx.plan.pooler;
  if (!prometheus) return undefined;
  const seen = await readPrometheus(ctx.kube, prometheus, databasesOf(ctx.plan), ctx.signal);
  if (!seen.ok) {
    const why = seen.error.message;
    return {
      agrees: false,
      observed: `could not be asked: ${why}`,
      ...(prometheus.errorRate ? { errorProblem: why } : {}),
    };
  }
  const { gates, pooler } = ctx.plan;
  const { up, clientsWaiting, serversActive, maxWaitMs, queryTimeMs, errorRatio, errorProblem } = seen.value;
  const bad = [
    ...(up < pooler.replicas ? [`pgbouncer_up of ${up} poolers`] : []),
    ...(clientsWaiting > gates.clientsWaiting ? [`${clientsWaiting} clients waiting`] : []),
    ...(serversActive > gates.serversActive ? [`${serversActive} servers active`] : []),
    ...(maxWaitMs > gates.maxWaitMs ? [`longest wait ${Math.round(maxWaitMs)} ms`] : []),
    ...(queryTimeMs !== undefined && queryTimeMs > gates.queryTimeMs
      ? [`query time ${Math.round(queryTimeMs)} ms`]
      : []),
  ];
  return {
    agrees: bad.length === 0,
    observed:
      bad.length > 0
        ? `${bad.join(', ')}, which the consoles do not say now`
        : `${up} poolers up, ${clientsWaiting} waiting, ${serversActive} active${queryTimeMs === undefined ? '' : `, ${queryTimeMs.toFixed(1)} ms a query`}`,
    ...(errorRatio === undefined ? {} : { errorPercent: errorRatio * 100 }),
    ...(errorProblem === undefined ? {} : { errorProblem }),
  };
}
