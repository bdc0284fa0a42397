import { describe, expect, test } from 'vitest';
import { parseDuration, parseInteger, parseScale } from './values.ts';

describe('durations', () => {
  test.each([
    ['30', 30_000],
    ['500ms', 500],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['0s', 0],
    ['2d', 172_800_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms });
  });

  test.each(['', 'soon', '-5s', '5 m', '5min', '1h-2m'])('%j is refused', (text) => {
    expect(parseDuration(text)).toMatchObject({ ok: false, error: { code: 'usage', exitCode: 2 } });
  });
});

test('whole numbers keep their bounds', () => {
  const port = parseInteger(1, 65535);
  expect(port('65535')).toEqual({ ok: true, value: 65535 });
  for (const text of ['0', '65536', '1e3', '0x10', '-1', '']) expect(port(text).ok).toBe(false);
});

test('a scale is at least 1', () => {
  expect(parseScale('600')).toEqual({ ok: true, value: 600 });
  for (const text of ['0', '0.5', 'fast', '', 'Infinity', 'NaN']) expect(parseScale(text).ok).toBe(false);
});
