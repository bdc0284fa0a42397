import { expect, test } from 'vitest';
import type { ConsoleRow, PodOwner } from '../pgbouncer/console-types.ts';
import { attribute, judgeArrival } from './arrival.ts';

const owners = new Map<string, PodOwner>([
  ['10.0.0.1', { pod: 'auth-1', service: 'auth-service' }],
  ['10.0.0.2', { pod: 'auth-0', service: 'auth-service', gone: true }],
  ['10.0.0.9', { pod: 'grafana-1' }],
]);
const client = (addr: string, more: Partial<ConsoleRow> = {}): ConsoleRow => ({
  type: 'C',
  database: 'nova',
  user: 'nova_user',
  addr,
  application_name: '',
  ...more,
});
const seenAs = (...clients: ConsoleRow[]) =>
  attribute({ poolers: [{ pod: 'pgbouncer-1', clients, servers: [] }], silent: [] }, owners, ['auth-service']);

test('clients are their pods’; those of a pod that is gone prove nothing', () => {
  const { byService, strangers } = seenAs(
    client('10.0.0.1'),
    client('::ffff:10.0.0.1'),
    client('10.0.0.2'),
    client('10.0.0.9'),
    client('127.0.0.1', { database: 'pgbouncer' }),
    client('127.0.0.1', { application_name: 'pgb-wizard' }),
  );
  expect(byService.get('auth-service')).toEqual([
    { pod: 'auth-1', pooler: 'pgbouncer-1' },
    { pod: 'auth-1', pooler: 'pgbouncer-1' },
  ]);
  expect(strangers.size).toBe(0);
});

test('behind a proxy an application is known by its name, or not at all', () => {
  const { byService, strangers } = seenAs(
    client('127.0.0.6', { application_name: 'auth-service - 10.0.0.1:4711' }),
    client('127.0.0.6', { application_name: 'auth-service-migrator' }),
    client('127.0.0.6'),
  );
  expect(byService.get('auth-service')).toHaveLength(1);
  expect([...strangers]).toEqual([['127.0.0.6', 2]]);
});

const facts = { pods: 2, hostNetwork: 0, strangers: new Map<string, number>(), silent: [], direct: 0 };
const seen = { connections: 7, pods: 2, poolers: 1, by: 'SHOW CLIENTS' };

test('a service passes with clients on a pooler and none past it', () => {
  expect(judgeArrival({ ...facts, seen })).toMatchObject({
    verdict: 'pass',
    observed: '7 connections of 2 of 2 pods on 1 pooler (SHOW CLIENTS), 0 direct',
  });
  expect(judgeArrival({ ...facts, seen, direct: 1 })).toMatchObject({ verdict: 'fail' });
  const { direct: _, ...unknown } = facts;
  expect(judgeArrival({ ...unknown, seen })).toMatchObject({
    verdict: 'inconclusive',
    observed: expect.stringContaining('could not be read'),
  });
});

test.each([
  [{}, /when it is used/],
  [{ idle: 'cleanup is a CronJob' }, /no client yet: cleanup is a CronJob/],
  [{ silent: ['pgbouncer-2'] }, /console of pgbouncer-2 did not answer/],
  [{ hostNetwork: 2, strangers: new Map([['10.9.0.1', 3]]) }, /network of their nodes.* 3 clients/],
  [{ strangers: new Map([['127.0.0.6', 12]]) }, /12 come from addresses of no pod \(127\.0\.0\.6\)/],
])('a service without clients has proved nothing, and why is said %#', (more, why) => {
  expect(judgeArrival({ ...facts, ...more })).toMatchObject({
    verdict: 'inconclusive',
    observed: expect.stringMatching(why),
  });
});
