import { expect, test } from 'vitest';
import { cronMatches } from './cron.ts';

const at = new Date('2026-03-02T04:30:10Z'); // a Monday

test.each([
  ['30 4 * * *', true],
  ['*/15 * * * *', true],
  ['*/7 * * * *', false],
  ['30 4 * * mon', true],
  ['30 4 1 * 1', true],
  ['30 4 1 * 2', false],
  ['0-40/10 4,5 2 mar *', true],
  ['@hourly', false],
  ['nonsense', false],
])('%s', (schedule, expected) => {
  expect(cronMatches(schedule, at)).toBe(expected);
});

test('a time zone moves the hour', () => {
  expect(cronMatches('30 5 * * *', at, 'Europe/Berlin')).toBe(true);
});
