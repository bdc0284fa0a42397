/** The guide's sixteen services and their steps, at fixed times. */
import type { StepInfo } from '../../engine/run/model.ts';

const BEGAN = Date.parse('2026-11-23T01:00:00.000Z');

/** The time so many milliseconds after the run began. */
export const at = (ms: number): string => new Date(BEGAN + ms).toISOString();

/** Service, phase, replicas. */
export const FLEET: readonly (readonly [string, string, number])[] = [
  ['identity-service', 'p2', 1],
  ['notification-service', 'p2', 1],
  ['cdn-service', 'p2', 3],
  ['auth-service', 'p3', 3],
  ['messaging-service', 'p3', 3],
  ['events-service', 'p3', 1],
  ['communication-service', 'p3', 1],
  ['feed-service', 'p4', 3],
  ['content-service', 'p4', 3],
  ['user-service', 'p4', 3],
  ['search-service', 'p4', 3],
  ['video-service', 'p4', 3],
  ['social-service', 'p4', 3],
  ['streaming-service', 'p4', 3],
  ['media-service', 'p4', 3],
  ['graphql-gateway', 'p4', 3],
];

const GUIDE_OF: Readonly<Record<string, string>> = { p2: '2', p3: '3', p4: '4' };
/** The steps of the default plan for these services. */
export function stepInfos(services: readonly (readonly [string, string, number])[]): StepInfo[] {
  const fixed = (
    id: string,
    guide: string,
    title: string,
    phase: string,
    kind: StepInfo['kind'],
    why: string,
  ): StepInfo => ({
    id,
    guide,
    title,
    phase,
    kind,
    why,
  });
  const perService = services.flatMap(([service, phase]): StepInfo[] => [
    {
      id: `${phase}.${service}.migrate`,
      guide: `${GUIDE_OF[phase]}.1`,
      title: `Migrate ${service}`,
      phase,
      kind: 'change',
      service,
      why: 'Points DATABASE_URL at the pooler and waits for every new pod; the rollout is watched, not only its exit code.',
    },
    {
      id: `${phase}.${service}.observe`,
      guide: `${GUIDE_OF[phase]}.2`,
      title: `Watch the pools of ${service}`,
      phase,
      kind: 'observe',
      service,
      why: 'Ten samples, 30 s apart, of every pooler pod: no client waits for longer than a moment.',
    },
    {
      id: `${phase}.${service}.health`,
      guide: `${GUIDE_OF[phase]}.3`,
      title: `Check the health of ${service}`,
      phase,
      kind: 'check',
      service,
      why: 'Logs, the health endpoint of every pod, and proof that no pod still talks to PostgreSQL directly.',
    },
  ]);
  const of = (phase: string) => perService.filter((step) => step.phase === phase);
  return [
    fixed(
      'preflight',
      '-',
      'Preflight checks',
      'preflight',
      'check',
      'What would fail later is found now, before anything changes.',
    ),
    fixed(
      'p1.credentials',
      '1.1',
      'Generate credentials',
      'p1',
      'change',
      'The hashes of the guide cannot log in to PostgreSQL; verifiers that can are made instead.',
    ),
    fixed(
      'p1.secret',
      '1.2',
      'Create the userlist Secret',
      'p1',
      'change',
      'The content is verified by digest; the guide prints it to the terminal.',
    ),
    fixed('p1.deploy', '1.3', 'Deploy PgBouncer', 'p1', 'change', 'Two replicas, 2/2 Ready each.'),
    fixed(
      'p1.connectivity',
      '1.4',
      'Verify connectivity',
      'p1',
      'check',
      'Asked of every pooler pod, not of whichever the Service picks.',
    ),
    fixed(
      'p1.prepare',
      '1.5',
      'Prepare service configurations',
      'p1',
      'check',
      'Every place the address comes from, proved with a server-side dry run.',
    ),
    ...of('p2'),
    fixed('p2.decide', '2', 'Decide after 30 min', 'p2', 'decide', 'Healthy for 30 minutes, then continue.'),
    ...of('p3'),
    fixed('p3.decide', '3', 'Decide after 4 h', 'p3', 'decide', 'Healthy for 4 hours, response times as before.'),
    ...of('p4'),
    fixed(
      'p5.verify',
      '5.1',
      'Verify the whole system',
      'p5',
      'check',
      'All services, all pools, no direct connection.',
    ),
    fixed(
      'p5.baseline',
      '5.2',
      'Compare with the baseline',
      'p5',
      'check',
      'pgbench through the pooler beside the run taken before.',
    ),
    fixed('p5.document', '5.3', 'Document the migration', 'p5', 'document', 'Final state and MIGRATION_HISTORY.md.'),
  ];
}
export const PHASE_TITLES: readonly (readonly [string, string])[] = [
  ['p1', 'Deploy PgBouncer'],
  ['p2', 'Pilot services'],
  ['p3', 'Core services'],
  ['p4', 'Critical services'],
  ['p5', 'Verify and clean up'],
];
