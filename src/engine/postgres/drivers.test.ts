import { describe, expect, test } from 'vitest';
import { parseVersion } from '../pgbouncer/config.ts';
import { driverAdvice, guessDriver, keepsPreparedStatements } from './drivers.ts';

function version(text: string) {
  const parsed = parseVersion(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

describe('drivers', () => {
  test('prepared statements are kept by 1.21 with a setting and by 1.24 without', () => {
    expect([
      keepsPreparedStatements(version('1.18.0'), 200),
      keepsPreparedStatements(version('1.21.0')),
      keepsPreparedStatements(version('1.21.0'), 100),
      keepsPreparedStatements(version('1.24.0')),
    ]).toEqual([false, false, true, true]);
  });
  test('sqlx cannot do without them, pgx can be told to', () => {
    expect(driverAdvice('sqlx', version('1.18.0'))).toMatchObject({
      breaks: true,
      advice: [expect.stringContaining('run PgBouncer 1.21'), expect.stringContaining('extra_float_digits')],
    });
    expect(driverAdvice('pgx', version('1.18.0')).advice[0]).toContain('default_query_exec_mode=exec');
    expect(driverAdvice('pgx', version('1.24.1')).breaks).toBe(false);
    expect(driverAdvice('node-pg', version('1.18.0')).breaks).toBe(false);
  });
  test('a URL or the environment often tells which driver it is', () => {
    expect(guessDriver({ url: 'jdbc:postgresql://postgres:5432/nova' })).toBe('pgjdbc');
    expect(guessDriver({ url: 'postgresql+asyncpg://x@postgres/nova' })).toBe('asyncpg');
    expect(guessDriver({ url: 'postgresql://x@postgres/nova' })).toBe('unknown');
  });
});
