/** The services of the guide with their replicas, and as many generated ones as a bench wants. */
export type Traffic = 'pilot' | 'core' | 'critical' | 'tiny';

export interface ServicePlan {
  name: string;
  replicas: number;
  port: number;
  healthPath: string;
  traffic: Traffic;
  /** How the service gets its address: a literal, as the guide has it, or a key of a Secret. */
  source: 'literal' | 'secret';
  loadBalancer: boolean;
}

const guide = (name: string, replicas: number, traffic: Traffic, more: Partial<ServicePlan> = {}): ServicePlan => ({
  name,
  replicas,
  port: 8000,
  healthPath: '/health',
  traffic,
  source: 'literal',
  loadBalancer: false,
  ...more,
});

/** In the guide's order. */
export const GUIDE_SERVICES: readonly ServicePlan[] = [
  guide('identity-service', 1, 'pilot'),
  guide('notification-service', 1, 'pilot'),
  guide('cdn-service', 3, 'pilot'),
  guide('auth-service', 3, 'core', { source: 'secret' }),
  guide('messaging-service', 3, 'core'),
  guide('events-service', 1, 'core'),
  guide('communication-service', 1, 'core', { source: 'secret' }),
  guide('feed-service', 3, 'critical'),
  guide('content-service', 3, 'critical'),
  guide('user-service', 3, 'critical', { source: 'secret' }),
  guide('search-service', 3, 'critical'),
  guide('video-service', 3, 'critical'),
  guide('social-service', 3, 'critical'),
  guide('streaming-service', 3, 'critical'),
  guide('media-service', 3, 'critical'),
  guide('graphql-gateway', 3, 'critical', { port: 4000, healthPath: '/graphql/health', loadBalancer: true }),
];

/** Queries per second and connections of one pod. */
export const LOAD: Record<Traffic, { rate: number; connections: number }> = {
  pilot: { rate: 1, connections: 1 },
  core: { rate: 3, connections: 2 },
  critical: { rate: 6, connections: 2 },
  tiny: { rate: 0.2, connections: 1 },
};

/** The first `count` services: the guide's, then generated ones of one small pod each. */
export function fleetOf(count: number = GUIDE_SERVICES.length): ServicePlan[] {
  const services = GUIDE_SERVICES.slice(0, count);
  for (let n = GUIDE_SERVICES.length + 1; n <= count; n++)
    services.push(guide(`service-${String(n).padStart(3, '0')}`, 1, 'tiny'));
  // Beyond the guide's size the point is the number of workloads, not the load of each.
  return count > GUIDE_SERVICES.length
    ? services.map((service) => ({ ...service, traffic: 'tiny' as const }))
    : services;
}
