import { expect, test } from 'vitest';
import { whyUnproved } from './switch-service.ts';

const activity = (more: { direct?: number; hidden?: number; strangers?: number }) => ({
  direct: new Map(more.direct === undefined ? [] : [['auth-service', more.direct]]),
  hidden: more.hidden ?? 0,
  unexplained: more.strangers ? [{ address: '10.9.9.9', applicationName: '', count: more.strangers }] : [],
});

test('sessions that were seen before and are gone prove that a service left, whoever else is connected', () => {
  expect(whyUnproved(activity({ direct: 0, strangers: 3, hidden: 2 }), 'auth-service', 4)).toBeUndefined();
});

test('behind SNAT or on the host network nobody can say whose the sessions are, so none seen is no proof', () => {
  expect(whyUnproved(activity({ direct: 0, strangers: 3 }), 'auth-service', 0)).toMatch(/3 sessions of the role/);
  expect(whyUnproved(activity({ strangers: 1 }), 'auth-service', undefined)).toMatch(/1 sessions of the role/);
});

test('a service without a session of its own and nobody unknown about is proved', () => {
  expect(whyUnproved(activity({ direct: 0, hidden: 5 }), 'auth-service', 0)).toBeUndefined();
});

test('without an address of its own, sessions that are hidden from the role may be its own', () => {
  expect(whyUnproved(activity({ hidden: 5 }), 'auth-service', 0)).toMatch(/5 sessions of other roles/);
});
