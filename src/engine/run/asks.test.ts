import { expect, test } from 'vitest';
import { AskBroker, answerByPolicy } from './asks.ts';
import type { Answer, Ask } from './model.ts';

const preview = { summary: 'switch', diff: [], commands: [] };
const confirm = (id: string): Ask => ({ id, kind: 'confirm', stepId: 'p1.secret', title: 'Secret', preview });

function broker(policy?: ConstructorParameters<typeof AskBroker>[0]['policy']) {
  const seen: string[] = [];
  const asks = new AskBroker({
    who: 'alice@bastion',
    ...(policy ? { policy } : {}),
    opened: (ask) => seen.push(`asked ${ask.id}`),
    changed: (ask) => seen.push(ask ? `open ${ask.id}` : 'closed'),
    answered: (ask, answer, who) =>
      seen.push(`answered ${ask.id} ${'action' in answer ? answer.action : ''} by ${who}`),
  });
  return { asks, seen };
}

test('a question waits for its answer, and both are told', async () => {
  const { asks, seen } = broker();
  const given = asks.put(confirm('ask-1'), new AbortController().signal);
  expect(asks.answer('ask-1', { kind: 'confirm', action: 'approve' })).toBe(true);
  expect(await given).toEqual({ kind: 'confirm', action: 'approve' });
  expect(seen).toEqual(['asked ask-1', 'open ask-1', 'answered ask-1 approve by alice@bastion', 'closed']);
});

test('an answer to an older question, or of another kind, answers nothing', async () => {
  const { asks } = broker();
  const given = asks.put(confirm('ask-2'), new AbortController().signal);
  expect(asks.answer('ask-1', { kind: 'confirm', action: 'approve' })).toBe(false);
  expect(asks.answer('ask-2', { kind: 'rollback', action: 'approve' })).toBe(false);
  expect(asks.answer('ask-2', { kind: 'confirm', action: 'leave' })).toBe(true);
  expect(asks.answer('ask-2', { kind: 'confirm', action: 'approve' })).toBe(false);
  expect(await given).toEqual({ kind: 'confirm', action: 'leave' });
});

test('a reason is one line that nothing hides in, from whichever terminal it comes', async () => {
  const { asks } = broker();
  const given = asks.put(confirm('ask-1'), new AbortController().signal);
  asks.answer('ask-1', { kind: 'confirm', action: 'skip', reason: `graphs\n\u001B[2Jare quiet${'!'.repeat(5000)}` });
  const { reason } = (await given) as Extract<Answer, { kind: 'confirm' }>;
  expect(reason).toMatch(/^graphs are quiet!+…$/);
  expect(reason).toHaveLength(500);
});

test('an interruption closes the question and rejects with its reason', async () => {
  const { asks, seen } = broker();
  const abort = new AbortController();
  const given = asks.put(confirm('ask-1'), abort.signal);
  const reason = new Error('rollback');
  abort.abort(reason);
  await expect(given).rejects.toBe(reason);
  expect(seen.at(-1)).toBe('closed');
  expect(asks.answer('ask-1', { kind: 'confirm', action: 'approve' })).toBe(false);
});

test('a policy answers at once, except where the caller answers by itself', async () => {
  const { asks } = broker({ approve: 'all', onFailure: 'stop', onInconclusive: 'stop' });
  const signal = new AbortController().signal;
  expect(await asks.put(confirm('ask-1'), signal)).toEqual({ kind: 'confirm', action: 'approve' });
  const decide: Ask = {
    id: 'ask-2',
    kind: 'decide',
    stepId: 'p2.decide',
    phase: 'p2',
    title: 'Decision',
    gates: [],
    soakMs: 1,
    soakUntil: '2026-01-01T00:00:00.000Z',
    recommendation: 'wait',
  };
  const given = asks.put(decide, signal, true);
  asks.answer('ask-2', { kind: 'decide', action: 'continue' }, 'the gates');
  expect(await given).toEqual({ kind: 'decide', action: 'continue' });
});

const failure = (verdict: 'fail' | 'inconclusive', options: Extract<Ask, { kind: 'failure' }>['options']): Ask => ({
  id: 'ask-1',
  kind: 'failure',
  stepId: 'p3.auth-service.migrate',
  title: 'Migrate auth-service',
  cause: 'crash loop',
  hint: 'roll back',
  verdict,
  findings: [],
  logTail: [],
  options,
});

test('a policy rolls back only what can be rolled back, and never waives a failure', () => {
  const policy = { approve: 'all', onFailure: 'rollback-service', onInconclusive: 'accept' } as const;
  const action = (ask: Ask) => (answerByPolicy(ask, policy) as Extract<Answer, { kind: 'failure' }>).action;
  expect(action(failure('fail', ['retry', 'rollback-service', 'waive', 'leave']))).toBe('rollback-service');
  expect(action(failure('fail', ['retry', 'waive', 'leave']))).toBe('leave');
  expect(action(failure('inconclusive', ['retry', 'waive', 'leave']))).toBe('waive');
  // An expired login says nothing about the service: neither is it taken back for it, nor passed.
  for (const verdict of ['fail', 'inconclusive'] as const) {
    const blind = { ...failure(verdict, ['retry', 'rollback-service', 'waive', 'leave']), blind: true } as Ask;
    expect(action(blind)).toBe('leave');
  }
});

test('a policy does not go on over a difference between journal and cluster', () => {
  const policy = { approve: 'all', onFailure: 'stop', onInconclusive: 'stop' } as const;
  const rows = (verdict: 'agrees' | 'ask') => [{ what: 'a', journal: 'pooled', cluster: 'x', willDo: 'y', verdict }];
  expect(answerByPolicy({ id: '1', kind: 'reconcile', rows: rows('agrees') }, policy)).toMatchObject({
    action: 'continue',
  });
  expect(answerByPolicy({ id: '1', kind: 'reconcile', rows: rows('ask') }, policy)).toMatchObject({ action: 'leave' });
  expect(answerByPolicy({ id: '1', kind: 'reconcile', rows: rows('ask'), goingBack: true }, policy)).toMatchObject({
    action: 'continue',
  });
});
