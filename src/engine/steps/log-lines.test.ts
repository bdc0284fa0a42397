import { expect, test } from 'vitest';
import { errorLines, newComplaints, newDatabaseErrors, shapeOf, shapesOf } from './log-lines.ts';

test.each([
  '2026-01-01T00:00:00Z ERROR could not load the profile',
  'panicked at src/db.rs:41',
  '{"level":"error","msg":"query failed"}',
  '{"level":50,"msg":"an exception"}',
  'WARN  connection refused by pgbouncer:6432',
  '{"level":"info","msg":"prepared statement \\"s1\\" already exists"}',
  'Error: read ECONNRESET',
  'Traceback (most recent call last):',
])('a complaint: %s', (line) => {
  expect(errorLines([line])).toHaveLength(1);
});

test.each([
  'INFO  error_rate=0 latency=3ms',
  'errors: 0, warnings: 0',
  '{"level":"info","msg":"GET /errors 200"}',
  '{"level":30,"msg":"the error page was rendered"}',
  'level=info msg="registered error handler"',
  'Registered error handler for /api',
  '{"msg":"done","error":null}',
  '2026-01-01 00:00:00 DEBUG retry policy: on timeout, error or reset',
])('no complaint: %s', (line) => {
  expect(errorLines([line])).toEqual([]);
});

test('what a service complained about before the switch is not the switch’s doing', () => {
  const before = new Set(shapesOf(['ERROR cache miss for user 1841 (id 0b1c2d3e4f)', 'INFO fine']));
  expect(before.size).toBe(1);
  expect(newComplaints(['ERROR cache miss for user 7 (id 99aabbccdd)'], before)).toEqual([]);
  expect(newComplaints(['ERROR cannot parse the answer'], before)).toHaveLength(1);
});

test('a refused connection is news each time', () => {
  const line = 'ERROR connection refused: postgres:5432';
  expect(newComplaints([line], new Set([shapeOf(line)]))).toHaveLength(1);
});

test.each([
  "error: relation missing { severity: 'ERROR', code: '42P01' }",
  'ERROR: prepared statement "stmtcache_1" already exists (SQLSTATE 42P05)',
  '{"level":"info","sqlState":"08006","msg":"retrying"}',
  'WARN connection lost: server closed the connection unexpectedly',
])('an error of the database: %s', (line) => {
  expect(newDatabaseErrors([line], new Set())).toHaveLength(1);
});

test.each([
  'ERROR duplicate key value violates unique constraint (SQLSTATE 23505)',
  'retry after serialization failure, SQLSTATE 40001',
  'GET /items 200 code=12345',
  'ERROR could not parse the template',
])('no error of the database: %s', (line) => {
  expect(newDatabaseErrors([line], new Set())).toEqual([]);
});

test('a state that was logged before the switch too is not the switch’s doing', () => {
  const line = 'ERROR column "x" does not exist (SQLSTATE 42703)';
  expect(newDatabaseErrors([line], new Set(shapesOf([line])))).toEqual([]);
});
