import { expect, test } from 'vitest';
import type { StepContext } from '../steps/types.ts';
import { AskBroker } from './asks.ts';
import { Controls } from './controls.ts';
import type { RunState } from './fold.ts';
import type { HeadlessPolicy } from './options.ts';
import { reversed, runRollback, servicesToGoBack } from './rollback.ts';
import type { RunnerPorts } from './runner.ts';

/** Two services whose originals are lost, so that neither can go back. */
function ports(policy: HeadlessPolicy | undefined, facts: RunState['facts'] = {}) {
  const asked: string[] = [];
  const recorded: string[] = [];
  const state = {
    services: ['auth-service', 'feed-service'].map((name) => ({ name, phase: 'p2', state: 'pooled' })),
    steps: [],
    calls: [],
    openCalls: [],
    facts,
  } as unknown as RunState;
  const controls = new Controls();
  const asks = new AskBroker({
    who: 'alice@bastion',
    ...(policy ? { policy } : {}),
    opened: (ask) => asked.push('service' in ask ? String(ask.service) : ask.kind),
    changed: (ask) => {
      if (ask?.kind === 'rollback') asks.answer(ask.id, { kind: 'rollback', action: 'approve' });
      if (ask?.kind === 'failure') asks.answer(ask.id, { kind: 'failure', action: 'leave' });
    },
    answered: () => {},
  });
  const core = {
    state,
    live: { set: () => {} },
    timestamp: () => '',
    message: () => {},
    record: (event: { type: string; ok?: boolean }) => recorded.push(`${event.type} ${event.ok ?? ''}`.trim()),
  };
  const ctx = {
    fleet: { original: () => undefined },
    signal: controls.signal,
    state: () => state,
  } as unknown as StepContext;
  const made = { core, controls, asks, who: 'alice@bastion', context: () => ctx, ...(policy ? { policy } : {}) };
  return { ports: made as unknown as RunnerPorts, asked, recorded };
}

test('without a terminal a service that can’t go back does not keep the others from it', async () => {
  const {
    ports: made,
    asked,
    recorded,
  } = ports({ approve: 'all', onFailure: 'rollback-all', onInconclusive: 'accept' });
  expect(await runRollback(made, { kind: 'all' }, 'asked')).toBe('failed');
  expect(asked).toEqual(['feed-service', 'auth-service']);
  expect(recorded.at(-1)).toBe('rollback.finished false');
});

test('a human who leaves at a service that can’t go back stops the rollback there', async () => {
  const { ports: made, asked } = ports(undefined);
  expect(await runRollback(made, { kind: 'all' })).toBe('failed');
  expect(asked).toEqual(['rollback', 'feed-service']);
});

test('what was on the pooler before the run is not its to take back', async () => {
  const pooledBefore = { 'auth-service': 'it reaches pgbouncer:6432 already' };
  const { ports: made, asked } = ports(undefined, { pooledBefore });
  expect(servicesToGoBack(made.core.state, { kind: 'all' })).toEqual(['feed-service']);
  expect(await runRollback(made, { kind: 'service', service: 'auth-service' })).toBe('nothing');
  expect(asked).toEqual([]);
});

test('the diff of a way back takes away before it puts back, and promises nothing new', () => {
  expect(
    reversed([
      { kind: 'context', text: 'app/DATABASE_URL' },
      { kind: 'remove', text: 'postgres:5432' },
      { kind: 'add', text: 'pgbouncer:6432' },
      { kind: 'note', text: 'new Secret x (immutable): DATABASE_URL' },
      { kind: 'context', text: 'migrate/DATABASE_URL' },
      { kind: 'remove', text: 'postgres:5432' },
      { kind: 'add', text: 'pgbouncer:6432' },
    ]).map(({ kind, text }) => `${kind} ${text}`),
  ).toEqual([
    'context app/DATABASE_URL',
    'remove pgbouncer:6432',
    'add postgres:5432',
    'context migrate/DATABASE_URL',
    'remove pgbouncer:6432',
    'add postgres:5432',
  ]);
});
