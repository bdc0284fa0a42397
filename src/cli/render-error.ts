/** The one place that draws an error for people, and the one that puts it into JSON. */
import { EXIT, type ExitCode, type WizardError, wizardError } from '../engine/result.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { envelope } from './output.ts';

/** Where an interrupted run can be found, for the message about a bug. */
export interface RunPlace {
  readonly runId: string;
  readonly journal?: string;
}

/**
 * What happened, why, and what to do next:
 *
 * ```
 * error: the context prod-eu-2 is not in the kubeconfig
 *   why   it has prod-eu-1 and kind-dev
 *   next  pass --context prod-eu-1
 * ```
 */
export function renderError(error: WizardError, colour = false): string {
  const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const lines = [`${paint('31;1', 'error:')} ${sanitiseLine(error.message)}`];
  if (error.cause) lines.push(`  ${paint('2', 'why ')}  ${sanitiseLine(error.cause)}`);
  (error.next ?? []).forEach((step, i) => {
    lines.push(`  ${paint('2', i === 0 ? 'next' : '    ')}  ${sanitiseLine(step)}`);
  });
  return `${lines.join('\n')}\n`;
}

/** The fields of an error for a machine; texts are clean. */
export function errorJson(error: WizardError): Record<string, unknown> {
  return {
    code: error.code,
    message: sanitiseLine(error.message),
    ...(error.cause ? { cause: sanitiseLine(error.cause) } : {}),
    ...(error.next ? { next: error.next.map((step) => sanitiseLine(step)) } : {}),
    retryable: error.retryable,
    ...(error.details ? { details: error.details } : {}),
  };
}

/** The word for an exit code, when a command ended without a run. */
export function outcomeOf(exitCode: ExitCode): string {
  const words: Record<number, string> = {
    [EXIT.done]: 'done',
    [EXIT.parked]: 'parked',
    [EXIT.gateFailed]: 'gate-failed',
    [EXIT.rolledBack]: 'rolled-back',
  };
  return words[exitCode] ?? (exitCode === EXIT.failed ? 'failed' : 'refused');
}

/** The envelope of a command that failed before it had anything else to say. */
export function errorEnvelope(command: string, error: WizardError) {
  return envelope(command, outcomeOf(error.exitCode), error.exitCode, { error: errorJson(error) });
}

/**
 * A bug as a `WizardError`: its first line, where the journal is and how to go on. The stack is for PGB_WIZARD_DEBUG
 * only, and scrubbed like everything else.
 */
export function fromBug(thrown: unknown, place?: RunPlace): WizardError {
  const message = thrown instanceof Error ? thrown.message.split('\n')[0]! : String(thrown);
  const next = ['Set PGB_WIZARD_DEBUG=1 for the stack, and report it with the version of `pgb-wizard version`.'];
  if (place) next.unshift(`Nothing recorded is lost: resume with \`pgb-wizard run --run ${place.runId}\`.`);
  if (place?.journal) next.push(`The journal of the run is ${place.journal}.`);
  return wizardError('internal', `a bug in pgb-wizard stopped it: ${sanitiseLine(message, 300)}`, { next });
}
