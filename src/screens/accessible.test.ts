import { PassThrough } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { showAccessible } from './accessible.ts';
import { choicesOf } from './accessible-choices.ts';
import { changes, describe as describeAsk, LOOKS } from './accessible-words.ts';
import type { Notify } from './due.ts';
import { isBack } from './screen.ts';
import { fakeHandle } from './testing/fake-handle.ts';
import { SITUATIONS, type Situation } from './testing/situations.ts';

const nowOf = (snapshot: { now: string }) => Date.parse(snapshot.now);

function talk(situation: Situation, notify?: Notify, signal?: AbortSignal) {
  const handle = fakeHandle(SITUATIONS[situation]());
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  let text = '';
  stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const result = showAccessible({
    handle,
    stdin,
    stdout,
    ascii: true,
    ...(notify ? { notify } : {}),
    ...(signal ? { signal } : {}),
  });
  const see = (part: string) => vi.waitFor(() => expect(text).toContain(part), { timeout: 3000, interval: 5 });
  const end = async () => {
    handle.show({ ...SITUATIONS[situation](), status: 'ended', outcome: 'parked', ask: undefined });
    return result;
  };
  return { handle, stdin, see, end, text: () => text, say: (line: string) => stdin.write(`${line}\n`) };
}

describe('the run as lines', () => {
  test.each(['migrate', 'confirm', 'decide', 'failure', 'failureBack', 'rollbackAsk', 'reconcile'] as const)(
    '%s',
    async (situation) => {
      const snapshot = SITUATIONS[situation]();
      const ask = snapshot.ask;
      const lines = [
        ...changes(undefined, snapshot),
        ...(ask === undefined ? [] : describeAsk(ask, nowOf(snapshot), isBack(snapshot))),
        ...choicesOf(snapshot, nowOf(snapshot)).map((choice, index) => `${index + 1}. ${choice.label}`),
      ];
      await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`testing/frames/accessible-${situation}.txt`);
    },
  );

  test('tell what changed and nothing else', () => {
    const before = SITUATIONS.migrate();
    expect(changes(before, before)).toEqual([]);
    const after = {
      ...before,
      steps: before.steps.map((step) =>
        step.id === before.currentStep
          ? {
              ...step,
              state: 'pass' as const,
              evidence: [
                ...step.evidence,
                { check: 'rollout', verdict: 'pass' as const, observed: '1/1', at: before.now },
              ],
            }
          : step,
      ),
      services: before.services.map((service) =>
        service.name === 'notification-service' ? { ...service, state: 'pooled' as const } : service,
      ),
    };
    expect(changes(before, after)).toEqual([
      '2.1 Migrate notification-service: pass',
      '  pass: rollout: 1/1',
      'notification-service: pooled.',
    ]);
  });
});

describe('answers by line', () => {
  test('a number and then yes approve; a number alone does not', async () => {
    const { handle, see, say, end } = talk('confirm');
    await see('1. Approve');
    say('1');
    await see('Type yes to do it');
    expect(handle.sent).toEqual([]);
    say('yes');
    await see('Sent.');
    expect(handle.sent).toEqual([{ kind: 'answer', askId: 'ask-3', answer: { kind: 'confirm', action: 'approve' } }]);
    expect((await end()).leftBy).toBe('leave');
  });

  test('the logs are followed from the first look on, once, until the end', async () => {
    const { handle, see, say, end } = talk('confirm');
    await see('1. Approve');
    say('l');
    await vi.waitFor(() => expect(handle.readers()).toBe(1));
    say('l');
    say('?');
    await see('the newest log lines');
    expect(handle.readers()).toBe(1);
    await end();
    expect(handle.readers()).toBe(0);
  });

  test('an empty line and a wrong name change nothing', async () => {
    const { handle, see, say, end } = talk('rollbackAsk');
    await see('2. Approve the rollback');
    say('');
    say('2');
    await see('Type prod-eu-1/nova to do it');
    say('yes');
    await see('Nothing was sent.');
    expect(handle.sent).toEqual([]);
    await end();
  });

  test('an override asks for a reason first', async () => {
    const { handle, see, say, end } = talk('decide');
    await see('1. Continue although the soak is not over');
    say('1');
    await see('Type the reason');
    say('the window ends at two');
    await see('Type yes');
    say('yes');
    await vi.waitFor(() => expect(handle.sent).toHaveLength(1));
    expect(handle.sent[0]).toMatchObject({ answer: { action: 'continue', reason: 'the window ends at two' } });
    await end();
  });

  test('a question whose ground has moved is taken back', async () => {
    const { handle, see, say, end } = talk('decideDue');
    await see('1. Continue');
    say('1');
    await see('Type yes to do it');
    const { ask } = SITUATIONS.decideFail();
    if (ask?.kind !== 'decide') throw new Error('not a decision');
    handle.show({ ...SITUATIONS.decideDue(), ask: { ...ask, id: 'ask-5' } });
    await see('Nothing was sent: meanwhile a gate fails.');
    await see('1. Continue although a gate fails');
    say('yes');
    await see('Type a number of the list');
    expect(handle.sent).toEqual([]);
    await end();
  });

  test('the end of a soak and a gate that changes are told, and what can be answered then', async () => {
    const { handle, see, end, text } = talk('decide');
    await see('1. Continue although the soak is not over');
    handle.show({ ...SITUATIONS.decideDue(), now: '2026-11-23T01:52:13.000Z' });
    await see('The soak is over.');
    await see('Advice: all gates pass, the soak is over: continuing is safe.');
    await vi.waitFor(() => expect(text().match(/^1\. Continue$/gm)).toHaveLength(1));
    await end();
  });

  test('a list whose question is over offers nothing any more', async () => {
    const { handle, see, say, end, text } = talk('rollbackAsk');
    await see('1. Cancel the rollback');
    handle.show(SITUATIONS.migrate());
    await vi.waitFor(() => expect(text()).toContain('Waiting for'));
    say('1');
    await see('There is no 1. Type m for the list.');
    expect(handle.sent).toEqual([]);
    await end();
  });

  test('a run that was told to stop while it was being reached parks itself', async () => {
    const { handle, end } = talk('migrate', undefined, AbortSignal.abort('SIGTERM'));
    await vi.waitFor(() => expect(handle.sent).toEqual([{ kind: 'leave' }]));
    expect(await end()).toMatchObject({ leftBy: 'signal', signal: 'SIGTERM' });
  });

  test('the phase can be approved at once, as on the screen', async () => {
    const { handle, see, say, end } = talk('confirm');
    await see('2. Approve the phase: notification-service, cdn-service');
    say('2');
    await see('Type yes');
    say('yes');
    await vi.waitFor(() =>
      expect(handle.sent).toEqual([
        { kind: 'answer', askId: 'ask-3', answer: { kind: 'confirm', action: 'approve', scope: 'phase' } },
      ]),
    );
    await end();
  });

  test('a letter shows what the screen shows in a view', async () => {
    const { see, say, end } = talk('failure');
    await see('Type m and Enter');
    say('?');
    await see('p: pools and connections.');
    say('p');
    await see('Pool nova/nova_user of pgbouncer-7d9c5b8f4-fzxtq: 3 clients, 0 waiting');
    say('d');
    await see('Found: authentication failures;');
    say('c');
    await see('p1: unknown: Metrics reach Prometheus: no Prometheus is configured');
    await end();
    for (const situation of Object.values(SITUATIONS))
      for (const look of LOOKS) expect(look.lines(situation()).length, look.what).toBeGreaterThan(0);
  });

  test('somebody is told once of a failure, and of a notification that fails', async () => {
    const told: string[] = [];
    const { handle, see, end } = talk('migrate', async ({ title }) => {
      told.push(title);
      return 'notification: notify-send ended with 3';
    });
    await see('Type m and Enter');
    handle.show(SITUATIONS.failure());
    await see('notification: notify-send ended with 3');
    handle.show({ ...SITUATIONS.failure() });
    await end();
    expect(told).toEqual(['auth-service does not start with the pooler']);
  });

  test('writes ASCII and no escape sequence', async () => {
    const { see, end, text } = talk('failure');
    await see('What to do:');
    await end();
    expect(text()).toMatch(/^[\x20-\x7e\n]*$/);
  });

  test('the end of the input parks the run', async () => {
    const { handle, stdin, see, end } = talk('migrate');
    await see('Type m and Enter');
    stdin.end();
    await vi.waitFor(() => expect(handle.sent).toEqual([{ kind: 'leave' }]));
    await end();
  });
});
