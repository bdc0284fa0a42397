import { expect, test } from 'vitest';
import { DAMAGE_KINDS } from './damage.ts';
import { matrixLine, runCorruptionMatrix } from './matrix.ts';

test('a sample of the corruption matrix loses, doubles and leaks nothing', async () => {
  const result = await runCorruptionMatrix({ sample: DAMAGE_KINDS.length * 12, seed: 1 });
  expect(result.failures).toEqual([]);
  expect(matrixLine(result)).toBe(`tried ${DAMAGE_KINDS.length * 12}, lost 0, doubled 0, leaked 0`);
  // The matrix must reach the interesting endings, or it proves nothing.
  const endings = Object.keys(result.endings).map((key) => key.split(': ')[1]);
  expect(endings).toEqual(
    expect.arrayContaining(['journal-corrupt', 'torn end kept aside', 'prerequisite-missing', 'rebuilt', 'one writer']),
  );
}, 60_000);
