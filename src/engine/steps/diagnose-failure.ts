/** What the doctor finds behind a failed step: the step's own symptoms first, then the doctor's round of the cluster. */
import { examine } from '../doctor/examine.ts';
import { diagnose } from '../pgbouncer/diagnosis.ts';
import type { DoctorFinding } from '../run/model.ts';
import type { StepContext, StepFailure } from './types.ts';

/** Never fails: what can't be looked at adds nothing. */
export async function diagnoseFailure(failure: StepFailure, ctx: StepContext): Promise<readonly DoctorFinding[]> {
  const own = diagnose(failure.symptoms ?? []);
  if (ctx.signal.aborted || ctx.state().facts.poolerVersion === undefined) return own;
  const seen = await examine(ctx);
  const known = new Set(own.map((one) => one.symptom));
  // The failure's own words come first: the log of a shared pooler may speak of another service.
  return [
    ...own,
    ...seen.findings
      .filter((one) => !known.has(one.symptom))
      .map(({ symptom, cause, check, observed, fix, fixId }) => ({
        symptom,
        cause,
        check,
        observed,
        fix: fixId ? `${fix} (pgb-wizard doctor --fix ${fixId})` : fix,
      })),
  ];
}
