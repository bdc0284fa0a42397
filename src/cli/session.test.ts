import { describe, expect, test } from 'vitest';
import { modeOf, policyOf, type RunValues } from './session.ts';
import { testIo } from './testing/io.ts';

const none = { noInput: false, output: undefined } as const;
const values = (more: Partial<RunValues>) => ({ noInput: false, yes: false, ...more }) as RunValues;

describe('screen or no screen', () => {
  test('a terminal gets the screen', () => {
    expect(modeOf(none, testIo({ tty: true }))).toEqual({ ok: true, value: 'screen' });
  });

  test('--no-input never gets one', () => {
    expect(modeOf({ noInput: true, output: undefined }, testIo({ tty: true }))).toEqual({
      ok: true,
      value: 'headless',
    });
  });

  test('without a terminal the missing answer names its flag', () => {
    for (const [flags, io] of [
      [none, testIo()],
      [none, testIo({ tty: true, env: { TERM: 'dumb' } })],
      [{ noInput: false, output: 'json' } as const, testIo({ tty: true })],
    ] as const) {
      const mode = modeOf(flags, io);
      expect(mode).toMatchObject({ ok: false, error: { code: 'answer-needed', exitCode: 2 } });
      expect(!mode.ok && mode.error.next?.[0]).toContain('--no-input');
    }
  });
});

describe('the policy', () => {
  test('without a screen makes the changes, stops at failures and at what cannot be measured', () => {
    expect(policyOf(values({ noInput: true }), 'headless')).toEqual({
      ok: true,
      value: { approve: 'all', onFailure: 'stop', onBlocked: 'stop', onInconclusive: 'stop' },
    });
  });

  test('of a screen is the human, and flags that answer for one are refused', () => {
    expect(policyOf(values({}), 'screen')).toEqual({ ok: true, value: undefined });
    expect(policyOf(values({ onFailure: 'rollback-all' }), 'screen')).toMatchObject({
      ok: false,
      error: { code: 'usage', next: ['Add --no-input.'] },
    });
  });
});
