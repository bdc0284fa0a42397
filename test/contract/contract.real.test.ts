import { describe, expect, test } from 'vitest';
import { SCENARIOS } from './scenarios.ts';

describe('the rehearsal cluster answers as a real Kubernetes 1.36 did', () => {
  for (const row of SCENARIOS) {
    test(row.recordings.join(' and '), async () => {
      const comparisons = await row.run();
      expect(comparisons.length).toBeGreaterThan(0);
      for (const { exchange, what, want, got, equal } of comparisons) {
        if (!equal) expect({ exchange, what, answer: got }).toEqual({ exchange, what, answer: want });
      }
    });
  }
});
