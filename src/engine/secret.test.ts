import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sanitiseLine } from './sanitise.ts';
import { MASK, Secret, scrub } from './secret.ts';

describe('a secret in a text is masked', () => {
  const value = 'p@ss/w+rd "x\' 42';
  new Secret(value);
  const disguises: [name: string, text: string][] = [
    ['as it is', value],
    ['percent-encoded', encodeURIComponent(value)],
    ['in JSON', JSON.stringify({ value }).slice(10, -2)],
    ['in a CSV cell', value.replaceAll('"', '""')],
    ['in an SQL literal', value.replaceAll("'", "''")],
    ...[0, 1, 2].map((shift): [string, string] => [
      `in base64, ${shift} bytes along`,
      Buffer.from(`${'x'.repeat(shift)}${value} and more`).toString('base64'),
    ]),
  ];
  for (const [name, text] of disguises) {
    test(name, () => {
      const seen = scrub(`before ${text} after`);
      expect(seen).toContain(MASK);
      expect(seen).toMatch(/^before .* after$/);
      expect(seen).not.toContain(text);
    });
  }

  test('and an escape sequence in its middle hides nothing', () => {
    expect(sanitiseLine(`x ${value.slice(0, 4)}\u001b[31m${value.slice(4)} y`)).toBe(`x ${MASK} y`);
  });

  test('the value itself prints as dots', () => {
    const secret = new Secret(value);
    expect([String(secret), JSON.stringify(secret), inspect(secret)]).toEqual([MASK, `"${MASK}"`, MASK]);
  });
});

test('of several secrets at one place the longest is masked, and texts without one stay as they are', () => {
  const letters = fc.constantFrom('a', 'b', 'ab', 'é', '-');
  const secret = fc.array(letters, { minLength: 6, maxLength: 12 }).map((parts) => parts.join(''));
  // What was remembered stays remembered: the reference grows with the runs.
  const known = new Set<string>();
  fc.assert(
    fc.property(
      fc.array(secret, { minLength: 1, maxLength: 4 }),
      fc.array(fc.oneof(letters, fc.constantFrom('zzz ', '.')), { maxLength: 40 }),
      (values, parts) => {
        for (const value of values) {
          new Secret(value);
          known.add(value);
        }
        const text = parts.join('');
        const longestFirst = [...known].sort((a, b) => b.length - a.length);
        // Only the plain forms can be in such a text: the alphabet has no `%`, no quotes, and no base64 of itself.
        expect(scrub(text)).toBe(text.replace(new RegExp(longestFirst.join('|'), 'g'), MASK));
      },
    ),
    { numRuns: 300 },
  );
});

test('a password in an address or beside its name is masked without being known', () => {
  expect(scrub('postgres://u:hush@h/d')).toBe(`postgres://u:${MASK}@h/d`);
  expect(scrub('host=h Password = hush; x')).toBe(`host=h Password = ${MASK}; x`);
  expect(scrub('PGPASSWORD=hush psql')).toBe(`PGPASSWORD=${MASK} psql`);
  expect(scrub('"u" "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5"')).toBe(`"u" "SCRAM-SHA-256$${MASK}"`);
});

test('hundreds of passwords are learnt between masked lines without each costing more than the one before', () => {
  const time = (from: number) => {
    const began = performance.now();
    for (let n = from; n < from + 500; n++) {
      new Secret(`fleet-${n}-${n * 7919}`);
      sanitiseLine(`postgresql://user_${n}:fleet-${n}-${n * 7919}@postgres:5432/nova`);
    }
    return performance.now() - began;
  };
  time(0);
  const early = time(500);
  // Building one expression of all of them for each new one made the later ones many times slower.
  expect(time(5000)).toBeLessThan(20 * early + 200);
});
