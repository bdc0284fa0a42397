import { expect, test } from 'vitest';
import type { Verdict } from './model.ts';
import { worth } from './worth.ts';

const of = (...verdicts: Verdict[]) => worth(verdicts.map((verdict) => ({ verdict })));

test('a step passes when every one of its checks passed, and only then', () => {
  expect(of('pass', 'pass')).toBe('pass');
  expect(of('pass', 'inconclusive')).toBe('inconclusive');
  expect(of('inconclusive', 'fail', 'pass')).toBe('fail');
  expect(of()).toBe('inconclusive');
});
