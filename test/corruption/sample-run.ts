/** A run as the journal tells it: the guide's plan with one of everything that can happen. Deterministic. */
import { loadedPlan } from '../../src/engine/plan/load.ts';
import { NOVA_PLAN } from '../../src/engine/plan/nova.ts';
import type { JournalLine, RunEvent } from '../../src/engine/run/events.ts';
import { makeLine, NO_HASH } from '../../src/engine/run/journal-line.ts';
import type { JsonValue, PoolRow, StepInfo } from '../../src/engine/run/model.ts';

const START = Date.parse('2026-03-14T20:00:00.000Z');
export const timeAt = (seconds: number) => new Date(START + seconds * 1000).toISOString();

export function poolRow(change: Partial<PoolRow> = {}): PoolRow {
  return {
    pod: 'pgbouncer-7d9f8b6c5-fzxtq',
    database: 'nova',
    user: 'nova_user',
    clActive: 4,
    clWaiting: 0,
    svActive: 1,
    svIdle: 8,
    svUsed: 1,
    svTested: 0,
    svLogin: 0,
    maxwaitMs: 0,
    poolMode: 'transaction',
    queriesPerSecond: 212,
    avgQueryMs: 1.5,
    avgWaitMs: 0.1,
    ...change,
  };
}

const step = (id: string, guide: string, title: string, kind: StepInfo['kind'], service?: string): StepInfo => ({
  id,
  guide,
  title,
  phase: id.split('.')[0]!,
  kind,
  ...(service ? { service } : {}),
});

/** The first event. `runId` and `text` let a test make runs that differ, and put hostile text into one. */
export function startedEvent(
  runId = '7f3a91c2',
  title = 'Move nova to PgBouncer',
): Extract<RunEvent, { type: 'run.started' }> {
  const { plan, hash } = loadedPlan(NOVA_PLAN, 'built-in nova');
  const services = plan.phases.flatMap((phase) =>
    phase.services.map((service) => ({ name: service.name, phase: phase.id, workload: `deployment/${service.name}` })),
  );
  return {
    type: 'run.started',
    runId,
    operator: 'alice@bastion',
    host: 'bastion',
    pid: 4711,
    toolVersion: '0.1.0',
    planName: plan.name,
    planHash: hash,
    plan: plan as unknown as JsonValue,
    cluster: {
      context: 'prod-eu-1',
      namespace: 'nova',
      uid: '0b9f0d7e-0000-4000-8000-000000000001',
      version: 'v1.36.0',
    },
    rehearsal: false,
    timeScale: 1,
    steps: [
      step('preflight', '-', 'Preflight', 'check'),
      step('p1.secret', '1.2', 'Create the userlist Secret', 'change'),
      step('p1.deploy', '1.3', 'Deploy PgBouncer', 'change'),
      ...plan.phases.flatMap((phase) => [
        ...phase.services.flatMap((service) => [
          step(`${phase.id}.${service.name}.migrate`, '2.1', `Migrate ${service.name}`, 'change', service.name),
          step(
            `${phase.id}.${service.name}.observe`,
            '2.2',
            `Watch the pools after ${service.name}`,
            'observe',
            service.name,
          ),
        ]),
        step(`${phase.id}.decide`, 'decision', `Decide after ${phase.title}`, 'decide'),
      ]),
      step('p5.document', '5.3', 'Save the final state', 'document'),
    ],
    services,
    change: { number: 'CHG0030042', title },
  };
}

/** Events of a whole run: a retry, a waiver, a hold, a resume, a rollback, an unknown outcome, a decision before its time. */
export function sampleEvents(runId?: string, text = 'nothing unusual'): readonly RunEvent[] {
  const started = startedEvent(runId, text === 'nothing unusual' ? undefined : text);
  const events: RunEvent[] = [started];
  const evidence = (verdict: 'pass' | 'fail' | 'inconclusive', observed: string) => ({
    check: 'rollout',
    verdict,
    observed,
    at: timeAt(events.length),
  });
  let calls = 0;
  const change = (
    id: string,
    kind: string,
    name: string,
    direction: 'forward' | 'back',
    result?: 'done' | 'unknown',
  ) => {
    calls++;
    events.push({
      type: 'call.intent',
      callId: String(calls),
      step: id,
      attempt: 1,
      verb: 'patch',
      target: { kind, namespace: 'nova', name },
      direction,
      before: `hmac:${name}:direct`,
      expect: `hmac:${name}:pooled`,
      auditId: `pgbw-${started.runId}-${calls}-1`,
    });
    if (result)
      events.push({
        type: 'call.outcome',
        callId: String(calls),
        result,
        ...(result === 'done' ? { after: `hmac:${name}:pooled` } : { error: text }),
      });
  };
  for (const id of ['preflight', 'p1.secret', 'p1.deploy']) {
    events.push({ type: 'step.started', id, attempt: 1 });
    if (id !== 'preflight') change(id, 'Secret', 'pgbouncer-userlist', 'forward', 'done');
    events.push(
      { type: 'step.evidence', id, evidence: evidence('pass', text) },
      { type: 'step.finished', id, state: 'pass' },
    );
  }
  for (const [index, service] of started.services.entries()) {
    const id = `${service.phase}.${service.name}`;
    events.push({ type: 'step.started', id: `${id}.migrate`, attempt: 1 });
    events.push({
      type: 'step.previewed',
      id: `${id}.migrate`,
      preview: {
        summary: `switch DATABASE_URL of ${service.workload} to pgbouncer:6432`,
        diff: [{ kind: 'add', text }],
        commands: [`kubectl -n nova patch ${service.workload} --type=json -p '[…]'`],
        departures:
          index === 0 ? ['the guide writes the password into the Deployment; a Secret is referred to instead'] : [],
      },
    });
    events.push({ type: 'service.state', service: service.name, state: 'switching' });
    change(`${id}.migrate`, 'Deployment', service.name, 'forward', 'done');
    if (index === 3) {
      events.push({ type: 'step.finished', id: `${id}.migrate`, state: 'fail', cause: text, hint: 'look at the log' });
      events.push({ type: 'asked', askId: 'ask-1', kind: 'failure', stepId: `${id}.migrate`, title: text });
      events.push({
        type: 'answered',
        askId: 'ask-1',
        who: 'alice@bastion',
        answer: { kind: 'failure', action: 'retry', reason: text },
      });
      events.push({ type: 'step.started', id: `${id}.migrate`, attempt: 2 });
    }
    events.push({ type: 'step.evidence', id: `${id}.migrate`, evidence: evidence('pass', '3 of 3 pods Ready') });
    events.push({ type: 'service.state', service: service.name, state: 'pooled' });
    events.push({ type: 'step.finished', id: `${id}.migrate`, state: 'pass' });
    events.push({ type: 'step.started', id: `${id}.observe`, attempt: 1 });
    for (let sample = 0; sample < 3; sample++) {
      const rows = [
        poolRow({ clActive: 4 + index, svActive: sample }),
        poolRow({ pod: 'pgbouncer-7d9f8b6c5-hgh6q', clWaiting: index === 5 ? 2 : 0, maxwaitMs: index === 5 ? 40 : 0 }),
      ];
      events.push({ type: 'pools.sampled', sample: { at: timeAt(events.length), rows } });
    }
    events.push({
      type: 'step.finished',
      id: `${id}.observe`,
      state: index === 2 ? 'waived' : 'pass',
      note: index === 2 ? text : undefined,
    });
    if (service.name === 'cdn-service') {
      events.push({
        type: 'checklist',
        items: [
          {
            phase: 'p2',
            item: 'Pod is Running and Ready',
            verdict: 'pass',
            observed: '5 of 5',
            at: timeAt(events.length),
          },
        ],
      });
      events.push({ type: 'step.started', id: 'p2.decide', attempt: 1 });
      events.push({
        type: 'decided',
        stepId: 'p2.decide',
        phase: 'p2',
        who: 'bob@desk',
        action: 'continue',
        reason: text,
        gates: [],
        override: true,
      });
      events.push({ type: 'step.finished', id: 'p2.decide', state: 'pass' });
    }
    if (service.name === 'messaging-service') {
      events.push({ type: 'run.held', who: 'bob@desk', reason: text }, { type: 'run.unheld', who: 'bob@desk' });
      events.push({ type: 'run.parked', reason: 'terminal closed' });
      events.push({
        type: 'run.resumed',
        operator: 'carol@laptop',
        host: 'laptop',
        pid: 99,
        toolVersion: '0.1.1',
        rows: [],
      });
    }
  }
  events.push({
    type: 'rollback.started',
    scope: { kind: 'service', service: 'media-service' },
    services: ['media-service'],
    who: 'carol@laptop',
  });
  events.push({ type: 'step.started', id: 'rollback.media-service', attempt: 1 });
  change('rollback.media-service', 'Deployment', 'media-service', 'back', 'unknown');
  events.push({ type: 'service.state', service: 'media-service', state: 'rolled-back' });
  events.push({ type: 'step.finished', id: 'rollback.media-service', state: 'pass' });
  events.push({ type: 'rollback.finished', scope: { kind: 'service', service: 'media-service' }, ok: true });
  events.push({ type: 'fact', key: 'postgres.maxConnections', value: 200 }, { type: 'message', level: 'warn', text });
  events.push({ type: 'run.ended', outcome: 'done' });
  return events;
}

/** Lines with a clock that ticks one second an event. */
export function linesOf(events: readonly RunEvent[]): readonly JournalLine[] {
  let prev = NO_HASH;
  return events.map((event, index) => {
    const { line } = makeLine(event, index + 1, timeAt(index), prev);
    prev = line.hash;
    return line;
  });
}
