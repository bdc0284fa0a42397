import { describe, expect, test } from 'vitest';
import { statementHazards } from './hazard-statements.ts';

describe('statements that keep something in the session', () => {
  test.each<[string, string[]]>([
    ['LISTEN changes', ['listen']],
    ['/* job:7 */ set search_path = app', ['session-settings']],
    ["SELECT set_config('search_path', 'app', false)", ['session-settings']],
    ['SET SESSION statement_timeout = 5', ['session-settings']],
    ['prepare p as select 1', ['sql-prepare']],
    ['select pg_try_advisory_lock($1)', ['session-advisory-lock']],
    ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', ['cursor-with-hold']],
    ['create temporary table t (n int)', ['temporary-table']],
    ["select currval('orders_id_seq')", ['session-state']],
    ['DISCARD ALL', ['session-state']],
  ])('%s', (query, ids) => expect(statementHazards(query).map((hazard) => hazard.id)).toEqual(ids));

  test.each([
    'set local search_path = app',
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    "set application_name = 'x'",
    "SET TIME ZONE 'UTC'",
    'SET client_encoding TO utf8',
    "select set_config('search_path', 'app', true)",
    'select pg_advisory_xact_lock(1)',
    'create temp table t (n int) on commit drop',
    'declare c cursor for select 1',
    "insert into notes values ('please listen, prepare and set things')",
    'select prepared, executed from jobs',
    'update settings set value = 1',
    "PREPARE TRANSACTION 'x'",
    'notify changes',
  ])('%s is fine', (query) => expect(statementHazards(query)).toEqual([]));
});
