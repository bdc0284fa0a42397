import { expect, test } from 'vitest';
import { faultTable, parseFault } from './kinds.ts';

test('a fault names its kind and its service', () => {
  expect(parseFault('crashloop:auth-service', ['auth-service'])).toEqual({
    ok: true,
    value: { kind: 'crashloop', service: 'auth-service' },
  });
  expect(parseFault('slow-queries', [])).toEqual({ ok: true, value: { kind: 'slow-queries', service: undefined } });
});

test('an unknown kind or service is refused with what there is', () => {
  expect(parseFault('meteor', [])).toMatchObject({ ok: false, message: expect.stringContaining('crashloop') });
  expect(parseFault('crashloop:nobody', ['auth-service'])).toMatchObject({
    ok: false,
    message: expect.stringContaining('nobody'),
  });
});

test('without a service the fault strikes the first one', () => {
  expect([...faultTable([{ kind: 'crashloop', service: undefined }], ['a', 'b'])]).toEqual([['a', 'crashloop']]);
});
