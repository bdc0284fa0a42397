import { describe, expect, test } from 'vitest';
import type { Ask } from '../engine/run/model.ts';
import { answerTo } from './answers.ts';

const preview = { summary: 'switch', diff: [], commands: [] };
const confirm: Ask = { id: 'ask-1', kind: 'confirm', stepId: 'p1.secret', title: 'Create the Secret', preview };
const failure: Ask = {
  id: 'ask-2',
  kind: 'failure',
  stepId: 'p3.auth-service.migrate',
  title: 'auth-service',
  cause: 'c',
  hint: 'h',
  verdict: 'fail',
  findings: [],
  logTail: [],
  options: ['retry', 'rollback-service', 'leave'],
};
const decide: Ask = {
  id: 'ask-3',
  kind: 'decide',
  stepId: 'p2.decide',
  phase: 'p2',
  title: 'Go on?',
  gates: [],
  soakMs: 1,
  soakUntil: '2026-11-23T02:00:00.000Z',
  recommendation: 'continue',
};
const now = '2026-11-23T03:00:00.000Z';

describe('an answer from another terminal', () => {
  test('approves a preview and continues a decision without a word', () => {
    expect(answerTo(confirm, {}, now)).toMatchObject({ ok: true, value: { kind: 'confirm', action: 'approve' } });
    expect(answerTo(decide, {}, now)).toMatchObject({ ok: true, value: { kind: 'decide', action: 'continue' } });
  });

  test('to a failure must be said, and must be one that is offered', () => {
    expect(answerTo(failure, {}, now)).toMatchObject({ ok: false });
    expect(answerTo(failure, { answer: 'waive', reason: 'r' }, now)).toMatchObject({ ok: false });
    expect(answerTo(failure, { answer: 'rollback-service' }, now)).toMatchObject({
      ok: true,
      value: { action: 'rollback-service' },
    });
  });

  test('that fits another question is refused', () => {
    expect(answerTo(confirm, { answer: 'extend', extend: 1 }, now)).toMatchObject({
      ok: false,
      error: { exitCode: 2 },
    });
  });

  test('to a destructive change needs the typed name, exactly', () => {
    const typed: Ask = { ...confirm, typed: 'prod-eu-1/nova' };
    expect(answerTo(typed, {}, now)).toMatchObject({ ok: false });
    expect(answerTo(typed, { confirm: 'prod-eu-1' }, now)).toMatchObject({ ok: false });
    expect(answerTo(typed, { confirm: 'prod-eu-1/nova' }, now)).toMatchObject({ ok: true });
    expect(answerTo(typed, { answer: 'skip' }, now)).toMatchObject({ ok: true });
  });

  test('that continues before the soak is over, or against the gates, needs a reason', () => {
    const early = '2026-11-23T01:00:00.000Z';
    expect(answerTo(decide, {}, early)).toMatchObject({ ok: false });
    expect(answerTo(decide, { reason: 'window ends' }, early)).toMatchObject({
      ok: true,
      value: { reason: 'window ends' },
    });
    expect(answerTo({ ...decide, recommendation: 'rollback' }, {}, now)).toMatchObject({ ok: false });
  });

  test('that extends says by how much', () => {
    expect(answerTo(decide, { answer: 'extend' }, now)).toMatchObject({ ok: false });
    expect(answerTo(decide, { answer: 'extend', extend: 60_000 }, now)).toMatchObject({
      ok: true,
      value: { extendMs: 60_000 },
    });
  });
});
