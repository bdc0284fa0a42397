import { expect, test } from 'vitest';
import { parseFieldSelector, parseLabelSelector } from './selectors.ts';

test.each([
  ['app=web', { app: 'web' }, true],
  ['app==web,tier!=db', { app: 'web' }, true],
  ['app in (a, b),x', { app: 'b', x: '' }, true],
  ['app in (a,b)', { app: 'c' }, false],
  ['app notin (a,b)', {}, true],
  ['!app', { app: 'x' }, false],
  ['n>3', { n: '4' }, true],
])('%s on %o is %s', (selector, labels, expected) => {
  expect(parseLabelSelector(selector)(labels as Record<string, string>)).toBe(expected);
});

test('a selector that cannot be read is a bad request', () => {
  expect(() => parseLabelSelector('a=(b')).toThrow(/unable to parse/);
});

test('fields a kind has not are refused', () => {
  expect(() => parseFieldSelector('spec.foo=1', 'Deployment', 'apps/v1')).toThrow(
    'field label not supported: spec.foo',
  );
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, status: { phase: 'Running' } };
  expect(parseFieldSelector('status.phase!=Running', 'Pod', 'v1')(pod)).toBe(false);
  expect(parseFieldSelector('metadata.name=p', 'Pod', 'v1')(pod)).toBe(true);
});
