import { PassThrough } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { changes, choicesOf, describe as describeAsk, showAccessible } from './accessible.ts';
import { fakeHandle } from './testing/fake-handle.ts';
import { SITUATIONS, type Situation } from './testing/situations.ts';

const nowOf = (snapshot: { now: string }) => Date.parse(snapshot.now);

function talk(situation: Situation) {
  const handle = fakeHandle(SITUATIONS[situation]());
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  let text = '';
  stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const result = showAccessible({ handle, stdin, stdout, ascii: true });
  const see = (part: string) => vi.waitFor(() => expect(text).toContain(part), { timeout: 3000, interval: 5 });
  const end = async () => {
    handle.show({ ...SITUATIONS[situation](), status: 'ended', outcome: 'parked', ask: undefined });
    return result;
  };
  return { handle, stdin, see, end, text: () => text, say: (line: string) => stdin.write(`${line}\n`) };
}

describe('the run as lines', () => {
  test.each(['migrate', 'confirm', 'decide', 'failure', 'rollbackAsk', 'reconcile'] as const)(
    '%s',
    async (situation) => {
      const snapshot = SITUATIONS[situation]();
      const ask = snapshot.ask;
      const lines = [
        ...changes(undefined, snapshot),
        ...(ask === undefined ? [] : describeAsk(ask, nowOf(snapshot))),
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
