/** Every situation that a screen can meet. */
import type { RunSnapshot } from '../../engine/run/model.ts';
import { decideAsk, failureAsk, PREPARE_PREVIEW, PREVIEW, reconcileAsk, rollbackAsk } from './asks.ts';
import { at } from './fleet.ts';
import { evidence, gates, pools } from './measured.ts';
import { snapshotAt, withStep } from './snapshot.ts';

/** Every situation by name; each value builds a fresh snapshot. */
export const SITUATIONS = {
  preflight: () =>
    withStep(
      snapshotAt('preflight', {
        pools: { poolers: [], rows: [], history: [], everyMs: 2000 },
        checklist: [],
        waitingFor: { text: 'the answers to 24 access reviews', since: at(41 * 60_000) },
      }),
      'preflight',
      {
        evidence: [
          evidence('permissions', 'pass', '24 of 24 verbs allowed'),
          evidence('server version', 'pass', 'PostgreSQL 15.8, Kubernetes v1.36.0'),
          evidence(
            'GitOps owners',
            'fail',
            'cdn-service is owned by argocd application nova',
            'no controller that would revert the change',
          ),
          evidence(
            'prepared statements',
            'inconclusive',
            'messaging-service: driver unknown',
            'a driver that works with transaction pooling',
          ),
          evidence('connection arithmetic', 'pass', '20 pooled + 31 direct + 5 other of 200'),
          evidence('surge room', 'pass', '3 extra pods fit'),
        ],
      },
    ),
  /** The first change of a new run is about to be shown. */
  first: () => {
    const snapshot = snapshotAt('p1.secret', {
      status: 'asking',
      pools: { poolers: [], rows: [], history: [], everyMs: 2000 },
      waitingFor: { text: 'your answer', since: at(41 * 60_000) },
      ask: { id: 'ask-1', kind: 'confirm', stepId: 'p1.secret', title: 'Secret pgbouncer-userlist', preview: PREVIEW },
    });
    return withStep(snapshot, 'preflight', {
      evidence: [
        evidence('permissions', 'pass', '24 of 24 verbs allowed'),
        evidence('server version', 'pass', 'PostgreSQL 15.8, Kubernetes v1.36.0'),
        evidence('prepared statements', 'inconclusive', 'messaging-service: driver unknown', 'a driver that is known'),
      ],
    });
  },
  deploy: () =>
    snapshotAt('p1.deploy', {
      pools: { poolers: [], rows: [], history: [], everyMs: 2000 },
      waitingFor: {
        text: 'pgbouncer-7d9c5b8f4-hgh6q to become 2/2 Ready (pulling the image)',
        since: at(41 * 60_000),
        until: at(44 * 60_000),
      },
    }),
  migrate: () =>
    withStep(snapshotAt('p2.notification-service.migrate'), 'p2.notification-service.migrate', {
      preview: PREVIEW,
      evidence: [
        evidence('pod Running and Ready', 'pass', '1/1'),
        evidence("no errors in the pod's log", 'pass', '0 of 212 lines'),
        evidence('health GET :8000/health', 'inconclusive', 'waiting for the new pod', '200'),
        evidence('left direct PostgreSQL', 'fail', '2 connections remain', '0 connections'),
      ],
    }),
  batch: () =>
    snapshotAt('p4.video-service.migrate', {
      waitingFor: {
        text: '3 new pods of video-service and 2 of social-service to become Ready',
        since: at(41 * 60_000),
      },
    }),
  confirm: () =>
    snapshotAt('p2.notification-service.migrate', {
      status: 'asking',
      waitingFor: { text: 'you: approve the switch of notification-service', since: at(41 * 60_000) },
      ask: {
        id: 'ask-3',
        kind: 'confirm',
        stepId: 'p2.notification-service.migrate',
        title: 'Switch notification-service to the pooler?',
        preview: PREVIEW,
      },
    }),
  confirmPrepare: () =>
    snapshotAt('p1.prepare', {
      status: 'asking',
      waitingFor: { text: 'your answer', since: at(41 * 60_000) },
      ask: {
        id: 'ask-2',
        kind: 'confirm',
        stepId: 'p1.prepare',
        title: 'Prepare the services',
        preview: PREPARE_PREVIEW,
      },
    }),
  confirmTyped: () =>
    snapshotAt('p1.deploy', {
      status: 'asking',
      waitingFor: { text: 'you: approve the deployment', since: at(41 * 60_000) },
      ask: {
        id: 'ask-2',
        kind: 'confirm',
        stepId: 'p1.deploy',
        title: 'Deploy PgBouncer into nova?',
        typed: 'prod-eu-1/nova',
        preview: { ...PREVIEW, destructive: true },
      },
    }),
  decide: () =>
    snapshotAt('p2.decide', {
      status: 'asking',
      waitingFor: { text: 'the soak of phase 2 to pass, or you', since: at(22 * 60_000), until: at(52 * 60_000) },
      ask: decideAsk,
    }),
  decideDue: () =>
    snapshotAt('p2.decide', {
      status: 'asking',
      waitingFor: { text: 'you: continue with phase 3?', since: at(41 * 60_000) },
      ask: {
        ...decideAsk,
        soakUntil: at(40 * 60_000),
        recommendation: 'continue',
        gates: gates().map((gate) => ({
          ...gate,
          verdict: 'pass',
          observed: gate.verdict === 'pass' ? gate.observed : '0 of 212',
        })),
      },
    }),
  decideExtended: () =>
    snapshotAt('p2.decide', {
      status: 'asking',
      waitingFor: { text: 'the soak to end', since: at(41 * 60_000), until: at(94 * 60_000) },
      ask: { ...decideAsk, soakUntil: at(94 * 60_000) },
    }),
  decideFail: () =>
    snapshotAt('p3.decide', {
      status: 'asking',
      waitingFor: { text: 'you: a gate failed', since: at(41 * 60_000) },
      ask: {
        ...decideAsk,
        id: 'ask-6',
        stepId: 'p3.decide',
        phase: 'p3',
        title: 'Continue with phase 4?',
        gates: gates('fail'),
        recommendation: 'rollback',
      },
    }),
  failureBack: (): RunSnapshot => {
    const failed = SITUATIONS.failure();
    return {
      ...failed,
      services: failed.services.map((one) => (one.name === 'auth-service' ? { ...one, state: 'rolled-back' } : one)),
    };
  },
  failure: () =>
    withStep(
      snapshotAt('p3.auth-service.migrate', {
        status: 'asking',
        waitingFor: { text: 'you: auth-service failed', since: at(41 * 60_000) },
        ask: failureAsk,
      }),
      'p3.auth-service.migrate',
      { state: 'fail', cause: failureAsk.kind === 'failure' ? failureAsk.cause : '', hint: 'Roll auth-service back.' },
    ),
  rollbackAsk: () =>
    snapshotAt('p2.cdn-service.health', {
      status: 'asking',
      waitingFor: { text: 'you: approve the rollback of 3 services', since: at(41 * 60_000) },
      ask: rollbackAsk,
    }),
  rollingBack: () => {
    const base = snapshotAt('p2.cdn-service.health', {
      status: 'rolling-back',
      waitingFor: {
        text: 'the original ReplicaSet of notification-service to be available',
        since: at(41 * 60_000),
        until: at(46 * 60_000),
      },
    });
    return {
      ...base,
      services: base.services.map((service) =>
        service.name === 'cdn-service'
          ? { ...service, state: 'rolled-back' as const, rollout: undefined }
          : service.name === 'notification-service'
            ? {
                ...service,
                state: 'switching' as const,
                rollout: {
                  desired: 1,
                  updated: 1,
                  ready: 0,
                  available: 0,
                  old: 1,
                  elapsedMs: 4000,
                  limitMs: 300_000,
                  stage: 'updating' as const,
                  detail: 'original template is rolling out',
                },
              }
            : service,
      ),
    };
  },
  held: () =>
    snapshotAt('p2.notification-service.observe', {
      status: 'held',
      heldFor: 'waiting for the network team',
      waitingFor: { text: 'you: the run is on hold', since: at(30 * 60_000) },
    }),
  stale: () =>
    snapshotAt('p2.notification-service.observe', {
      pools: pools({ state: 'down' }),
      cluster: { state: 'stale', ageMs: 42_000, version: 'v1.36.0' },
      waitingFor: { text: 'the API server to answer (4th try)', since: at(40 * 60_000 + 30_000) },
    }),
  waiting: () => snapshotAt('p3.messaging-service.observe', { pools: pools({ waiting: 7 }) }),
  reconcile: () =>
    snapshotAt('p2.notification-service.migrate', {
      status: 'asking',
      waitingFor: { text: 'you: go on as shown?', since: at(41 * 60_000) },
      ask: reconcileAsk,
    }),
  rehearsal: () => snapshotAt('p2.identity-service.observe', { rehearsal: true, timeScale: 60, context: 'rehearsal' }),
  done: () => {
    const base = snapshotAt('p5.document', {
      status: 'ended',
      outcome: 'done',
      waitingFor: undefined,
      exportedTo: 'pgb-wizard-7f3a',
    });
    return {
      ...base,
      currentStep: undefined,
      steps: base.steps.map((step) => ({ ...step, state: 'pass' as const })),
      services: base.services.map((service) => ({
        ...service,
        state: 'pooled' as const,
        direct: 0,
        pooled: (service.replicas ?? 1) * 2,
      })),
      phases: base.phases.map((phase) => ({ ...phase, state: 'done' as const, done: phase.total })),
    };
  },
  failed: () =>
    snapshotAt('p3.auth-service.migrate', {
      status: 'ended',
      outcome: 'failed',
      waitingFor: undefined,
      error: {
        code: 'rollout-failed',
        message: 'auth-service does not start with the pooler',
        cause: 'password authentication failed',
        next: ['pgb-wizard rollback --service auth-service'],
        retryable: false,
        exitCode: 1,
      },
    }),
} as const satisfies Record<string, () => RunSnapshot>;

export type Situation = keyof typeof SITUATIONS;
