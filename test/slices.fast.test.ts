import { expect, test } from 'vitest';
import { matrixFlags, shareOf } from './flags.ts';
import { addParts, countsLine, NOTHING } from './slices.ts';

const flags = (...args: string[]) => matrixFlags({ sample: 25 }, args);

test('the shards of a matrix take all of it, and nothing twice', () => {
  for (const sample of [1, 7, 1000, 2000]) {
    for (const of of [1, 2, 3, 8]) {
      const shares = Array.from({ length: of }, (_, index) => shareOf(sample, { index: index + 1, of }));
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(sample);
    }
  }
});

test('flags that mean nothing are refused', () => {
  expect(flags()).toMatchObject({ sample: 25, seed: 1, shard: { index: 1, of: 1 }, parallel: 1, sum: false });
  expect(flags('--shard', '2/5', '--sample', '1000')).toMatchObject({ sample: 1000, shard: { index: 2, of: 5 } });
  expect(() => flags('--shard', '6/5')).toThrow('no such part');
  expect(() => flags('--sample', '0')).toThrow('at least 1');
  expect(() => flags('--sum')).toThrow('--results');
});

test('parts add up to the line that is printed last', () => {
  const part = { ...NOTHING, tried: 30, lost: 1, counts: { send: 2 }, covered: ['a', 'b'], known: 9, failures: ['x'] };
  const total = [part, { ...part, lost: 0, covered: ['b', 'c'], failures: [] }].reduce(addParts, NOTHING);
  expect(total).toMatchObject({ counts: { send: 4 }, covered: ['a', 'b', 'c'], known: 9, failures: ['x'] });
  expect(countsLine(total)).toBe('tried 60, lost 1, doubled 0, leaked 0');
});
