/**
 * `buildRecord(state, lines)`: the canonical change record. A pure function of the journal: the same lines give the same
 * object, on any machine, in the middle of a run or after a crash.
 */
import { hashOf } from '../plan/canonical.ts';
import type { JournalLine, RunEvent } from '../run/events.ts';
import type { CallState, RunState } from '../run/fold.ts';
import { scrubDeep } from '../run/journal-line.ts';
import type { PoolSample, StepView } from '../run/model.ts';
import { checklistOf } from './checklist.ts';
import { closing, followUp } from './closing.ts';
import { deviationsOf } from './deviations.ts';
import { backoutPlan, implementationPlan, plannedMinutes, planOf, testPlan } from './plans.ts';
import { timelineOf } from './timeline.ts';
import {
  type ChangeRecord,
  type PoolFigures,
  RECORD_FORMAT,
  RECORD_SCHEMA,
  type RecordCall,
  type RecordStep,
  type RecordWorkload,
} from './types.ts';

const TITLE_LIMIT = 160;

/** `lines` must be the journal that `state` was folded from. */
export function buildRecord(state: RunState, lines: readonly JournalLine[]): ChangeRecord {
  const plan = planOf(state);
  const end = state.endedAt ?? state.updatedAt;
  const title =
    state.change?.title ??
    `Move ${state.services.length} services of ${state.cluster.namespace} from direct PostgreSQL to PgBouncer`;
  const record: ChangeRecord = {
    schema: RECORD_SCHEMA,
    format: RECORD_FORMAT,
    header: {
      runId: state.runId,
      changeNumber: state.change?.number,
      title: [...title].slice(0, TITLE_LIMIT).join(''),
      type: state.rehearsal ? 'rehearsal' : 'normal',
      risk: 'Low: one service at a time, every change is exactly reversible at any time',
      impact: `${state.services.length} services get a rolling restart; no planned downtime`,
      startedBy: state.startedBy,
      people: peopleOf(state, lines),
      plan: { name: state.planName, hash: state.planHash },
      toolVersion: state.toolVersion,
      cluster: state.cluster,
      rehearsal: state.rehearsal,
      timeScale: state.timeScale,
    },
    times: {
      plannedStart: plan?.window?.start,
      plannedEnd: plan?.window?.end,
      plannedMinutes: plan ? plannedMinutes(plan) : undefined,
      actualStart: state.startedAt,
      actualEnd: state.endedAt,
      actualMinutes: Math.round(secondsBetween(state.startedAt, end) / 6) / 10,
    },
    status: state.status === 'ended' ? 'closed' : state.status === 'parked' ? 'parked' : 'in progress',
    outcome: state.outcome,
    workloads: state.services.map((service) => workloadOf(state, service)),
    implementationPlan: implementationPlan(state),
    testPlan: testPlan(state),
    backoutPlan: backoutPlan(state),
    steps: stepsOf(state, lines),
    checklist: checklistOf(state),
    decisions: state.decisions.map((decision) => ({
      at: decision.at,
      step: decision.stepId,
      phase: decision.phase,
      who: decision.who,
      action: decision.action,
      reason: decision.reason,
      override: decision.override,
      gates: decision.gates.map(({ id, title, verdict, observed, limit }) => ({ id, title, verdict, observed, limit })),
    })),
    rollbacks: state.rollbacks,
    deviations: deviationsOf(state, lines),
    timeline: timelineOf(lines),
    pools: figuresOf(samplesOf(lines)),
    facts: state.facts,
    close: closing(state),
    followUp: followUp(state),
    journal: { events: state.events, head: state.head },
  };
  // Through JSON, so that what is written and what is rebuilt from the file are equal to the letter.
  return JSON.parse(JSON.stringify(scrubDeep(record))) as ChangeRecord;
}

function secondsBetween(from: string, to: string): number {
  return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
}

function peopleOf(state: RunState, lines: readonly JournalLine[]): readonly string[] {
  const people = new Set([state.startedBy]);
  for (const { event } of lines) {
    if (event.type === 'run.resumed') people.add(event.operator);
    else if ('who' in event) people.add(event.who);
  }
  return [...people];
}

function workloadOf(state: RunState, service: RunState['services'][number]): RecordWorkload {
  const name = service.workload.split('/').at(-1);
  const calls = state.calls.filter(({ intent }) => intent.target.name === name && intent.before !== undefined);
  const forward = calls.find((call) => call.intent.direction === 'forward');
  const done = calls.filter((call) => call.outcome?.result === 'done');
  const lastForward = done.findLast((call) => call.intent.direction === 'forward');
  const lastBack = done.findLast((call) => call.intent.direction === 'back');
  return {
    service: service.name,
    phase: service.phase,
    workload: service.workload,
    state: service.state,
    before: forward?.intent.before,
    after: done.at(-1)?.outcome?.after ?? done.at(-1)?.intent.expect,
    switchedAt: lastForward?.outcomeAt,
    // An unknown outcome that was settled by looking at the cluster has no call of its own that says done.
    rolledBackAt:
      service.state === 'rolled-back'
        ? lastBack && (!lastForward || lastBack.seq > lastForward.seq)
          ? lastBack.outcomeAt
          : service.changedAt
        : undefined,
  };
}

function stepsOf(state: RunState, lines: readonly JournalLine[]): readonly RecordStep[] {
  const first = new Map<string, string>();
  const samples = new Map<string, PoolSample[]>();
  let running = new Set<string>();
  for (const { event, at } of lines) {
    if (event.type === 'step.started') {
      if (!first.has(event.id)) first.set(event.id, at);
      running.add(event.id);
    } else if (event.type === 'step.finished') {
      running.delete(event.id);
    } else if (event.type === 'run.resumed') {
      running = new Set();
    } else if (event.type === 'pools.sampled') {
      for (const id of running) {
        const own = samples.get(id);
        if (own) own.push(event.sample);
        else samples.set(id, [event.sample]);
      }
    }
  }
  return state.steps.map((step) => recordStep(step, state.calls, first.get(step.id), samples.get(step.id)));
}

function recordStep(
  step: StepView,
  calls: readonly CallState[],
  startedAt: string | undefined,
  samples: readonly PoolSample[] | undefined,
): RecordStep {
  return {
    id: step.id,
    guide: step.guide,
    title: step.title,
    phase: step.phase,
    kind: step.kind,
    service: step.service,
    state: step.state,
    attempts: step.attempts,
    startedAt,
    finishedAt: step.finishedAt,
    seconds:
      startedAt && step.finishedAt ? Math.round(secondsBetween(startedAt, step.finishedAt) * 10) / 10 : undefined,
    commands: step.preview?.commands ?? [],
    departures: step.preview?.departures ?? [],
    summary: step.preview?.summary,
    evidence: step.evidence,
    evidenceDigest: hashOf(step.evidence),
    calls: calls.filter((call) => call.intent.step === step.id).map(recordCall),
    pools: samples ? figuresOf(samples) : undefined,
    cause: step.cause,
    hint: step.hint,
    note: step.note,
  };
}

function recordCall({ callId, at, intent, outcome }: CallState): RecordCall {
  const { kind, namespace, name } = intent.target;
  return {
    callId,
    at,
    verb: intent.verb,
    target: `${kind} ${namespace ? `${namespace}/` : ''}${name}`,
    direction: intent.direction,
    result: outcome?.result ?? 'open',
    auditId: intent.auditId,
    before: intent.before,
    after: outcome?.after,
    error: outcome?.error,
  };
}

type Sampled = Extract<RunEvent, { readonly type: 'pools.sampled' }>;

/** All samples of a journal, oldest first. */
export function samplesOf(lines: readonly JournalLine[]): readonly PoolSample[] {
  return lines.flatMap(({ event }) => (event.type === 'pools.sampled' ? [(event as Sampled).sample] : []));
}

/** Sums over all pooler pods, without the console's own pool. */
export function totalsOf(sample: PoolSample): {
  clients: number;
  waiting: number;
  active: number;
  idle: number;
  waitMs: number;
} {
  const totals = { clients: 0, waiting: 0, active: 0, idle: 0, waitMs: 0 };
  for (const row of sample.rows) {
    if (row.database === 'pgbouncer') continue;
    totals.clients += row.clActive + row.clWaiting;
    totals.waiting += row.clWaiting;
    totals.active += row.svActive;
    // PgBouncer moves idle connections to `used` after server_check_delay: both are free ones.
    totals.idle += row.svIdle + row.svUsed;
    totals.waitMs = Math.max(totals.waitMs, row.maxwaitMs);
  }
  return totals;
}

function figuresOf(samples: readonly PoolSample[]): PoolFigures {
  const figures = { samples: samples.length, peakWaiting: 0, peakActive: 0, peakClients: 0, longestWaitMs: 0 };
  for (const sample of samples) {
    const totals = totalsOf(sample);
    figures.peakWaiting = Math.max(figures.peakWaiting, totals.waiting);
    figures.peakActive = Math.max(figures.peakActive, totals.active);
    figures.peakClients = Math.max(figures.peakClients, totals.clients);
    figures.longestWaitMs = Math.max(figures.longestWaitMs, totals.waitMs);
  }
  return figures;
}
