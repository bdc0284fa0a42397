/**
 * The default plan: the guide's sixteen services in the guide's order (phases 2 to 4). feed-service goes first in phase 4
 * (4.1), seven services as a batch (4.3), graphql-gateway LAST (4.4), although the guide's list numbers it fourth.
 *
 * Departure: the guide moves the batch of seven all at once ("low risk at this point"), which is its largest blast
 * radius; here two move at a time.
 */
import type { PlanInput } from './schema.ts';

type Service = PlanInput['phases'][number]['services'][number];

const service = (
  name: string,
  replicas: number,
  traffic?: Service['traffic'],
  more: Partial<Service> = {},
): Service => ({
  name,
  replicas,
  ...(traffic ? { traffic } : {}),
  ...more,
});

export const NOVA_PLAN: PlanInput = {
  apiVersion: 'pgb-wizard/v1',
  kind: 'MigrationPlan',
  name: 'nova',
  namespace: 'nova',
  phases: [
    {
      id: 'p2',
      title: 'Pilot services',
      soak: '30m',
      services: [
        service('identity-service', 1, 'lowest'),
        service('notification-service', 1, 'low'),
        service('cdn-service', 3, 'low'),
      ],
    },
    {
      id: 'p3',
      title: 'Core services',
      soak: '4h',
      services: [
        service('auth-service', 3, 'medium'),
        service('messaging-service', 3, 'medium'),
        service('events-service', 1),
        service('communication-service', 1),
      ],
    },
    {
      id: 'p4',
      title: 'Critical services',
      batches: [{ name: 'remaining', parallelism: 2 }],
      services: [
        service('feed-service', 3, 'highest', { rolloutTimeout: '10m' }),
        service('content-service', 3, 'high', { batch: 'remaining' }),
        service('user-service', 3, 'high', { batch: 'remaining' }),
        service('search-service', 3, 'high', { batch: 'remaining' }),
        service('video-service', 3, undefined, { batch: 'remaining' }),
        service('social-service', 3, undefined, { batch: 'remaining' }),
        service('streaming-service', 3, undefined, { batch: 'remaining' }),
        service('media-service', 3, undefined, { batch: 'remaining' }),
        service('graphql-gateway', 3, 'critical', {
          rolloutTimeout: '10m',
          health: { port: 4000, path: '/graphql/health', loadBalancer: true },
        }),
      ],
    },
  ],
};
