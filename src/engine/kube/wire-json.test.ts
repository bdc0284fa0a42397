import fc from 'fast-check';
import { expect, test } from 'vitest';
import { wireJson } from './wire-json.ts';

test('an address with two parameters is spelt as the API server spells it', () => {
  expect(wireJson([{ op: 'test', path: '/x', value: 'postgresql://h/d?a=1&b=<ö/😀>\u2028' }])).toBe(
    '[{"op":"test","path":"/x","value":"postgresql://h/d?a=1\\u0026b=\\u003cö/😀\\u003e\\u2028"}]',
  );
});

test('it says the same as JSON.stringify', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(wireJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});
