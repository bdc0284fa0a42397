import { expect, test } from 'vitest';
import { duration } from './table-text.ts';

test.each([
  [45, '45s'],
  [119, '119s'],
  [501, '8m21s'],
  [3600 * 3 + 300, '3h5m'],
  [86_400 * 2 + 4 * 3600, '2d4h'],
  [86_400 * 12, '12d'],
])('%i seconds are %s', (seconds, text) => {
  expect(duration(seconds * 1000)).toBe(text);
});
