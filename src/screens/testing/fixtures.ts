/**
 * A run handle with scripted snapshots: the guide's sixteen services in every situation a screen can meet. For tests,
 * the bench and the preview; the times are fixed, so that frames can be compared.
 */
import type {
  Ask,
  Evidence,
  GateView,
  Intent,
  PhaseView,
  PoolRow,
  PoolSample,
  PoolsView,
  RunHandle,
  RunSnapshot,
  ServiceView,
  StepInfo,
  StepState,
  StepView,
} from '../../engine/run/model.ts';

const BEGAN = Date.parse('2026-11-23T01:00:00.000Z');
const PODS = ['pgbouncer-7d9c5b8f4-fzxtq', 'pgbouncer-7d9c5b8f4-hgh6q'] as const;

const at = (ms: number): string => new Date(BEGAN + ms).toISOString();

const FLEET: readonly (readonly [string, string, number])[] = [
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

function stepInfos(services: readonly (readonly [string, string, number])[]): StepInfo[] {
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

const PHASE_TITLES: readonly (readonly [string, string])[] = [
  ['p1', 'Deploy PgBouncer'],
  ['p2', 'Pilot services'],
  ['p3', 'Core services'],
  ['p4', 'Critical services'],
  ['p5', 'Verify and clean up'],
];

function evidence(check: string, verdict: Evidence['verdict'], observed: string, expected?: string): Evidence {
  return { check, verdict, observed, ...(expected === undefined ? {} : { expected }), at: at(41 * 60_000) };
}

function poolRow(pod: string, n: number, more: Partial<PoolRow> = {}): PoolRow {
  return {
    pod,
    database: 'nova',
    user: 'nova_user',
    clActive: 3 + (n % 3),
    clWaiting: 0,
    svActive: n % 2,
    svIdle: 8 + (n % 3),
    svUsed: 1,
    svTested: 0,
    svLogin: 0,
    maxwaitMs: 0,
    poolMode: 'transaction',
    queriesPerSecond: 190 + ((n * 37) % 60),
    avgQueryMs: 1.2 + (n % 4) * 0.3,
    avgWaitMs: 0,
    ...more,
  };
}

export function pools(
  options: {
    podCount?: number;
    poolsPerPod?: number;
    samples?: number;
    waiting?: number;
    state?: 'ok' | 'stale' | 'down';
  } = {},
): PoolsView {
  const { podCount = 2, poolsPerPod = 1, samples = 60, waiting = 0, state = 'ok' } = options;
  const names = Array.from(
    { length: podCount },
    (_, i) => PODS[i] ?? `pgbouncer-7d9c5b8f4-p${String(i).padStart(4, '0')}`,
  );
  const rowsAt = (n: number) =>
    names.flatMap((pod, p) =>
      Array.from({ length: poolsPerPod }, (_, i) =>
        poolRow(pod, n + p * 3 + i, {
          ...(i === 0 ? {} : { database: `tenant_${i}` }),
          clWaiting: p === 0 && i === 0 ? waiting : 0,
          maxwaitMs: p === 0 && i === 0 && waiting > 0 ? 1800 : 0,
        }),
      ),
    );
  const history: PoolSample[] = Array.from({ length: samples }, (_, n) => ({
    at: at(41 * 60_000 + (n - samples) * 2000),
    rows: rowsAt(n),
  }));
  return {
    poolers: names.map((pod, i) => ({
      pod,
      version: '1.18.0',
      state: i === 0 ? state : 'ok',
      ageMs: i === 0 && state !== 'ok' ? 42_000 : 800,
      ...(i === 0 && state === 'down' ? { error: 'the port-forward ended: pod not found' } : {}),
    })),
    rows: rowsAt(samples),
    history,
    everyMs: 2000,
    postgres: { maxConnections: 200, total: 56, pooled: 20, direct: 31, other: 5, ageMs: 900, expectedPooled: 20 },
  };
}

function statesAt(steps: readonly StepInfo[], currentId: string | undefined): Map<string, StepState> {
  const states = new Map<string, StepState>();
  let past = currentId !== undefined;
  for (const step of steps) {
    if (step.id === currentId) {
      states.set(step.id, 'running');
      past = false;
    } else states.set(step.id, past ? 'pass' : 'todo');
  }
  return states;
}

/** A snapshot in which `currentId` runs; everything before it has passed. */
export function snapshotAt(currentId: string | undefined, more: Partial<RunSnapshot> = {}, fleet = FLEET): RunSnapshot {
  const infos = stepInfos(fleet);
  const states = statesAt(infos, currentId);
  const elapsed = 41 * 60_000 + 12_000;
  const steps: StepView[] = infos.map((info, index) => {
    const state = states.get(info.id) ?? 'todo';
    return {
      ...info,
      state,
      attempts: state === 'todo' ? 0 : 1,
      ...(state === 'todo' ? {} : { startedAt: at(index * 60_000) }),
      ...(state === 'pass' ? { finishedAt: at(index * 60_000 + 40_000) } : {}),
      evidence: state === 'pass' ? [evidence('observed', 'pass', 'as expected')] : [],
    };
  });
  const serviceState = (name: string): ServiceView['state'] => {
    const own = steps.filter((step) => step.service === name);
    if (own.every((step) => step.state === 'todo')) return 'direct';
    return own[0]?.state === 'pass' ? 'pooled' : 'switching';
  };
  const services: ServiceView[] = fleet.map(([name, phase, replicas]) => {
    const state = serviceState(name);
    return {
      name,
      phase,
      state,
      workload: `deployment/${name}`,
      replicas,
      direct: state === 'direct' ? replicas * 2 : state === 'switching' ? 2 : 0,
      pooled: state === 'pooled' ? replicas * 2 : 0,
      ...(state === 'switching'
        ? {
            rollout: {
              desired: replicas,
              updated: replicas,
              ready: replicas - 1,
              available: Math.max(0, replicas - 1),
              old: 1,
              elapsedMs: 14_000,
              limitMs: 300_000,
              stage: 'updating' as const,
              detail: `${name}-6f9d7c5b44-x2x4k: readiness probe has not passed yet`,
            },
          }
        : {}),
    };
  });
  const current = infos.find((info) => info.id === currentId);
  const phases: PhaseView[] = PHASE_TITLES.map(([id, title], index) => {
    const own = steps.filter((step) => step.phase === id);
    const fleetOf = services.filter((service) => service.phase === id);
    const finished = (name: string) =>
      own.filter((step) => step.service === name).every((step) => step.state === 'pass');
    const done =
      fleetOf.length > 0
        ? fleetOf.filter((service) => finished(service.name)).length
        : own.filter((step) => step.state === 'pass').length;
    const total = fleetOf.length > 0 ? fleetOf.length : own.length;
    return {
      id,
      number: index + 1,
      title,
      state: own.every((step) => step.state === 'pass') ? 'done' : current?.phase === id ? 'running' : 'todo',
      done,
      total,
      stepIds: own.map((step) => step.id),
    };
  });
  return {
    runId: '7f3a',
    operator: 'alice@bastion',
    context: 'prod-eu-1',
    namespace: 'nova',
    planName: 'nova',
    startedAt: at(0),
    now: at(elapsed),
    timeScale: 1,
    rehearsal: false,
    status: 'running',
    phases,
    steps,
    services,
    ...(currentId === undefined ? {} : { currentStep: currentId }),
    waitingFor: {
      text: '1 new pod of notification-service to become Ready (readiness probe)',
      since: at(elapsed - 6000),
      until: at(elapsed + 286_000),
    },
    pools: pools(),
    gates: gates(),
    checklist: CHECKLIST.map((item, index) => ({
      phase: 'p1',
      item,
      verdict: index === 5 ? ('inconclusive' as const) : ('pass' as const),
      observed: index === 5 ? 'no Prometheus is configured' : 'observed on both poolers',
      at: at(20 * 60_000),
    })),
    messages: [
      { at: at(60_000), level: 'info', text: 'lease pgb-wizard taken by alice@bastion' },
      { at: at(40 * 60_000), level: 'info', text: 'identity-service is pooled: 2 clients, 0 direct connections' },
      { at: at(41 * 60_000), level: 'warn', text: 'notification-service: the new pod was restarted once' },
    ],
    logLines: Array.from({ length: 40 }, (_, n) => ({
      source: 'notification-service-6f9d7c5b44-x2x4k',
      text: `level=info msg="request served" path=/notify n=${n} duration=${(n * 7) % 31}ms`,
    })),
    lock: { holder: 'alice@bastion', mine: true, ageMs: 2000 },
    cluster: { state: 'ok', ageMs: 700, version: 'v1.36.0' },
    journal: {
      path: '~/.local/state/pgb-wizard/runs/7f3a/events.jsonl',
      events: 214,
      headHash: '9c1e55f0a7d24c3b8e6f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f',
    },
    ...more,
  };
}

const CHECKLIST: readonly string[] = [
  'All service pods are Running and Ready',
  'PgBouncer pods are Running, 2/2 Ready',
  'No authentication errors in the logs',
  'Pool utilisation is below 80 %',
  'No client waits for a connection',
  'Metrics reach Prometheus',
  'Health endpoints answer',
  'PostgreSQL connections are as computed',
];

function gates(verdict: GateView['verdict'] = 'pass'): GateView[] {
  const history = (base: number, last: GateView['verdict']) =>
    Array.from({ length: 24 }, (_, n) => ({
      at: at(n * 30_000),
      verdict: n > 20 ? last : ('pass' as const),
      value: base + ((n * 5) % 7),
    }));
  return [
    {
      id: 'waiting',
      title: 'clients waiting',
      verdict,
      observed: verdict === 'pass' ? '0' : '7 in 3 samples',
      limit: '0',
      history: history(0, verdict),
    },
    {
      id: 'active',
      title: 'servers active',
      verdict: 'pass',
      observed: '9',
      limit: 'at most 40',
      history: history(9, 'pass'),
    },
    {
      id: 'latency',
      title: 'query time',
      verdict: 'pass',
      observed: '1.4 ms',
      limit: 'at most 5 s',
      history: history(1, 'pass'),
    },
    {
      id: 'errors',
      title: 'errors in the logs',
      verdict: 'inconclusive',
      observed: 'cdn-service has no log',
      limit: '0 new',
      history: history(0, 'inconclusive'),
    },
  ];
}

function withStep(snapshot: RunSnapshot, id: string, more: Partial<StepView>): RunSnapshot {
  return { ...snapshot, steps: snapshot.steps.map((step) => (step.id === id ? { ...step, ...more } : step)) };
}

const PREVIEW = {
  summary: 'switch DATABASE_URL of deployment/notification-service to pgbouncer:6432',
  diff: [
    { kind: 'context', text: 'deployment/notification-service, container app' },
    { kind: 'remove', text: 'DATABASE_URL=postgresql://nova_user:***@postgres:5432/nova' },
    { kind: 'add', text: 'DATABASE_URL=postgresql://nova_user:***@pgbouncer:6432/nova' },
    { kind: 'note', text: 'rolls 1 pod; the original value is kept in secret/pgb-wizard-originals-7f3a' },
  ],
  commands: [
    'kubectl set env deployment/notification-service -c app DATABASE_URL=*** -n nova',
    'kubectl rollout status deployment/notification-service -n nova --timeout=5m',
  ],
  departures: [
    'The guide overwrites the whole value; only host and port are replaced, so that options behind the ? survive.',
  ],
  warnings: ['no PodDisruptionBudget selects these pods'],
} as const;

const failureAsk: Ask = {
  id: 'ask-9',
  kind: 'failure',
  stepId: 'p3.auth-service.migrate',
  title: 'auth-service does not start with the pooler',
  service: 'auth-service',
  cause:
    'container app of auth-service-58c9f6d4b7-2m8xv is in CrashLoopBackOff: exit code 1, "password authentication failed for user nova_user"',
  hint: 'Roll auth-service back, then compare its password with the verifier in secret/pgbouncer-userlist.',
  verdict: 'fail',
  findings: [
    {
      symptom: 'authentication failures',
      cause: 'the password in secret/auth-db differs from the one the verifier was made from',
      check: 'SHOW CLIENTS and the log of pgbouncer-7d9c5b8f4-fzxtq',
      observed: '12 x "password authentication failed" in 30 s',
      fix: 'Put the same password in secret/auth-db, or run p1.credentials again with it.',
    },
  ],
  logTail: [
    'app  | connecting to pgbouncer:6432',
    'app  | FATAL: password authentication failed for user "nova_user"',
    'app  | exit 1',
  ],
  options: ['retry', 'rollback-service', 'rollback-phase', 'rollback-all', 'waive', 'leave'],
};

const decideAsk: Ask = {
  id: 'ask-5',
  kind: 'decide',
  stepId: 'p2.decide',
  phase: 'p2',
  title: 'Continue with phase 3?',
  gates: gates(),
  soakMs: 30 * 60_000,
  soakUntil: at(41 * 60_000 + 12_000 + 11 * 60_000),
  recommendation: 'wait',
};

const rollbackAsk: Ask = {
  id: 'ask-7',
  kind: 'rollback',
  scope: { kind: 'phase', phase: 'p2' },
  title: 'Roll back phase 2: 3 services',
  preview: {
    summary: 'put the original DATABASE_URL of 3 services back, to the byte, in reverse order',
    diff: ['cdn-service', 'notification-service', 'identity-service'].flatMap((name) => [
      { kind: 'context' as const, text: `deployment/${name}, container app` },
      { kind: 'remove' as const, text: 'DATABASE_URL=postgresql://nova_user:***@pgbouncer:6432/nova' },
      { kind: 'add' as const, text: 'DATABASE_URL=postgresql://nova_user:***@postgres:5432/nova' },
    ]),
    commands: ['kubectl patch deployment/cdn-service -n nova --type json -p ***'],
    destructive: true,
  },
  services: ['cdn-service', 'notification-service', 'identity-service'],
  typed: 'prod-eu-1/nova',
};

const reconcileAsk: Ask = {
  id: 'ask-1',
  kind: 'reconcile',
  rows: [
    { what: 'identity-service', journal: 'pooled', cluster: 'pooled, 1/1 Ready', willDo: 'nothing', verdict: 'agrees' },
    {
      what: 'notification-service',
      journal: 'switch sent, no answer seen',
      cluster: 'new template, 0/1 Ready',
      willDo: 'wait for the rollout',
      verdict: 'continue',
    },
    {
      what: 'cdn-service',
      journal: 'not begun',
      cluster: 'DATABASE_URL changed by argocd',
      willDo: 'ask before it is touched',
      verdict: 'ask',
    },
    {
      what: 'lock',
      journal: 'held by alice@bastion',
      cluster: 'expired 4 m ago',
      willDo: 'take it',
      verdict: 'continue',
    },
  ],
};

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
      waitingFor: { text: 'your confirmation of the change', since: at(41 * 60_000) },
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
      ask: { ...decideAsk, soakUntil: at(40 * 60_000), recommendation: 'continue' },
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

/** A fleet of `count` invented services, for measurements. */
export function bigSnapshot(count: number, podCount: number, poolCount: number): RunSnapshot {
  const fleet = Array.from(
    { length: count },
    (_, n) => [`team-${n % 17}-workload-with-a-long-name-${n}`, `p${2 + (n % 3)}`, 1 + (n % 4)] as const,
  );
  return snapshotAt(
    `p3.${fleet[Math.floor(count / 2 / 3) * 3 + 1]?.[0]}.migrate`,
    { pools: pools({ podCount, poolsPerPod: Math.ceil(poolCount / podCount), samples: 120 }) },
    fleet,
  );
}

export interface FakeHandle extends RunHandle {
  readonly sent: Intent[];
  /** Publishes a new snapshot. */
  show(snapshot: RunSnapshot): void;
}

/** A handle that shows what it is told to and remembers what it is sent. It ends when shown an ended snapshot. */
export function fakeHandle(first: RunSnapshot): FakeHandle {
  let current = first;
  const listeners = new Set<() => void>();
  const sent: Intent[] = [];
  let end: (snapshot: RunSnapshot) => void = () => undefined;
  const ended = new Promise<RunSnapshot>((resolve) => {
    end = resolve;
  });
  if (first.status === 'ended') end(first);
  return {
    sent,
    ended,
    snapshot: () => current,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    send(intent) {
      sent.push(intent);
    },
    show(snapshot) {
      current = snapshot;
      for (const listener of listeners) listener();
      if (snapshot.status === 'ended') end(snapshot);
    },
  };
}
