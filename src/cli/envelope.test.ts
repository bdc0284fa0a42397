import { describe, expect, test } from 'vitest';
import { wizardError } from '../engine/result.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import { snapshotAt } from '../screens/testing/snapshot.ts';
import { resumeCommand, runEnvelope } from './envelope.ts';
import { exitCodeOf } from './exit-code.ts';

const ended = (more: Partial<RunSnapshot>) => snapshotAt('p2.cdn-service.migrate', { status: 'ended', ...more });

describe('exit codes', () => {
  test.each([
    ['done', undefined, 0],
    ['failed', undefined, 1],
    ['parked', undefined, 3],
    ['parked', 'gate-failed', 3],
    ['gate-failed', undefined, 5],
    ['rolled-back', undefined, 6],
    ['refused', 'not-authorised', 4],
    ['refused', 'locked', 7],
    ['refused', 'outside-window', 8],
    ['refused', 'plan-mismatch', 9],
    ['failed', 'lock-lost', 7],
    ['failed', 'internal', 1],
  ] as const)('%s with %s is %d', (outcome, code, exit) => {
    const error = code === undefined ? undefined : wizardError(code, 'x');
    expect(exitCodeOf({ outcome, error })).toBe(exit);
  });
});

describe('the envelope of a run', () => {
  test('has the contract of its schema', () => {
    const snapshot = ended({ outcome: 'done' });
    const envelope = runEnvelope('run', snapshot, { load: { totals: { queries: 1, failed: 0 } } });
    expect(Object.keys(envelope).slice(0, 4)).toEqual(['schema', 'command', 'outcome', 'exitCode']);
    expect(envelope).toMatchObject({
      schema: 'pgb-wizard/v1',
      command: 'run',
      runId: '7f3a',
      outcome: 'done',
      exitCode: 0,
      journal: { path: snapshot.journal.path, events: 214, headHash: snapshot.journal.headHash },
      load: { totals: { queries: 1, failed: 0 } },
    });
    expect(envelope.services).toContainEqual(
      expect.objectContaining({ name: 'identity-service', phase: 'p2', state: 'pooled' }),
    );
    for (const service of envelope.services as { state: string }[]) {
      expect(['direct', 'switching', 'pooled', 'rolled-back']).toContain(service.state);
    }
    expect(envelope.checklist).toEqual(snapshot.checklist);
  });

  test('tells each step with its evidence, and why it failed', () => {
    const snapshot = ended({ outcome: 'parked' });
    const steps = snapshot.steps.map((step) =>
      step.id === 'p2.cdn-service.migrate'
        ? { ...step, state: 'fail' as const, cause: 'the new pods crash', hint: 'read the log' }
        : step,
    );
    const envelope = runEnvelope('run', { ...snapshot, steps });
    const failed = (envelope.steps as { id: string }[]).find((step) => step.id === 'p2.cdn-service.migrate');
    expect(failed).toMatchObject({ state: 'fail', cause: 'the new pods crash', hint: 'read the log', phase: 'p2' });
    const passed = (envelope.steps as { id: string; evidence: unknown[] }[]).find((step) => step.id === 'p1.secret');
    expect(passed?.evidence).toHaveLength(1);
  });

  test('is pure and survives JSON unchanged', () => {
    const snapshot = ended({ outcome: 'rolled-back' });
    const once = runEnvelope('rehearse', snapshot);
    expect(runEnvelope('rehearse', snapshot)).toEqual(once);
    expect(JSON.parse(JSON.stringify(once))).toEqual(JSON.parse(JSON.stringify(runEnvelope('rehearse', snapshot))));
    expect(once.exitCode).toBe(6);
  });

  test('carries the error of a refusal', () => {
    const error = wizardError('locked', 'bob@desk holds the lock', { next: ['pgb-wizard lock show'] });
    const envelope = runEnvelope('run', ended({ outcome: 'refused', error }));
    expect(envelope).toMatchObject({ exitCode: 7, error: { code: 'locked', next: ['pgb-wizard lock show'] } });
  });

  test('of a live run has its status as outcome', () => {
    expect(runEnvelope('status', snapshotAt('p1.deploy'))).toMatchObject({ outcome: 'running', exitCode: 0 });
  });
});

test('the resume command names the run', () => {
  expect(resumeCommand({ runId: '7f3a' }, ['--context', 'prod'])).toBe('pgb-wizard run --run 7f3a --context prod');
});
