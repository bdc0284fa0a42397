/** `preflight`: a run that reads only and stops after its first step. */
import { EXIT, type ExitCode, type Result } from '../engine/result.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import { PERMISSIONS } from '../engine/steps/permissions.ts';
import type { Invocation } from './command.ts';
import type { preflightFlags } from './commands/preflight.ts';
import { drive } from './drive.ts';
import { runEnvelope } from './envelope.ts';
import { write } from './io.ts';
import { isMachine, print, table } from './output.ts';
import { outcomeOf, renderError } from './render-error.ts';
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
        const outcome = outcomeOf(exitCode);
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

function verdictOf(snapshot: RunSnapshot): ExitCode {
  if (snapshot.error) return snapshot.error.exitCode;
  return stepOf(snapshot)?.state === 'fail' ? EXIT.gateFailed : EXIT.done;
}

/** The evidence of the step, then what stops the run. */
export function preflightText(snapshot: RunSnapshot): string {
  const step = stepOf(snapshot);
  const asked = step?.evidence.findLast((one) => one.check === PERMISSIONS)?.data?.permissions;
  const rows = (step?.evidence ?? []).map((one) => [one.verdict, one.check, one.observed]);
  const warnings = snapshot.messages.filter((one) => one.level === 'warn').map((one) => `warning: ${one.text}\n`);
  const stop = step?.cause ? `\nThe run would stop: ${step.cause}\n${step.hint ?? ''}\n` : '';
  return `${permissionTable(asked)}${table([['VERDICT', 'CHECK', 'OBSERVED'], ...rows])}${warnings.join('')}${stop}`;
}

/** Every permission of the plan with the first step that needs it, and what becomes of the run without it. */
function permissionTable(asked: unknown): string {
  if (!Array.isArray(asked)) return '';
  const word = (row: PermissionRow) =>
    row.allowed === true ? 'yes' : row.allowed === false ? (row.optional ? 'no (goes on)' : 'NO') : 'unknown';
  const rows = (asked as PermissionRow[]).map((row) => [
    row.permission,
    word(row),
    row.allowed === false && !row.optional ? `will fail at ${row.neededBy}` : row.neededBy,
  ]);
  return `${table([['PERMISSION', 'ALLOWED', 'NEEDED BY'], ...rows])}\n`;
}

interface PermissionRow {
  readonly permission: string;
  readonly allowed: boolean | 'unknown';
  readonly neededBy: string;
  readonly optional: boolean;
}
