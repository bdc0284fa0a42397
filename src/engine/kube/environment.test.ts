import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EnvironmentSources, effectiveEnvironment, expand, references, serviceLinks } from './environment.ts';
import type { Json } from './types.ts';

const sources = (secrets: Json = {}, maps: Json = {}, links: Record<string, string> = {}): EnvironmentSources => ({
  secret: (name) => secrets[name],
  configMap: (name) => maps[name],
  serviceLinks: links,
});

// third_party/forked/golang/expansion/expand_test.go
test.each([
  ['$(VAR_A)', 'A'],
  ['___$(VAR_B)___', '___B___'],
  ['$$(VAR_A)', '$(VAR_A)'],
  ['$$$(VAR_A)', '$A'],
  ['$(UNKNOWN)', '$(UNKNOWN)'],
  ['$VAR_A', '$VAR_A'],
  ['f00-$(VAR_A', 'f00-$(VAR_A'],
  ['$$$$', '$$'],
  ['end$', 'end$'],
  ['$(VAR_A)$(VAR_B', 'A$(VAR_B'],
  ['$?', '$?'],
])('%s expands to %s', (text, expected) => {
  expect(expand(text, (name) => ({ VAR_A: 'A', VAR_B: 'B' })[name])).toBe(expected);
});

test('references are the names outside of escapes', () => {
  expect(references('$(A)-$$(B)-$(C)')).toEqual(['A', 'C']);
});

describe('the effective environment', () => {
  test('later envFrom sources win over earlier ones, env wins over envFrom, and values of Secrets are not expanded', () => {
    const env = effectiveEnvironment(
      {
        envFrom: [
          { configMapRef: { name: 'a' } },
          { prefix: 'P_', secretRef: { name: 's' } },
          { configMapRef: { name: 'b' } },
        ],
        env: [
          { name: 'X', value: '$(P_RAW) $(Y)' },
          { name: 'Y', value: 'late' },
          { name: 'Y', value: 'last' },
        ],
      },
      sources({ s: { RAW: '$(X)' } }, { a: { K: '1', X: 'gone' }, b: { K: '2' } }),
    );
    expect(env.variables.get('K')).toMatchObject({ value: '2', origin: { kind: 'envFromConfigMap', index: 2 } });
    expect(env.variables.get('X')!.value).toBe('$(X) $(Y)');
    expect(env.variables.get('Y')).toMatchObject({ value: 'last', origin: { index: 2 } });
    expect(env.expand('--y=$(Y)')).toBe('--y=last');
  });

  test('missing sources are named unless they are optional', () => {
    const env = effectiveEnvironment(
      {
        envFrom: [{ secretRef: { name: 'gone' } }, { configMapRef: { name: 'maybe', optional: true } }],
        env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
      },
      sources({ s: {} }),
    );
    expect(env.missing).toEqual(['secret gone', 'secret s key k']);
  });

  test('service links are there for references and lose against everything', () => {
    const links = serviceLinks([
      { metadata: { name: 'my-db' }, spec: { clusterIP: '10.0.0.7', ports: [{ port: 5432, name: 'pg' }] } },
    ]);
    expect(links).toMatchObject({
      MY_DB_SERVICE_HOST: '10.0.0.7',
      MY_DB_PORT: 'tcp://10.0.0.7:5432',
      MY_DB_SERVICE_PORT_PG: '5432',
    });
    const env = effectiveEnvironment(
      {
        env: [
          { name: 'MY_DB_SERVICE_PORT', value: '1' },
          { name: 'U', value: 'x@$(MY_DB_SERVICE_HOST)' },
        ],
      },
      sources({}, {}, links),
    );
    expect(env.variables.get('MY_DB_SERVICE_PORT')!.value).toBe('1');
    expect(env.variables.get('U')!.value).toBe('x@10.0.0.7');
  });
});

/** The specification once more, as literally as possible. */
function reference(container: Json, from: EnvironmentSources): Record<string, string> {
  const result: Record<string, string> = {};
  for (const source of container.envFrom) {
    const data = source.secretRef ? from.secret(source.secretRef.name) : from.configMap(source.configMapRef.name);
    for (const key of Object.keys(data ?? {})) result[`${source.prefix ?? ''}${key}`] = data![key]!;
  }
  for (const entry of container.env) {
    if (entry.valueFrom) {
      const data = from.secret(entry.valueFrom.secretKeyRef.name);
      if (data?.[entry.valueFrom.secretKeyRef.key] !== undefined)
        result[entry.name] = data[entry.valueFrom.secretKeyRef.key]!;
      continue;
    }
    result[entry.name] = String(entry.value).replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) =>
      whole === '$$' ? '$' : (result[name!] ?? from.serviceLinks[name!] ?? whole),
    );
  }
  return { ...from.serviceLinks, ...result };
}

test('random containers agree with the specification', () => {
  const name = fc.constantFrom('A', 'B', 'C', 'D', 'P_A', 'P_B');
  const text = fc
    .array(fc.constantFrom('x', '$', '$$', '$(A)', '$(B)', '$(P_A)', '$(NO)', '$(L)', '(', ')', ' '), { maxLength: 5 })
    .map((p) => p.join(''));
  const data = fc.dictionary(fc.constantFrom('A', 'B', 'C'), text, { maxKeys: 3 });
  const container = fc.record({
    envFrom: fc.array(
      fc.oneof(
        fc.record({ secretRef: fc.constant({ name: 's' }), prefix: fc.constantFrom('', 'P_') }),
        fc.record({ configMapRef: fc.constant({ name: 'm' }), prefix: fc.constantFrom('', 'P_') }),
      ),
      { maxLength: 3 },
    ),
    env: fc.array(
      fc.oneof(
        fc.record({ name, value: text }),
        fc.record({
          name,
          valueFrom: fc.record({
            secretKeyRef: fc.record({
              name: fc.constant('s'),
              key: fc.constantFrom('A', 'B'),
              optional: fc.constant(true),
            }),
          }),
        }),
      ),
      { maxLength: 6 },
    ),
  });
  fc.assert(
    fc.property(container, data, data, (one, secret, map) => {
      const from = sources({ s: secret }, { m: map }, { L: 'link' });
      const got = Object.fromEntries(
        [...effectiveEnvironment(one, from).variables.values()].map((v) => [v.name, v.value]),
      );
      expect(got).toEqual(reference(one, from));
    }),
    { numRuns: 500 },
  );
});
