/**
 * Results and errors of the engine. The engine returns `Result`; it throws for bugs only. Every expected failure is one
 * `WizardError` of the closed list below: what happened, why, and what to do next. One place draws it for people
 * (`src/cli/render-error.ts`), one for JSON.
 */

/** Exit codes of every command (docs/commands.md). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  parked: 3,
  notAuthorised: 4,
  gateFailed: 5,
  rolledBack: 6,
  locked: 7,
  outsideWindow: 8,
  foreignRun: 9,
  recordInvalid: 10,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The closed list of error codes. A new way to fail gets a code here, never a bare string somewhere else. */
export type ErrorCode =
  | 'usage'
  | 'plan-invalid'
  | 'plan-mismatch'
  | 'kubeconfig'
  | 'context-unknown'
  | 'cluster-unreachable'
  | 'namespace-missing'
  | 'not-authorised'
  | 'unauthenticated'
  | 'not-found'
  | 'conflict'
  | 'already-exists'
  | 'precondition-failed'
  | 'invalid-object'
  | 'rate-limited'
  | 'api-unavailable'
  | 'outcome-unknown'
  | 'stream-failed'
  | 'timeout'
  | 'aborted'
  | 'locked'
  | 'lock-lost'
  | 'drift'
  | 'contested'
  | 'not-eligible'
  | 'rollout-failed'
  | 'gate-failed'
  | 'pooler-unreachable'
  | 'pooler-config'
  | 'auth-failed'
  | 'postgres-unreachable'
  | 'query-failed'
  | 'answer-needed'
  | 'secret-missing'
  | 'journal-corrupt'
  | 'journal-write'
  | 'checkpoint-corrupt'
  | 'outside-window'
  | 'record-invalid'
  | 'prerequisite-missing'
  | 'port-in-use'
  | 'internal';

export interface WizardError {
  readonly code: ErrorCode;
  /** What happened, one sentence in the present tense, no secret in it, already safe to print. */
  readonly message: string;
  /** Why it probably happened. */
  readonly cause?: string;
  /** What the operator can do about it, as imperative sentences or commands. */
  readonly next?: readonly string[];
  /** May the same call be sent again without a human? */
  readonly retryable: boolean;
  readonly exitCode: ExitCode;
  /** Facts for the record (status code, reason, object); never a secret. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

export type Result<T, E = WizardError> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value });
export const err = <E = WizardError>(error: E): Result<never, E> => ({ ok: false, error });

const EXIT_OF: Partial<Record<ErrorCode, ExitCode>> = {
  usage: EXIT.usage,
  'plan-invalid': EXIT.usage,
  'plan-mismatch': EXIT.foreignRun,
  kubeconfig: EXIT.usage,
  'context-unknown': EXIT.usage,
  'answer-needed': EXIT.usage,
  'not-authorised': EXIT.notAuthorised,
  unauthenticated: EXIT.notAuthorised,
  locked: EXIT.locked,
  'lock-lost': EXIT.locked,
  'outside-window': EXIT.outsideWindow,
  'record-invalid': EXIT.recordInvalid,
  'gate-failed': EXIT.gateFailed,
};

/** Builds a `WizardError`; the exit code follows from the code unless given. */
export function wizardError(
  code: ErrorCode,
  message: string,
  more: Partial<Omit<WizardError, 'code' | 'message'>> = {},
): WizardError {
  return { code, message, retryable: false, exitCode: EXIT_OF[code] ?? EXIT.failed, ...more };
}

/** Shorthand for `err(wizardError(…))`. */
export function fail(
  code: ErrorCode,
  message: string,
  more: Partial<Omit<WizardError, 'code' | 'message'>> = {},
): Result<never> {
  return err(wizardError(code, message, more));
}
