import { expect, test } from 'vitest';
import { sessionError } from './session.ts';

test('errors keep the server’s words and say who is to blame', () => {
  const server = (message: string, code: string, severity = 'FATAL') =>
    Object.assign(new Error(message), { code, severity });
  expect(
    sessionError(server('password authentication failed for user "x"', '28P01'), 'postgres-unreachable').code,
  ).toBe('auth-failed');
  expect(sessionError(server('SASL authentication failed', '08P01'), 'pooler-unreachable').code).toBe('auth-failed');
  expect(sessionError(server('syntax error', '42601', 'ERROR'), 'postgres-unreachable')).toMatchObject({
    code: 'query-failed',
    details: { sqlstate: '42601' },
  });
  expect(
    sessionError(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'pooler-unreachable'),
  ).toMatchObject({ code: 'pooler-unreachable', retryable: true });
});
