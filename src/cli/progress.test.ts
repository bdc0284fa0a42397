import { describe, expect, test } from 'vitest';
import type { RunSnapshot } from '../engine/run/model.ts';
import { fakeHandle } from '../screens/testing/fake-handle.ts';
import { snapshotAt } from '../screens/testing/snapshot.ts';
import { finishRun, followRun } from './headless.ts';
import { progressLines } from './progress.ts';
import { testIo } from './testing/io.ts';

const at = (id: string, more: Partial<RunSnapshot> = {}) => snapshotAt(id, more);

describe('progress lines', () => {
  test('say which step begins and which ended', () => {
    expect(progressLines(at('p1.secret'), at('p1.deploy'))).toEqual([
      '00:41:12  pass    p1.secret  1.2 Create the userlist Secret',
      '00:41:12  start   p1.deploy  1.3 Deploy PgBouncer',
    ]);
  });

  test('say nothing when nothing happened', () => {
    const snapshot = at('p1.deploy');
    expect(progressLines(snapshot, { ...snapshot, now: snapshot.now })).toEqual([]);
    expect(progressLines(at('p1.deploy'), at('p1.deploy'))).toEqual([]);
  });

  test('of a resumed run do not tell again what was done before', () => {
    expect(progressLines(undefined, at('p1.deploy')).map((line) => line.slice(10))).toEqual([
      'run     7f3a: plan nova on prod-eu-1/nova, operator alice@bastion',
      expect.stringMatching(/^resume {2}\d+ of \d+ steps were done before$/),
      'start   p1.deploy  1.3 Deploy PgBouncer',
    ]);
  });

  test('give cause and hint of a failure on lines of their own', () => {
    const before = at('p2.cdn-service.migrate');
    const steps = before.steps.map((step) =>
      step.state === 'running'
        ? { ...step, state: 'fail' as const, cause: 'CrashLoopBackOff', hint: 'see the log' }
        : step,
    );
    const lines = progressLines(before, { ...before, steps }).map((line) => line.slice(10));
    expect(lines[0]).toMatch(/^FAIL {4}p2\.cdn-service\.migrate/);
    expect(lines.slice(1)).toEqual(['        cause: CrashLoopBackOff', '        hint: see the log']);
  });

  test('say of a waived step what it had not shown', () => {
    const before = at('p2.cdn-service.migrate');
    const seen = (check: string, verdict: 'pass' | 'inconclusive') => ({
      at: before.now,
      check,
      verdict,
      observed: `${check} observed`,
    });
    const evidence = [seen('pods', 'pass'), ...['a', 'b', 'c', 'd', 'e', 'f'].map((one) => seen(one, 'inconclusive'))];
    const steps = before.steps.map((step) =>
      step.state === 'running' ? { ...step, state: 'waived' as const, note: 'waived by alice: late', evidence } : step,
    );
    const lines = progressLines(before, { ...before, steps }).map((line) => line.slice(18));
    expect(lines[1]).toBe('inconclusive: a: a observed');
    expect(lines.slice(-2)).toEqual(['and 1 more', 'waived by alice: late']);
  });

  test('tell the state of a service when it changes', () => {
    const before = at('p2.cdn-service.migrate');
    const services = before.services.map((one) =>
      one.name === 'cdn-service' ? { ...one, state: 'pooled' as const } : one,
    );
    expect(progressLines(before, { ...before, services })).toEqual(['00:41:12  service cdn-service is pooled']);
  });
});

describe('a run without a screen', () => {
  test('prints progress to standard error and one envelope to standard output', async () => {
    const io = testIo();
    const handle = fakeHandle(at('p1.secret'));
    const followed = followRun(handle, io, new AbortController().signal);
    handle.show(at('p1.deploy'));
    handle.show(at('p1.deploy', { status: 'ended', outcome: 'done' }));
    const last = await followed;
    const exit = await finishRun({ command: 'run', format: 'json', io, resume: 'resume' }, last);
    expect(exit).toBe(0);
    expect(io.err()).toContain('start   p1.deploy');
    expect(io.err()).not.toContain('\u001b');
    expect(JSON.parse(io.out())).toMatchObject({ schema: 'pgb-wizard/v1', outcome: 'done', exitCode: 0 });
  });

  test('that is stopped by a signal is left, not killed', async () => {
    const stop = new AbortController();
    const handle = fakeHandle(at('p1.secret'));
    const followed = followRun(handle, testIo(), stop.signal);
    stop.abort();
    expect(handle.sent).toEqual([{ kind: 'leave' }]);
    handle.show(at('p1.secret', { status: 'ended', outcome: 'parked' }));
    expect((await followed).outcome).toBe('parked');
  });

  test('that is parked prints the command that resumes it, in both places', async () => {
    const io = testIo();
    const last = at('p1.deploy', { status: 'ended', outcome: 'parked' });
    expect(await finishRun({ command: 'run', format: 'json', io, resume: 'pgb-wizard run --run 7f3a' }, last)).toBe(3);
    expect(io.err()).toContain('pgb-wizard run --run 7f3a');
    expect(JSON.parse(io.out())).toMatchObject({ exitCode: 3, resume: 'pgb-wizard run --run 7f3a' });
  });

  test('that was stopped by a signal has the exit code of the signal in both places', async () => {
    const io = testIo();
    const last = at('p1.deploy', { status: 'ended', outcome: 'parked' });
    expect(await finishRun({ command: 'run', format: 'json', io, resume: 'r', exitCode: 130 }, last)).toBe(130);
    expect(JSON.parse(io.out())).toMatchObject({ exitCode: 130, outcome: 'parked' });
  });

  test('sums up for people without -o', async () => {
    const io = testIo();
    await finishRun(
      { command: 'run', format: undefined, io, resume: '' },
      at('p2.cdn-service.migrate', { status: 'ended', outcome: 'rolled-back' }),
    );
    expect(io.out()).toContain('run 7f3a: rolled-back');
    expect(io.out()).toContain('services: 2 pooled, 13 direct, 1 switching');
  });
});
