import { expect, test } from 'vitest';
import { isHostOrPort } from './redact.ts';

test.each([
  ['DB_HOST', 'postgres.nova.svc', true],
  ['PGPORT', '5432', true],
  ['DB_PORT', '5432', true],
  ['HOST', 'postgres:5432', true],
  ['REPORT_TOKEN', 'abcdef0123', false],
  ['SUPPORT_KEY', 'abcdef0123', false],
  ['GHOST_SECRET', 'abcdef0123', false],
  ['DB_PORT', 'abcdef0123', false],
  ['DB_HOST', 'Word With Spaces', false],
])('%s=%s: %s', (name, value, shown) => {
  expect(isHostOrPort(name, value)).toBe(shown);
});
