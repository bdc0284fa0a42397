/**
 * The loop: takes the next step that is due, asks, applies, verifies, writes down, and deals with what the operator
 * wants in between. The only caller of a step's functions.
 */
import { type WizardError, wizardError } from '../result.ts';
import type { Step, StepContext, StepFailure, StepResult } from '../steps/types.ts';
import type { AskBroker } from './asks.ts';
import { type Contest, type Controls, Interrupted } from './controls.ts';
import { JournalStopped, type RunCore } from './core.ts';
import { endOfFailure, failureAsk, failureFromEvidence, failureOf, scopeOf, withDiagnosis } from './failures.ts';
import type { RunState } from './fold.ts';
import type { Answer, Ask, DoctorFinding, FailureAnswer, Outcome, RollbackScope, StepView } from './model.ts';
import type { HeadlessPolicy, RunOptions } from './options.ts';
import { runRollback, servicesToGoBack } from './rollback.ts';
import { worth } from './worth.ts';

export interface RunnerPorts {
  readonly core: RunCore;
  readonly controls: Controls;
  readonly asks: AskBroker;
  readonly who: string;
  readonly policy?: HeadlessPolicy;
  readonly dryRun: NonNullable<RunOptions['dryRun']>;
  readonly stopAfter?: string;
  /** `context/namespace`: what is typed to confirm what can't be confirmed by accident. */
  readonly typedName: string;
  readonly steps: readonly Step[];
  /** Steps that passed once and are due again because their service was rolled back in an earlier session. */
  readonly redo: ReadonlySet<string>;
  context(step: string, signal: AbortSignal): StepContext;
  /** Brings the cluster's copy up to date with what a human just said, so that no other machine asks for it again. */
  share(): Promise<void>;
  /** Looks around (pooler logs, pools) and finds causes behind the symptoms. Never fails. */
  diagnose(failure: StepFailure, ctx: StepContext): Promise<readonly DoctorFinding[]>;
}

export interface RunEnd {
  readonly outcome: Outcome;
  readonly cause?: string;
  readonly error?: WizardError;
}

/** What became of one step, as the loop sees it. */
type Turn =
  | { readonly kind: 'next' }
  | { readonly kind: 'again' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'end'; readonly end: RunEnd };

const COMPLETE: ReadonlySet<StepView['state']> = new Set(['pass', 'waived', 'skipped']);

/** Runs until the plan is done, the run is left, or it was rolled back. Never rejects. */
export async function runPlan(ports: RunnerPorts, first?: RollbackScope): Promise<RunEnd> {
  const { core, controls } = ports;
  const redo = new Set(ports.redo);
  if (first) controls.rollback(first);
  try {
    for (;;) {
      const end = await betweenSteps(ports, first);
      if (end) return end;
      const step = nextStep(ports, redo);
      if (!step)
        return ports.dryRun === 'none'
          ? { outcome: 'done' }
          : { outcome: 'done', cause: 'a dry run: nothing was changed' };
      redo.delete(step.info.id);
      const turn = await runStep(ports, step);
      if (turn.kind === 'end') return turn.end;
      if (turn.kind === 'next' && reached(ports, step)) {
        return { outcome: 'parked', cause: `stopped after ${ports.stopAfter}, as asked` };
      }
    }
  } catch (thrown) {
    if (thrown instanceof JournalStopped) return stoppedBy(thrown);
    throw thrown;
  } finally {
    core.live.set({ ask: undefined, waitingFor: undefined });
  }
}

/** Nothing may happen that can't be written down. */
export const stoppedBy = ({ error }: JournalStopped): RunEnd => ({ outcome: 'parked', cause: error.message, error });

function nextStep(ports: RunnerPorts, redo: ReadonlySet<string>): Step | undefined {
  const states = new Map(ports.core.state.steps.map((step) => [step.id, step.state]));
  return ports.steps.find(({ info }) => redo.has(info.id) || !COMPLETE.has(states.get(info.id) ?? 'todo'));
}

/** True when `stopAfter` names this step, or its phase and this was the phase's last step. */
function reached(ports: RunnerPorts, step: Step): boolean {
  if (ports.stopAfter === undefined) return false;
  if (ports.stopAfter === step.info.id) return true;
  const ofPhase = ports.steps.filter((other) => other.info.phase === ports.stopAfter);
  return ofPhase.at(-1)?.info.id === step.info.id;
}

/** Leaves, rollbacks and holds. Returns how the run ends, or nothing when it goes on. */
async function betweenSteps(ports: RunnerPorts, first: RollbackScope | undefined): Promise<RunEnd | undefined> {
  const { core, controls } = ports;
  for (;;) {
    if (controls.leaving !== undefined) {
      const error = controls.lockLost;
      return { outcome: 'parked', cause: controls.leaving, ...(error ? { error } : {}) };
    }
    const scope = controls.takeRollback();
    if (scope) {
      controls.rearm();
      const result = await runRollback(ports, scope);
      if (result === 'done') return { outcome: 'rolled-back', cause: whatIsBack(core.state, scope) };
      if (result === 'failed') return { outcome: 'failed', cause: 'the rollback did not end well; resume it' };
      // Resumed for this alone: there is nothing to go on with. A live run that has nothing to take back goes on.
      if (result === 'nothing' && scope === first)
        return { outcome: 'rolled-back', cause: 'nothing was to be taken back' };
      continue;
    }
    controls.rearm();
    if (!controls.held) {
      if (core.state.heldFor !== undefined) {
        core.record({ type: 'run.unheld', who: ports.who });
        core.live.set({ status: 'running', heldFor: undefined });
      }
      return undefined;
    }
    if (core.state.heldFor === undefined) {
      core.record({ type: 'run.held', who: controls.held.who, reason: controls.held.reason });
    }
    core.live.set({
      status: 'held',
      heldFor: controls.held.reason,
      waitingFor: { text: `you: on hold, ${controls.held.reason} (${controls.held.who})`, since: core.timestamp() },
    });
    await controls.changed();
  }
}

export const describeScope = (scope: RollbackScope): string =>
  scope.kind === 'all'
    ? 'all services are back on PostgreSQL'
    : scope.kind === 'phase'
      ? `the services of ${scope.phase} are back on PostgreSQL`
      : `${scope.service} is back on PostgreSQL`;

/** As `describeScope`, without claiming it of a service whose way back was waived instead of proved. */
function whatIsBack(state: RunState, scope: RollbackScope): string {
  const away = servicesToGoBack(state, scope);
  return away.length === 0 ? describeScope(scope) : `rolled back, except ${away.join(', ')}: waived, not proved`;
}

/** One step until it is complete, or something else has to happen first. */
async function runStep(ports: RunnerPorts, step: Step): Promise<Turn> {
  const { core, controls } = ports;
  const { id } = step.info;
  const attempt = (core.state.steps.find((view) => view.id === id)?.attempts ?? 0) + 1;
  const signal = controls.signal;
  const ctx = ports.context(id, signal);
  core.record({ type: 'step.started', id, attempt });
  core.live.set({ status: 'running' });
  core.live.forgetStep();
  ctx.waitingFor(`what the cluster says: ${step.info.title}`);
  try {
    const before = controls.takeContest();
    if (before) return await contested(ports, step, before);
    const unseen = notMade(ports, step);
    if (unseen) {
      core.record({ type: 'step.finished', id, state: 'skipped', note: unseen });
      return { kind: 'next' };
    }
    const changed = await makeChange(ports, step, ctx);
    if (changed) return changed.kind === 'interrupted' ? await interrupted(ports, step) : changed;
    const verified = await step.verify(ctx);
    if (signal.aborted) return await interrupted(ports, step);
    if (!verified.ok) return await failed(ports, step, failureOf(verified.error), 'fail', verified.error);
    return await finish(ports, step, verified.value);
  } catch (thrown) {
    // A wait inside the step was interrupted. Its state stays `running` in the journal: it starts again from live state.
    if (thrown instanceof Interrupted || (signal.aborted && thrown === signal.reason)) return interrupted(ports, step);
    throw thrown;
  }
}

/** What a dry run looks at: `p1.prepare` plans the switch of every service against the live objects. */
const DRY_STEPS: ReadonlySet<string> = new Set(['preflight', 'p1.credentials', 'p1.secret', 'p1.deploy', 'p1.prepare']);

/** In a dry run: why a step is not looked at, because what it looks at was not made. */
function notMade(ports: RunnerPorts, { info }: Step): string | undefined {
  if (ports.dryRun === 'none' || DRY_STEPS.has(info.id)) return undefined;
  return info.kind === 'change' && info.phase !== 'p1'
    ? `dry run (${ports.dryRun}): its change was previewed in 1.5, not made`
    : `dry run (${ports.dryRun}): nothing was made that it could look at`;
}

/** Why the step was interrupted decides what follows: the operator's wish is dealt with between steps, a contest is a failure here. */
async function interrupted(ports: RunnerPorts, step: Step): Promise<Turn> {
  const { controls } = ports;
  const contest = controls.leaving === undefined ? controls.takeContest() : undefined;
  if (!contest) return { kind: 'interrupted' };
  controls.rearm();
  return contested(ports, step, contest);
}

/** Somebody put the old address back. It is never put there again by itself: whoever did that would do it again. */
function contested(ports: RunnerPorts, step: Step, contest: Contest): Promise<Turn> {
  const { service, manager, detail } = contest;
  const cause = `contested: ${detail} (written by ${manager})`;
  const hint = `Settle it with ${manager}: change the address where it takes its manifests from, or pause it for this workload. The wizard does not put the change back by itself.`;
  const failure: StepFailure = { cause, hint, service, symptoms: [cause] };
  return failed(ports, step, failure, 'fail', wizardError('contested', cause, { next: [hint] }));
}

/** Plan, ask, apply. Returns a turn when the step ends here. */
async function makeChange(ports: RunnerPorts, step: Step, ctx: StepContext): Promise<Turn | undefined> {
  const { core, controls } = ports;
  const { id } = step.info;
  if (!step.plan) return undefined;
  const planned = await step.plan(ctx);
  if (ctx.signal.aborted) return { kind: 'interrupted' };
  if (!planned.ok) return failed(ports, step, failureOf(planned.error), 'fail', planned.error);
  const preview = planned.value;
  if (!preview) return undefined;
  core.record({ type: 'step.previewed', id, preview });
  if (preview.alreadyDone) return undefined;
  if (ports.dryRun !== 'none') {
    core.record({
      type: 'step.finished',
      id,
      state: 'skipped',
      note: `dry run (${ports.dryRun}): previewed, not made`,
    });
    return { kind: 'next' };
  }
  const answer = await ask(ports, {
    id: ports.asks.nextId(),
    kind: 'confirm',
    stepId: id,
    title: step.info.title,
    preview,
    ...(preview.destructive ? { typed: ports.typedName } : {}),
  });
  if (answer.kind === 'confirm' && answer.action === 'skip') {
    core.record({
      type: 'step.finished',
      id,
      state: 'skipped',
      note: `skipped by ${ports.who}: ${answer.reason ?? 'no reason given'}`,
    });
    await ports.share();
    return { kind: 'next' };
  }
  if (answer.kind !== 'confirm' || answer.action === 'leave') {
    return {
      kind: 'end',
      end: {
        outcome: 'parked',
        cause: answer.kind === 'confirm' ? (answer.reason ?? 'left at a confirmation') : 'left',
      },
    };
  }
  if (controls.held) return { kind: 'again' };
  const applied = await step.apply?.(ctx);
  if (ctx.signal.aborted) return { kind: 'interrupted' };
  if (applied && !applied.ok) return failed(ports, step, failureOf(applied.error), 'fail', applied.error);
  return undefined;
}

async function finish(ports: RunnerPorts, step: Step, result: StepResult): Promise<Turn> {
  const { core } = ports;
  const { id } = step.info;
  if (result.goBack) {
    core.record({
      type: 'step.finished',
      id,
      state: 'fail',
      cause: 'the operator decided to roll back',
      note: result.note,
    });
    ports.controls.rollback(result.goBack);
    return { kind: 'again' };
  }
  if (result.verdict === 'skipped' || result.verdict === 'waived') {
    core.record({ type: 'step.finished', id, state: result.verdict, note: result.note });
    return { kind: 'next' };
  }
  const evidence = core.state.steps.find((view) => view.id === id)?.evidence ?? [];
  // A tick needs an observation behind it: a step that saw nothing has not passed, whatever it says.
  const verdict = result.verdict === 'pass' ? worth(evidence) : result.verdict;
  if (verdict === 'pass') {
    core.record({ type: 'step.finished', id, state: 'pass', note: result.note });
    return { kind: 'next' };
  }
  const failure = result.failure ?? failureFromEvidence(evidence, verdict);
  return failed(ports, step, failure, verdict, failure.error);
}

/** Writes the failure down and asks what to do about it. */
async function failed(
  ports: RunnerPorts,
  step: Step,
  failure: StepFailure,
  verdict: 'fail' | 'inconclusive',
  error?: WizardError,
): Promise<Turn> {
  const { core, controls } = ports;
  const { id } = step.info;
  if (error?.code === 'aborted' && controls.signal.aborted) return { kind: 'interrupted' };
  const findings = await ports.diagnose(failure, ports.context(id, controls.signal));
  const cause = withDiagnosis(failure.cause, findings);
  core.record({ type: 'step.finished', id, state: verdict, cause, hint: failure.hint });
  const service = failure.service ?? step.info.service;
  for (;;) {
    const put = failureAsk(ports, step, { ...failure, cause, ...(error ? { error } : {}) }, verdict, service, findings);
    let answer: Answer;
    try {
      answer = await ask(ports, put);
    } catch (thrown) {
      if (thrown instanceof Interrupted) return { kind: 'interrupted' };
      throw thrown;
    }
    const action: FailureAnswer['action'] = answer.kind === 'failure' ? answer.action : 'leave';
    const reason = answer.kind === 'failure' ? answer.reason : undefined;
    switch (action) {
      case 'retry':
        return { kind: 'again' };
      case 'waive':
        core.record({
          type: 'step.finished',
          id,
          state: 'waived',
          cause: failure.cause,
          hint: failure.hint,
          note: `waived by ${ports.who}: ${reason ?? 'no reason given'}`,
        });
        await ports.share();
        return { kind: 'next' };
      case 'leave':
        return { kind: 'end', end: endOfFailure(ports, step, failure, verdict, error) };
      default: {
        const scope = scopeOf(action, service, step.info.phase);
        const result = await runRollback(ports, scope, ports.policy === undefined ? 'confirm' : 'asked');
        if (result === 'cancelled') continue;
        if (result === 'failed')
          return { kind: 'end', end: { outcome: 'failed', cause: 'the rollback did not end well; resume it' } };
        if (ports.policy || scope.kind !== 'service') {
          return {
            kind: 'end',
            end: { outcome: 'rolled-back', cause: `${failure.cause}; ${whatIsBack(core.state, scope)}` },
          };
        }
        // A single service is back; the operator says whether to try it again, to go on without it, or to stop here.
      }
    }
  }
}

async function ask(ports: RunnerPorts, question: Ask): Promise<Answer> {
  const { core } = ports;
  core.live.set({ status: 'asking', waitingFor: { text: 'your answer', since: core.timestamp() } });
  const answer = await ports.asks.put(question, ports.controls.signal);
  // Nobody is waited for any more; what is begins in a moment and says so itself.
  core.live.set({ status: 'running', waitingFor: { text: afterText(question), since: core.timestamp() } });
  return answer;
}

const afterText = (question: Ask): string =>
  question.kind === 'confirm' ? `the first request of: ${question.title}` : 'the answer to be carried out';
