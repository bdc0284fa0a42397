import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FEWEST_ANSWERS, medianRange, responseLimit } from './response-times.ts';

test('ten percent of a fast service is noise; of a slow one it is not', () => {
  expect(responseLimit({ medianMs: 2, p90Ms: 3 }, 10)).toBe(20);
  expect(responseLimit({ medianMs: 30, p90Ms: 32 }, 10)).toBe(35);
  expect(responseLimit({ medianMs: 400, p90Ms: 420 }, 10)).toBeCloseTo(440);
  // What it did a tenth of the time before is no news.
  expect(responseLimit({ medianMs: 400, p90Ms: 900 }, 10)).toBe(900);
});

test('a few answers have no range, a dozen leave out their outliers', () => {
  expect(medianRange(Array.from({ length: FEWEST_ANSWERS - 1 }, () => 3))).toBeUndefined();
  expect(medianRange([1, 1, 9, 9, 9, 9])).toEqual({ low: 1, high: 9 });
  expect(medianRange([0.1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 900])).toEqual({ low: 5, high: 5 });
});

test('the range holds the true median nineteen times of twenty', () => {
  // A fixed sequence, so that the test says the same each time: times of an exponential service of median ln 2.
  let seed = 42;
  const uniform = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  for (const answers of [6, 12, 20]) {
    let missed = 0;
    for (let round = 0; round < 2000; round++) {
      const times = Array.from({ length: answers }, () => -Math.log(1 - uniform())).sort((a, b) => a - b);
      const range = medianRange(times)!;
      if (Math.LN2 < range.low || Math.LN2 > range.high) missed++;
    }
    expect(missed / 2000).toBeLessThan(0.05);
  }
});

test('the range is within the values, around their middle', () => {
  fc.assert(
    fc.property(
      fc.array(fc.float({ min: 0, max: 1e6, noNaN: true }), { minLength: FEWEST_ANSWERS, maxLength: 80 }),
      (times) => {
        const sorted = [...times].sort((a, b) => a - b);
        const { low, high } = medianRange(sorted)!;
        expect(low).toBeLessThanOrEqual(sorted[Math.floor(sorted.length / 2)]!);
        expect(high).toBeGreaterThanOrEqual(sorted[Math.floor((sorted.length - 1) / 2)]!);
      },
    ),
  );
});
