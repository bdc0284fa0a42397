/** A failed step in words: its cause, what may be answered to it, and how a run ends with it. */
import type { ErrorCode, WizardError } from '../result.ts';
import type { Step, StepFailure } from '../steps/types.ts';
import type { Ask, DoctorFinding, FailureAnswer, RollbackScope, StepView } from './model.ts';
import type { RunEnd, RunnerPorts } from './runner.ts';

/** What says nothing about a service. */
const BLIND: ReadonlySet<ErrorCode> = new Set(['unauthenticated', 'cluster-unreachable', 'api-unavailable']);

export function failureAsk(
  ports: RunnerPorts,
  step: Step,
  failure: StepFailure,
  verdict: 'fail' | 'inconclusive',
  service: string | undefined,
  findings: readonly DoctorFinding[],
): Extract<Ask, { kind: 'failure' }> {
  const moved = new Map(ports.core.state.services.map((one) => [one.name, one]));
  const away = (state: string | undefined) => state === 'pooled' || state === 'switching';
  const options: FailureAnswer['action'][] = ['retry'];
  if (service && away(moved.get(service)?.state)) options.push('rollback-service');
  if ([...moved.values()].some((one) => one.phase === step.info.phase && away(one.state)))
    options.push('rollback-phase');
  if ([...moved.values()].some((one) => away(one.state))) options.push('rollback-all');
  options.push('waive', 'leave');
  return {
    id: ports.asks.nextId(),
    kind: 'failure',
    stepId: step.info.id,
    title: step.info.title,
    ...(service ? { service } : {}),
    cause: failure.cause,
    hint: failure.hint,
    verdict,
    ...(failure.error && BLIND.has(failure.error.code) ? { blind: true as const } : {}),
    findings,
    logTail: failure.logTail ?? [],
    options,
  };
}

export function scopeOf(action: FailureAnswer['action'], service: string | undefined, phase: string): RollbackScope {
  if (action === 'rollback-service' && service) return { kind: 'service', service };
  if (action === 'rollback-phase') return { kind: 'phase', phase };
  return { kind: 'all' };
}

export function endOfFailure(
  ports: RunnerPorts,
  step: Step,
  failure: StepFailure,
  verdict: 'fail' | 'inconclusive',
  error: WizardError | undefined,
): RunEnd {
  const cause = `${step.info.id}: ${failure.cause}`;
  // A human who leaves parks the run; a policy that stops at a failed gate says so with its own exit code.
  if (!ports.policy || verdict === 'inconclusive') return { outcome: 'parked', cause };
  if (error && error.exitCode !== 1) return { outcome: 'failed', cause, error };
  return { outcome: 'gate-failed', cause };
}

/** The failure, and the cause behind it when the doctor knows one that the sentence does not already say. */
export function withDiagnosis(cause: string, findings: readonly DoctorFinding[]): string {
  const [first] = findings;
  return first && !cause.includes(first.cause) ? `${cause}. Diagnosis: ${first.cause}` : cause;
}

export function failureOf(error: WizardError): StepFailure {
  return {
    cause: error.cause ? `${error.message} (${error.cause})` : error.message,
    hint: error.next?.join(' ') ?? 'Look at the cause, mend it, and retry the step.',
    symptoms: [error.message, ...(error.cause ? [error.cause] : [])],
  };
}

export function failureFromEvidence(evidence: StepView['evidence'], verdict: 'fail' | 'inconclusive'): StepFailure {
  const bad = evidence.filter((one) => one.verdict === verdict);
  if (bad.length === 0) {
    return {
      cause: 'nothing was observed',
      hint: 'The step saw nothing that proves it. Retry it, or waive it with a reason.',
    };
  }
  return {
    cause: bad
      .map((one) => `${one.check}: ${one.observed}${one.expected ? ` (expected ${one.expected})` : ''}`)
      .join('; '),
    hint:
      verdict === 'fail'
        ? 'Look at the failed checks; roll back or mend and retry.'
        : 'It could not be measured. Retry, or waive it with a reason when you know it from elsewhere.',
    symptoms: bad.map((one) => one.observed),
  };
}
