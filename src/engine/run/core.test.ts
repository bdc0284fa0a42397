import { expect, test } from 'vitest';
import { type CorePorts, RunCore } from './core.ts';
import type { RunState } from './fold.ts';
import { type LiveState, LiveView } from './live.ts';

/** A core whose clock stands an hour behind the beginning of the run. */
function coreWith(endedAt: string | undefined): RunCore {
  const state = {
    cluster: { context: 'prod-eu-1', namespace: 'nova' },
    startedAt: '2026-03-01T10:00:00.000Z',
    steps: [],
    services: [],
    messages: [],
    checklist: [],
    openCalls: [],
    calls: [],
    facts: {},
    ...(endedAt === undefined ? {} : { endedAt }),
  } as unknown as RunState;
  const clock = { now: () => Date.parse('2026-03-01T11:00:00.000Z') };
  return new RunCore(
    { journal: { events: 1 }, live: new LiveView({} as LiveState), clock } as unknown as CorePorts,
    state,
  );
}

test('a run that has ended took as long as it took, whenever its record is looked at', () => {
  expect(coreWith('2026-03-01T10:41:12.000Z').snapshot().now).toBe('2026-03-01T10:41:12.000Z');
  expect(coreWith(undefined).snapshot().now).toBe('2026-03-01T11:00:00.000Z');
});
