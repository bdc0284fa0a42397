import { describe, expect, test } from 'vitest';
import { type EnvironmentSource, effectiveEnvironment, expand, serviceLinks } from './environment.ts';

const source = (more: Partial<EnvironmentSource> = {}): EnvironmentSource => ({
  secret: (name) => (name === 'db' ? { URL: 'from-secret', RAW: 'a$(B)$$c' } : undefined),
  configMap: (name) => (name === 'cfg' ? { URL: 'from-configmap', HOST: 'postgres' } : undefined),
  field: (path) => (path === 'metadata.name' ? 'pod-1' : undefined),
  services: [],
  enableServiceLinks: true,
  ...more,
});

const resolve = (container: object, more?: Partial<EnvironmentSource>) => {
  const result = effectiveEnvironment(container, 'nova', source(more));
  if (!result.ok) throw new Error(result.message);
  return Object.fromEntries(result.env);
};

describe('effectiveEnvironment', () => {
  test('later envFrom sources win over earlier ones, and env over both', () => {
    const envFrom = [{ secretRef: { name: 'db' } }, { configMapRef: { name: 'cfg' } }];
    expect(resolve({ envFrom }).URL).toBe('from-configmap');
    expect(resolve({ envFrom, env: [{ name: 'URL', value: 'literal' }] }).URL).toBe('literal');
  });

  test('a prefix is put before each key of its source', () => {
    expect(resolve({ envFrom: [{ prefix: 'DB_', configMapRef: { name: 'cfg' } }] })).toEqual({
      DB_URL: 'from-configmap',
      DB_HOST: 'postgres',
    });
  });

  test('a literal is expanded against what was computed before it, a referenced value is not', () => {
    const env = [
      { name: 'LATE_USE', value: '$(LATE)' },
      { name: 'B', value: 'b' },
      { name: 'LATE', value: '$(B)$$(B)' },
      { name: 'RAW', valueFrom: { secretKeyRef: { name: 'db', key: 'RAW' } } },
    ];
    expect(resolve({ env })).toEqual({ LATE_USE: '$(LATE)', B: 'b', LATE: 'b$(B)', RAW: 'a$(B)$$c' });
  });

  test('the last of two entries with one name wins', () => {
    expect(
      resolve({
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      }),
    ).toEqual({ A: '2' });
  });

  test('service links come last and can be expanded', () => {
    const services = [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'pg-bouncer' },
        spec: { clusterIP: '10.96.0.5', ports: [{ name: 'pg', port: 6432 }] },
      },
    ];
    const env = resolve(
      {
        env: [
          { name: 'URL', value: '$(PG_BOUNCER_SERVICE_HOST)' },
          { name: 'PG_BOUNCER_PORT', value: 'mine' },
        ],
      },
      { services },
    );
    expect(env).toMatchObject({ URL: '10.96.0.5', PG_BOUNCER_PORT: 'mine', PG_BOUNCER_SERVICE_PORT_PG: '6432' });
    expect(resolve({}, { services, enableServiceLinks: false })).toEqual({});
  });

  test('a headless service has no links', () => {
    expect(
      serviceLinks([
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'x' },
          spec: { clusterIP: 'None', ports: [{ port: 1 }] },
        },
      ]).size,
    ).toBe(0);
  });

  test('what is missing is named as the kubelet names it, unless it is optional', () => {
    const key = (name: string, more = {}) =>
      effectiveEnvironment(
        { env: [{ name: 'A', valueFrom: { secretKeyRef: { name, key: 'NOPE', ...more } } }] },
        'nova',
        source(),
      );
    expect(key('db')).toEqual({ ok: false, message: "couldn't find key NOPE in Secret nova/db" });
    expect(key('gone')).toEqual({ ok: false, message: 'secret "gone" not found' });
    expect(key('gone', { optional: true }).ok).toBe(true);
    expect(effectiveEnvironment({ envFrom: [{ configMapRef: { name: 'gone' } }] }, 'nova', source())).toEqual({
      ok: false,
      message: 'configmap "gone" not found',
    });
  });
});

test.each([
  ['$$(A)', '$(A)'],
  ['$(A)', 'value'],
  ['$(B)', '$(B)'],
  ['$A', '$A'],
  ['$(A', '$(A'],
  ['x$', 'x$'],
  ['$$$(A)', '$value'],
])('%s expands to %s', (text, expected) => {
  expect(expand(text, (name) => (name === 'A' ? 'value' : undefined))).toBe(expected);
});
