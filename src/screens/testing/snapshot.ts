/** A whole snapshot of a run at a step. */
import type { PhaseView, RunSnapshot, ServiceView, StepInfo, StepState, StepView } from '../../engine/run/model.ts';
import { at, FLEET, PHASE_TITLES, stepInfos } from './fleet.ts';
import { CHECKLIST, evidence, gates, pools } from './measured.ts';

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
    following: { sources: ['pgbouncer-7d4b9-4kkq2', 'identity-service-6f9c-x2x1z'] },
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
export function withStep(snapshot: RunSnapshot, id: string, more: Partial<StepView>): RunSnapshot {
  return { ...snapshot, steps: snapshot.steps.map((step) => (step.id === id ? { ...step, ...more } : step)) };
}
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
