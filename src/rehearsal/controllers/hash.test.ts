import { expect, test } from 'vitest';
import { fnv32a, randomTail, safeEncode, sameTemplate, templateHash } from './hash.ts';

test('FNV-32a has its published values', () => {
  expect(fnv32a('')).toBe(0x811c9dc5);
  expect(fnv32a('a')).toBe(0xe40c292c);
  expect(fnv32a('foobar')).toBe(0xbf9cf968);
});

test('a hash of digits uses ten letters of the alphabet, as pod-template-hash does', () => {
  expect(safeEncode('0123456789')).toBe('456789bcdf');
  for (let i = 0; i < 200; i++) expect(templateHash({ spec: { i } })).toMatch(/^[456789bcdf]{1,10}$/);
  expect(randomTail()).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});

test('the collision count makes another hash of the same template', () => {
  expect(templateHash({ a: 1 }, 1)).not.toBe(templateHash({ a: 1 }));
  expect(templateHash({ a: 1, b: 2 })).toBe(templateHash({ b: 2, a: 1 }));
});

test('templates are the same when only the hash label, key order or empty fields differ', () => {
  const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'a', env: [] }] } };
  expect(
    sameTemplate(template, {
      metadata: { labels: { 'pod-template-hash': 'abc', app: 'x' }, creationTimestamp: null },
      spec: { containers: [{ env: undefined, name: 'a' }] },
    }),
  ).toBe(true);
  expect(sameTemplate(template, { ...template, spec: { containers: [{ name: 'b' }] } })).toBe(false);
});
