import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf, sampleEvents } from '../../../test/corruption/sample-run.ts';
import type { JournalLine, RunEvent } from './events.ts';
import { emptyState, fold, foldAll, phaseViews, type RunState } from './fold.ts';

const lines = linesOf(sampleEvents());
const state = foldAll(lines)!;
const upTo = (type: RunEvent['type'], offset = 0) =>
  foldAll(lines.slice(0, lines.findIndex((line) => line.event.type === type) + 1 + offset))!;

test('one line at a time gives the same state as all at once, from any point', () => {
  const first = lines[0]!;
  if (first.event.type !== 'run.started') throw new Error('the sample starts with run.started');
  let incremental: RunState = emptyState(first.event, first);
  for (const line of lines.slice(1)) incremental = fold(incremental, line);
  expect(incremental).toEqual(state);
  fc.assert(
    fc.property(fc.nat({ max: lines.length - 1 }), (cut) => {
      const resumed = lines.slice(cut + 1).reduce(fold, foldAll(lines.slice(0, cut + 1))!);
      expect(resumed).toEqual(state);
    }),
    { numRuns: 40 },
  );
});

test('any order of events folds without an exception and never changes the state before', () => {
  const event = fc.constantFrom(...lines.map((line) => line.event));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const shuffled = linesOf([lines[0]!.event, ...events]);
      let current = foldAll(shuffled.slice(0, 1))!;
      for (const line of shuffled.slice(1)) {
        const frozen = JSON.stringify(current);
        const next = fold(current, line);
        expect(JSON.stringify(current)).toBe(frozen);
        current = next;
      }
      expect(phaseViews(current).length).toBeGreaterThan(0);
    }),
    { numRuns: 60 },
  );
});

test('an event of an unknown type is counted and otherwise left alone', () => {
  const odd = { ...lines[1]!, event: { type: 'something.new', deep: { a: 1 } } } as unknown as JournalLine;
  const next = fold(upTo('run.started'), odd);
  expect(next).toEqual({ ...upTo('run.started'), events: 2, head: odd.hash, updatedAt: odd.at });
});

test('a call whose outcome was not written, or is unknown, stays open', () => {
  expect(upTo('call.intent').openCalls).toEqual(['1']);
  expect(upTo('call.outcome').openCalls).toEqual([]);
  const unknown = state.calls.find((call) => call.outcome?.result === 'unknown')!;
  expect(state.openCalls).toEqual([unknown.callId]);
});

test('a retried step has its new attempt only, a finished one its evidence', () => {
  const retried = state.steps.find((step) => step.id === 'p3.auth-service.migrate')!;
  expect([retried.attempts, retried.state, retried.cause]).toEqual([2, 'pass', undefined]);
  expect(retried.evidence.map((evidence) => evidence.observed)).toEqual(['3 of 3 pods Ready']);
});

test('hold, park and resume change the status and are kept', () => {
  expect(upTo('run.held')).toMatchObject({ status: 'held', heldFor: 'nothing unusual' });
  expect(upTo('run.unheld').status).toBe('running');
  expect(upTo('run.parked')).toMatchObject({ status: 'parked', parkedFor: 'terminal closed' });
  expect(upTo('run.resumed')).toMatchObject({
    status: 'running',
    operator: 'carol@laptop',
    startedBy: 'alice@bastion',
    pid: 99,
  });
  expect(state.holds[0]?.until).toBeDefined();
});

test('a rollback is a status while it lasts, and a state of its service after', () => {
  expect(upTo('rollback.started').status).toBe('rolling-back');
  expect(upTo('rollback.finished').rollbacks[0]).toMatchObject({ ok: true, services: ['media-service'] });
  expect(state.services.find((service) => service.name === 'media-service')?.state).toBe('rolled-back');
  expect(state.steps.at(-1)).toMatchObject({
    id: 'rollback.media-service',
    phase: 'rollback',
    service: 'media-service',
  });
});

test('phases count services where there are some, steps elsewhere', () => {
  const phases = Object.fromEntries(phaseViews(state).map((phase) => [phase.id, phase]));
  expect(phases.p1).toMatchObject({ number: 1, title: 'Deploy PgBouncer', done: 2, total: 2, state: 'done' });
  expect(phases.p2).toMatchObject({ number: 2, title: 'Pilot services', done: 3, total: 3, state: 'done' });
  expect(phases.p5).toMatchObject({ done: 0, total: 1, state: 'todo' });
});

test('a journal that does not begin with run.started has no state', () => {
  expect(foldAll([])).toBeUndefined();
  expect(foldAll(lines.slice(1))).toBeUndefined();
});
