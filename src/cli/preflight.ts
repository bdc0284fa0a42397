/** `preflight`: a run that reads only and stops after its first step. */
import { EXIT, type Result } from '../engine/result.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import type { Invocation } from './command.ts';
import type { preflightFlags } from './commands/preflight.ts';
import { drive } from './drive.ts';
import { runEnvelope } from './envelope.ts';
import { write } from './io.ts';
import { isMachine, print, table } from './output.ts';
import { renderError } from './render-error.ts';
import { prepareRun, type RunValues } from './session.ts';

export async function preflight(invocation: Invocation<typeof preflightFlags>): Promise<Result<number>> {
  const { values, io, signal, command } = invocation;
  const run: RunValues = {
    ...values,
    ...{
      run: undefined,
      fresh: true,
      noInput: true,
      yes: false,
      approve: 'none',
      onFailure: 'stop',
      onBlocked: undefined,
      onInconclusive: 'accept',
    },
    ...{ change: undefined, changeTitle: undefined, dryRun: 'client', stopAfter: 'preflight' },
  };
  const options = await prepareRun({ values: run, mode: 'headless', io, rehearsal: false, timeScale: 1, signal });
  if (!options.ok) return options;
  return drive({
    command,
    mode: 'headless',
    values: run,
    io,
    signal,
    options: () => Promise.resolve(options),
    messagesAtEnd: true,
    async finish(last) {
      const exitCode = verdictOf(last);
      if (isMachine(values.output)) {
        const outcome = exitCode === EXIT.done ? 'done' : 'gate-failed';
        await print(io, values.output, { ...runEnvelope(command, last), outcome, exitCode });
      } else {
        await write(io.stdout, preflightText(last));
      }
      if (last.error) await write(io.stderr, renderError(last.error));
      return exitCode;
    },
  });
}

const stepOf = (snapshot: RunSnapshot) => snapshot.steps.find((step) => step.id === 'preflight');

function verdictOf(snapshot: RunSnapshot): number {
  if (snapshot.error) return snapshot.error.exitCode;
  return stepOf(snapshot)?.state === 'fail' ? EXIT.gateFailed : EXIT.done;
}

/** The evidence of the step, then what stops the run. */
export function preflightText(snapshot: RunSnapshot): string {
  const step = stepOf(snapshot);
  const rows = (step?.evidence ?? []).map((one) => [one.verdict, one.check, one.observed]);
  const warnings = snapshot.messages.filter((one) => one.level === 'warn').map((one) => `warning: ${one.text}\n`);
  const stop = step?.cause ? `\nThe run would stop: ${step.cause}\n${step.hint ?? ''}\n` : '';
  return `${table([['VERDICT', 'CHECK', 'OBSERVED'], ...rows])}${warnings.join('')}${stop}`;
}
