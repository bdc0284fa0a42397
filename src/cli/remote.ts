/** `hold` and `approve`: a word to the process that drives a run. */
import { err, fail, ok, type Result } from '../engine/result.ts';
import type { Intent, RunSnapshot } from '../engine/run/model.ts';
import { operator } from '../engine/run/operator.ts';
import { stateDir } from '../engine/run/paths.ts';
import { answerTo } from './answers.ts';
import type { Invocation } from './command.ts';
import type { approveFlags } from './commands/approve.ts';
import type { holdFlags } from './commands/hold.ts';
import { askControl } from './control.ts';
import { type Io, write } from './io.ts';
import { envelope, type Format, isMachine, print } from './output.ts';
import { type FoundRun, findRun } from './runs.ts';

/** The live run that is meant, as its process sees it now. */
export async function liveRun(io: Io, runId: string | undefined): Promise<Result<{ run: FoundRun; now: RunSnapshot }>> {
  const run = findRun(stateDir(io.env), runId);
  if (!run.ok) return run;
  const now = await askControl(run.value.dir, { query: 'snapshot' });
  if (now === undefined) {
    const { runId: id, state } = run.value;
    const ended = state.status === 'ended';
    return fail('precondition-failed', `Nobody drives run ${id} now${ended ? `; it is ${state.outcome}` : ''}.`, {
      exitCode: 2,
      next: ended ? ['See it with `pgb-wizard status`.'] : [`Go on with \`pgb-wizard run --run ${id}\`.`],
    });
  }
  return now.ok ? ok({ run: run.value, now: now.value }) : err(now.error);
}

/** Sends an intent to a live run and says what was sent. */
export async function tell(
  command: string,
  io: Io,
  run: FoundRun,
  intent: Intent,
  format: Format,
  said: (after: RunSnapshot) => string,
): Promise<Result<number>> {
  const sent = await askControl(run.dir, { who: operator(io.env).identity, intent });
  if (sent === undefined) return fail('precondition-failed', `Run ${run.runId} ended before it heard this.`);
  if (!sent.ok) return sent;
  if (isMachine(format))
    await print(io, format, { ...envelope(command, 'done', 0), runId: run.runId, status: sent.value.status });
  else await write(io.stdout, `${said(sent.value)}\n`);
  return ok(0);
}

/** What a hold lets go on: a step that was approved and has begun may still send its change, and is followed to its end. */
function untilHeld({ status, ask, currentStep }: RunSnapshot): string {
  return status === 'held' || ask !== undefined || currentStep === undefined
    ? 'nothing new is begun'
    : `${currentStep} is under way and is finished, nothing new is begun`;
}

export async function hold({ values, io, command }: Invocation<typeof holdFlags>): Promise<Result<number>> {
  if (!values.release && !values.reason) {
    return fail('answer-needed', 'A hold needs its reason for the record.', { next: ['Add --reason TEXT.'] });
  }
  const live = await liveRun(io, values.run);
  if (!live.ok) return live;
  const { run } = live.value;
  const intent: Intent = values.release ? { kind: 'unhold' } : { kind: 'hold', reason: values.reason! };
  const said = (after: RunSnapshot) =>
    values.release ? `run ${run.runId} goes on` : `run ${run.runId} is held; ${untilHeld(after)}`;
  return tell(command, io, run, intent, values.output, said);
}

export async function approve({ values, io, command }: Invocation<typeof approveFlags>): Promise<Result<number>> {
  const live = await liveRun(io, values.run);
  if (!live.ok) return live;
  const { run, now } = live.value;
  if (!now.ask) {
    return fail('precondition-failed', `Run ${run.runId} asks nothing now.`, {
      exitCode: 2,
      cause: now.waitingFor ? `It waits for ${now.waitingFor.text}.` : undefined,
    });
  }
  const answer = answerTo(now.ask, values, now.now);
  if (!answer.ok) return answer;
  const intent: Intent = { kind: 'answer', askId: now.ask.id, answer: answer.value };
  const word = 'action' in answer.value ? answer.value.action : 'answered';
  return tell(
    command,
    io,
    run,
    intent,
    values.output,
    () => `run ${run.runId}: ${now.ask?.kind} answered with ${word}`,
  );
}
