/**
 * Guide 4.4: the gateway asked as its users reach it, through the address of its load balancer. The pods are asked
 * themselves elsewhere; this shows that the way to them works.
 */
import { ref } from '../kube/refs.ts';
import type { KubeObject } from '../kube/types.ts';
import type { PlanService } from '../plan/schema.ts';
import { sanitiseLine } from '../sanitise.ts';
import { healthTarget } from './health-target.ts';
import type { Look } from './looks.ts';
import type { StepContext } from './types.ts';

const TIMEOUT_MS = 5000;

interface ServicePort {
  readonly port: number;
  readonly targetPort?: number | string;
}

/** `undefined` when the plan does not ask for it, or there is no Service of type LoadBalancer of that name. */
export async function lookAtLoadBalancer(
  ctx: StepContext,
  service: PlanService,
  pod: KubeObject | undefined,
): Promise<Look | undefined> {
  if (!service.health.loadBalancer || !pod) return undefined;
  const target = healthTarget(service, pod);
  const found = await ctx.kube.get(ref('Service', ctx.fleet.namespace, service.name), { signal: ctx.signal });
  if (!target || !found.ok || found.value.spec?.type !== 'LoadBalancer') {
    ctx.message('info', `${service.name} has no load balancer to ask through; its pods were asked themselves`);
    return undefined;
  }
  const address = addressOf(found.value);
  const expected = 'an answer below 400 through the load balancer';
  if (!address) return { verdict: 'inconclusive', observed: 'the load balancer has no address yet', expected };
  const port = portOf(found.value, target.port);
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}${target.path}`;
  try {
    const answer = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.any([ctx.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const observed = `${url}: HTTP ${answer.status} ${sanitiseLine(await answer.text(), 120)}`;
    return { verdict: answer.status < 400 ? 'pass' : 'fail', observed, expected };
  } catch (error) {
    ctx.signal.throwIfAborted();
    // This machine may have no way to the load balancer although its users have: that is not the gateway's failure.
    const why = sanitiseLine((error as Error).cause ?? (error as Error).message, 160);
    return { verdict: 'inconclusive', observed: `${url} can't be reached from here: ${why}`, expected };
  }
}

function addressOf(service: KubeObject): string | undefined {
  const [first] = service.status?.loadBalancer?.ingress ?? [];
  return first?.ip ?? first?.hostname;
}

/** The Service's port that leads to the pod's; the pod's own number when none says so. */
function portOf(service: KubeObject, podPort: number): number {
  const ports: readonly ServicePort[] = service.spec?.ports ?? [];
  const exact = ports.find((one) => (one.targetPort ?? one.port) === podPort);
  return exact?.port ?? (ports.some((one) => one.port === podPort) ? podPort : (ports[0]?.port ?? podPort));
}
