/**
 * Which endpoint tells a service's health. The plan's own words come first; what it leaves out is taken from the pod: the
 * HTTP readiness probe (then the liveness and the start-up probe), because that is what the cluster asks already. The
 * guide's `:8000/health` is asked only of a pod that declares port 8000: of any other it would find a failure that is none.
 */
import type { KubeObject } from '../kube/types.ts';
import type { PlanService } from '../plan/schema.ts';

export interface HealthTarget {
  readonly port: number;
  readonly path: string;
  readonly from: 'the plan' | 'a probe' | 'the guide';
}

const GUIDE = { port: 8000, path: '/health' } as const;

interface Port {
  readonly name?: string;
  readonly containerPort: number;
}

interface HttpGet {
  readonly port: number | string;
  readonly path?: string;
  readonly scheme?: string;
  readonly host?: string;
}

interface ContainerSpec {
  readonly name: string;
  readonly ports?: readonly Port[];
  readonly readinessProbe?: { readonly httpGet?: HttpGet };
  readonly livenessProbe?: { readonly httpGet?: HttpGet };
  readonly startupProbe?: { readonly httpGet?: HttpGet };
}

/** `undefined`: the service has no endpoint that is known; its pods' readiness is what there is. */
export function healthTarget(service: Pick<PlanService, 'health'>, pod: KubeObject): HealthTarget | undefined {
  const { enabled, port, path } = service.health;
  if (!enabled) return undefined;
  const probe = probeOf(pod);
  if (port !== undefined || path !== undefined) {
    return { port: port ?? probe?.port ?? GUIDE.port, path: path ?? probe?.path ?? GUIDE.path, from: 'the plan' };
  }
  if (probe) return { ...probe, from: 'a probe' };
  const declares = containersOf(pod).some((one) =>
    one.ports?.some(({ containerPort }) => containerPort === GUIDE.port),
  );
  return declares && !hasProbe(pod) ? { ...GUIDE, from: 'the guide' } : undefined;
}

const containersOf = (pod: KubeObject): readonly ContainerSpec[] => pod.spec?.containers ?? [];

const hasProbe = (pod: KubeObject): boolean => containersOf(pod).some((one) => one.readinessProbe !== undefined);

/** The first probe that plain HTTP can ask. A probe of another host, or over TLS, is the kubelet's business. */
function probeOf(pod: KubeObject): { port: number; path: string } | undefined {
  for (const kind of ['readinessProbe', 'livenessProbe', 'startupProbe'] as const) {
    for (const container of containersOf(pod)) {
      const http = container[kind]?.httpGet;
      if (!http || http.host || (http.scheme ?? 'HTTP') !== 'HTTP') continue;
      const port = typeof http.port === 'number' ? http.port : portNamed(container, http.port);
      if (port !== undefined) return { port, path: http.path ?? '/' };
    }
  }
  return undefined;
}

const portNamed = (container: ContainerSpec, name: string): number | undefined =>
  /^\d+$/.test(name) ? Number(name) : container.ports?.find((one) => one.name === name)?.containerPort;
