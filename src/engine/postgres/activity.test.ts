import { describe, expect, test } from 'vitest';
import type { PodOwner } from '../pgbouncer/console-types.ts';
import { countActivity } from './activity.ts';
import type { SqlRow } from './types.ts';

describe('activity', () => {
  const podIps = new Map<string, PodOwner>([
    ['10.0.0.1', { pod: 'auth-1', service: 'auth-service' }],
    ['10.0.0.9', { pod: 'pgbouncer-1', pooler: true }],
    ['10.0.0.2', { pod: 'auth-0', service: 'auth-service', gone: true }],
  ]);
  const row = (more: Partial<Record<string, SqlRow[string]>>): SqlRow => ({
    address: '10.0.0.1',
    application_name: '',
    role: 'nova_user',
    database: 'nova',
    backend_type: 'client backend',
    own: false,
    sessions: 1,
    ...more,
  });
  const count = (...rows: SqlRow[]) =>
    countActivity(rows, { podIps, logins: [{ role: 'nova_user', database: 'nova' }] });
  test('a service’s own pod with another role is direct too', () => {
    expect(count(row({ role: 'migrator' })).directTotal).toBe(1);
  });
  test('the pooler’s sessions are pooled whatever they call themselves', () => {
    expect(count(row({ address: '10.0.0.9', application_name: 'pgb-wizard - 10.0.0.5:1' }))).toMatchObject({
      pooled: 1,
      directTotal: 0,
      other: 0,
    });
  });
  test('our own sessions, other roles and hidden ones are others', () => {
    expect(
      count(
        row({ address: '127.0.0.1', own: true }),
        row({ address: '10.5.5.5', role: 'exporter' }),
        row({ address: null, backend_type: null, sessions: 3 }),
      ),
    ).toMatchObject({
      total: 5,
      other: 5,
      hidden: 3,
      unexplained: [],
    });
  });
  test('unknown addresses of the role are named', () => {
    expect(count(row({ address: null, application_name: 'psql', sessions: 2 })).unexplained).toEqual([
      { address: 'local', applicationName: 'psql', count: 2 },
    ]);
  });
  test('a session of a pod that is gone is nobody’s direct connection, and no stranger', () => {
    expect(count(row({ address: '10.0.0.2', sessions: 3 }), row({}))).toMatchObject({
      directTotal: 1,
      gone: [{ service: 'auth-service', pod: 'auth-0', count: 3 }],
      unexplained: [],
    });
    // Whoever has the address now is not known: with another role it is not the service's.
    expect(count(row({ address: '10.0.0.2', role: 'exporter' }))).toMatchObject({ other: 1, gone: [] });
  });
});
