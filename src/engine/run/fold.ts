/**
 * `RunState = fold(events)`. Pure: the same lines always give the same state, one line at a time or all at once. It
 * knows nothing of the cluster and of time, and copies only what a line changes, because a run folds thousands of them.
 * An event type it doesn't know (a newer patch release wrote it) is counted and otherwise left alone.
 */
import type { JournalLine, RunEvent } from './events.ts';
import type { RunState } from './fold-types.ts';
import type { PhaseView, StepView } from './model.ts';

export type { CallState, RunState, ServiceRunState } from './fold-types.ts';

const POOL_SAMPLES_KEPT = 720;
const MESSAGES_KEPT = 200;
const EVIDENCE_KEPT = 200;

type Started = Extract<RunEvent, { readonly type: 'run.started' }>;

/** The state after `run.started`, given the line that holds it. */
export function emptyState(event: Started, line: Pick<JournalLine, 'at' | 'hash'>): RunState {
  return {
    runId: event.runId,
    startedBy: event.operator,
    operator: event.operator,
    host: event.host,
    pid: event.pid,
    toolVersion: event.toolVersion,
    planName: event.planName,
    planHash: event.planHash,
    plan: event.plan,
    cluster: event.cluster,
    rehearsal: event.rehearsal,
    timeScale: event.timeScale,
    change: event.change,
    startedAt: line.at,
    updatedAt: line.at,
    status: 'running',
    steps: event.steps.map((info) => ({ ...info, state: 'todo', evidence: [], attempts: 0 })),
    services: event.services.map((service) => ({ ...service, state: 'direct' })),
    checklist: [],
    decisions: [],
    calls: [],
    openCalls: [],
    facts: {},
    resumes: [],
    holds: [],
    rollbacks: [],
    gates: [],
    poolHistory: [],
    messages: [],
    events: 1,
    head: line.hash,
  };
}

/** The state of a whole journal, or undefined when it doesn't begin with `run.started`. */
export function foldAll(lines: readonly JournalLine[]): RunState | undefined {
  const [first, ...rest] = lines;
  if (first?.event.type !== 'run.started') return undefined;
  return rest.reduce(fold, emptyState(first.event, first));
}

/** The state after one more line. */
export function fold(state: RunState, line: JournalLine): RunState {
  const next = apply(state, line.event, line);
  return { ...next, updatedAt: line.at, events: state.events + 1, head: line.hash };
}

const bounded = <T>(items: readonly T[], item: T, most: number): readonly T[] =>
  items.length < most ? [...items, item] : [...items.slice(items.length - most + 1), item];

function apply(state: RunState, event: RunEvent, line: JournalLine): RunState {
  const at = line.at;
  switch (event.type) {
    case 'run.started':
      // Only the first line may start a run (journal-read.ts refuses others); a second one changes nothing.
      return state;
    case 'run.resumed':
      return {
        ...state,
        operator: event.operator,
        host: event.host,
        pid: event.pid,
        toolVersion: event.toolVersion,
        status: state.heldFor === undefined ? 'running' : 'held',
        outcome: undefined,
        cause: undefined,
        endedAt: undefined,
        parkedFor: undefined,
        resumes: [...state.resumes, { at, operator: event.operator, host: event.host, rows: event.rows }],
      };
    case 'run.held':
      return {
        ...state,
        status: 'held',
        heldFor: event.reason,
        holds: [...closeHold(state, at), { at, who: event.who, reason: event.reason }],
      };
    case 'run.unheld':
      return {
        ...state,
        status: state.rollbacks.some((rollback) => rollback.finishedAt === undefined) ? 'rolling-back' : 'running',
        heldFor: undefined,
        holds: closeHold(state, at),
      };
    case 'run.parked':
      return { ...state, status: 'parked', parkedFor: event.reason };
    case 'run.ended':
      return {
        ...state,
        status: 'ended',
        outcome: event.outcome,
        cause: event.cause,
        endedAt: at,
        currentStep: undefined,
        pendingBack: undefined,
        openDecision: undefined,
      };
    case 'step.started':
      return {
        ...withStep(state, event.id, (step) => ({
          ...step,
          state: 'running',
          attempts: event.attempt,
          startedAt: at,
          finishedAt: undefined,
          evidence: [],
          cause: undefined,
          hint: undefined,
          note: undefined,
        })),
        currentStep: event.id,
        pendingBack: event.id.startsWith('rollback.') ? state.pendingBack : undefined,
      };
    case 'step.previewed':
      return withStep(state, event.id, (step) => ({ ...step, preview: event.preview }));
    case 'step.evidence':
      return withStep(state, event.id, (step) => ({
        ...step,
        evidence: bounded(step.evidence, event.evidence, EVIDENCE_KEPT),
      }));
    case 'step.finished':
      return {
        ...withStep(state, event.id, (step) => ({
          ...step,
          state: event.state,
          finishedAt: at,
          cause: event.cause,
          hint: event.hint,
          note: event.note,
        })),
        currentStep: state.currentStep === event.id ? undefined : state.currentStep,
        openDecision: state.openDecision?.stepId === event.id ? undefined : state.openDecision,
      };
    case 'service.state':
      return {
        ...state,
        services: state.services.map((service) =>
          service.name === event.service ? { ...service, state: event.state, changedAt: at } : service,
        ),
      };
    case 'call.intent':
      return {
        ...state,
        calls: [...state.calls, { callId: event.callId, seq: line.seq, at, intent: event }],
        openCalls: [...state.openCalls, event.callId],
      };
    case 'call.outcome': {
      const open = state.openCalls.filter((id) => id !== event.callId);
      return {
        ...state,
        calls: state.calls.map((call) =>
          call.callId === event.callId ? { ...call, outcome: event, outcomeAt: at } : call,
        ),
        openCalls: event.result === 'unknown' ? [...open, event.callId] : open,
      };
    }
    case 'asked':
    case 'answered':
      return state;
    case 'decided': {
      const { type: _, ...decision } = event;
      return {
        ...state,
        decisions: [...state.decisions, { ...decision, at }],
        gates: event.gates,
        openDecision: event.action === 'continue' ? { ...decision, at } : state.openDecision,
        pendingBack:
          event.action === 'rollback'
            ? { scope: { kind: 'phase', phase: event.phase }, done: false }
            : state.pendingBack,
      };
    }
    case 'rollback.started':
      return {
        ...state,
        status: 'rolling-back',
        rollbacks: [...state.rollbacks, { at, scope: event.scope, services: event.services, who: event.who }],
        pendingBack: { scope: event.scope, done: false },
      };
    case 'rollback.finished':
      return {
        ...state,
        status: state.status === 'rolling-back' ? 'running' : state.status,
        rollbacks: state.rollbacks.map((rollback) =>
          rollback.finishedAt === undefined ? { ...rollback, finishedAt: at, ok: event.ok } : rollback,
        ),
        pendingBack: { scope: event.scope, done: event.ok },
      };
    case 'pools.sampled':
      return { ...state, poolHistory: bounded(state.poolHistory, event.sample, POOL_SAMPLES_KEPT) };
    case 'checklist':
      return {
        ...state,
        checklist: [
          ...state.checklist.filter(
            (old) => !event.items.some((item) => item.phase === old.phase && item.item === old.item),
          ),
          ...event.items,
        ],
      };
    case 'fact':
      return { ...state, facts: { ...state.facts, [event.key]: event.value } };
    case 'message':
      return {
        ...state,
        messages: bounded(state.messages, { at, level: event.level, text: event.text }, MESSAGES_KEPT),
      };
    default:
      return state;
  }
}

function closeHold(state: RunState, at: string): RunState['holds'] {
  return state.holds.map((hold) => (hold.until === undefined ? { ...hold, until: at } : hold));
}

/** Changes one step; a step the plan didn't name (`rollback.feed-service`) is added at the end. */
function withStep(state: RunState, id: string, change: (step: StepView) => StepView): RunState {
  const index = state.steps.findIndex((step) => step.id === id);
  if (index >= 0) return { ...state, steps: state.steps.with(index, change(state.steps[index]!)) };
  const [phase = id, service] = id.split('.');
  const known = state.services.some((candidate) => candidate.name === service);
  const added: StepView = {
    id,
    guide: phase === 'rollback' ? 'rollback' : '-',
    title: phase === 'rollback' && service !== undefined ? `Roll back ${service}` : id,
    phase,
    kind: 'change',
    ...(known ? { service } : {}),
    state: 'todo',
    evidence: [],
    attempts: 0,
  };
  return { ...state, steps: [...state.steps, change(added)] };
}

const PHASE_TITLES: Readonly<Record<string, string>> = {
  preflight: 'Preflight',
  p1: 'Deploy PgBouncer',
  p2: 'Pilot services',
  p3: 'Core services',
  p4: 'Critical services',
  p5: 'Verify and clean up',
  rollback: 'Rollback',
  post: 'After the migration',
};

const COMPLETE = new Set(['pass', 'waived', 'skipped']);

/** The phases as the checklist shows them: services are the units of phases 2-4, steps elsewhere. */
export function phaseViews(state: RunState): readonly PhaseView[] {
  const planned = titlesOf(state.plan);
  const ids = [...new Set(state.steps.map((step) => step.phase))];
  return ids.map((id, index) => {
    const steps = state.steps.filter((step) => step.phase === id);
    const services = state.services.filter((service) => service.phase === id);
    const done =
      services.length > 0
        ? services.filter((service) => {
            const own = steps.filter((step) => step.service === service.name);
            return own.length > 0 ? own.every((step) => COMPLETE.has(step.state)) : service.state === 'pooled';
          }).length
        : steps.filter((step) => COMPLETE.has(step.state)).length;
    const number = /^p(\d)$/.exec(id)?.[1];
    return {
      id,
      number: number === undefined ? index : Number(number),
      title: planned.get(id) ?? PHASE_TITLES[id] ?? id,
      state: phaseState(steps, isBack(services)),
      done,
      total: services.length > 0 ? services.length : steps.length,
      stepIds: steps.map((step) => step.id),
    };
  });
}

/** One that was never switched does not make a phase that went back one that is done. */
const isBack = (services: readonly { readonly state: string }[]): boolean =>
  services.some(({ state }) => state === 'rolled-back') &&
  services.every(({ state }) => state === 'rolled-back' || state === 'direct');

function phaseState(steps: readonly StepView[], rolledBack: boolean): PhaseView['state'] {
  if (rolledBack) return 'rolled-back';
  if (steps.some((step) => step.state === 'running')) return 'running';
  if (steps.some((step) => step.state === 'fail' || step.state === 'inconclusive')) return 'failed';
  if (steps.every((step) => COMPLETE.has(step.state))) return 'done';
  return steps.some((step) => step.state !== 'todo') ? 'running' : 'todo';
}

function titlesOf(plan: RunState['plan']): Map<string, string> {
  const phases = (plan as { phases?: unknown } | null)?.phases;
  if (!Array.isArray(phases)) return new Map();
  return new Map(
    phases.map((phase: { id?: unknown; title?: unknown }) => [String(phase?.id), String(phase?.title ?? phase?.id)]),
  );
}
