import { expect, test } from 'vitest';
import type { RunState } from './fold.ts';
import { stepsToRedo } from './redo.ts';

const PLANNED = [
  'p2.identity-service.migrate',
  'p2.cdn-service.migrate',
  'p2.cdn-service.observe',
  'p2.decide',
  'p3.decide',
];

/** Two services of phase 2; `cdn`: where the second one is, and what became of its steps. */
function stateWith(cdn: string, migrate: string, observe = migrate) {
  const states: Record<string, string> = { 'p2.cdn-service.migrate': migrate, 'p2.cdn-service.observe': observe };
  return {
    services: [
      { name: 'identity-service', phase: 'p2', state: 'pooled' },
      { name: 'cdn-service', phase: 'p2', state: cdn },
    ],
    steps: PLANNED.map((id) => ({
      id,
      phase: id.slice(0, 2),
      state: states[id] ?? 'pass',
      ...(id.includes('-') ? { service: id.split('.')[1] } : {}),
    })),
  } as unknown as Pick<RunState, 'services' | 'steps'>;
}

test('a service that was rolled back after it had passed is due again, and the decision of its phase with it', () => {
  expect([...stepsToRedo(stateWith('rolled-back', 'pass'), PLANNED)]).toEqual([
    'p2.cdn-service.migrate',
    'p2.cdn-service.observe',
    'p2.decide',
  ]);
});

test('a service that was left out with a reason asks for no decision twice', () => {
  expect([...stepsToRedo(stateWith('rolled-back', 'waived', 'skipped'), PLANNED)]).toEqual([]);
  expect([...stepsToRedo(stateWith('direct', 'skipped'), PLANNED)]).toEqual([]);
});

test('a switch that was accepted without a proof is due again when it was taken back later', () => {
  expect([...stepsToRedo(stateWith('rolled-back', 'waived', 'pass'), PLANNED)]).toEqual([
    'p2.cdn-service.migrate',
    'p2.cdn-service.observe',
    'p2.decide',
  ]);
});

test('of a batch, whose services no step names, everything is due again', () => {
  const state = stateWith('rolled-back', 'pass');
  const batch = {
    ...state,
    steps: state.steps.map((step) => (step.service === 'cdn-service' ? { ...step, service: undefined } : step)),
  } as typeof state;
  expect(stepsToRedo(batch, PLANNED).has('p2.cdn-service.migrate')).toBe(true);
  expect(stepsToRedo(batch, PLANNED).has('p2.decide')).toBe(true);
});
