/** What a step may claim by what it saw. The runner and the rollback ask it of every step; no step judges itself alone. */
import type { Evidence, Verdict } from './model.ts';

/**
 * A pass needs an observation behind every check: nothing seen is none, a failed check beside it is none, and neither is
 * one that could not be measured, unless a human or the policy of the run waives the step and the record says so.
 */
export function worth(evidence: readonly Pick<Evidence, 'verdict'>[]): Verdict {
  if (evidence.some((one) => one.verdict === 'fail')) return 'fail';
  return evidence.length === 0 || evidence.some((one) => one.verdict === 'inconclusive') ? 'inconclusive' : 'pass';
}
