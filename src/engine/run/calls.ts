/**
 * The write-ahead protocol around every mutating call (kubernetes.md 4.3): the intent is on disk and in the cluster's
 * ledger before the call is sent, the lock is checked right before, the outcome is written after. A crash between any two
 * of these leaves an intent without an outcome, which a resume settles by looking at the cluster.
 */
import { pause, unlessAborted } from '../kube/abort.ts';
import type { LeaseHandle } from '../kube/option-types.ts';
import { err, fail, ok, type Result, type WizardError, wizardError } from '../result.ts';
import type { CallReceipt, MutatingCall, Send } from '../steps/types.ts';
import type { RunCore } from './core.ts';

export interface CallPorts {
  readonly core: RunCore;
  /** Absent only for a dry run. */
  readonly lease: () => LeaseHandle | undefined;
  /** Brings the cluster's copy up to date; an error means that somebody else drives this run, or that it can't be reached. */
  readonly saveLedger: (signal: AbortSignal) => Promise<Result<void>>;
  /** Aborted when the run was left and the cluster gave no answer: what was sent is then given up, outcome unknown. */
  readonly abandoned: AbortSignal;
  /** No mutation starts outside the change window, except on the way back: a service is never left where it fails. */
  readonly windowOpen: () => Result<void>;
}

/** What was sent may still hear that it was given up, and then says more exactly what became of it. */
const LAST_WORD_MS = 100;

/** Returns the function that steps get as `ctx.call`. Calls of one run are sent one after the other or side by side; each has its own id. */
export function createCaller(ports: CallPorts) {
  const { core, abandoned } = ports;
  return async function call(step: string, what: MutatingCall, send: Send): Promise<Result<CallReceipt>> {
    const open = ports.windowOpen();
    if (!open.ok) {
      if (what.direction !== 'back') return open;
      core.message('warn', `${open.error.message}; ${what.target.name} is taken back all the same`);
    }
    const lease = ports.lease();
    if (!lease) return fail('lock-lost', 'this run does not hold the lock of the namespace, so it changes nothing');
    const attempt =
      core.state.calls.filter(({ intent }) => intent.step === step && same(intent.target, what.target)).length + 1;
    // A rebuilt journal has gaps: the next id is one more than the highest.
    const callId = `${core.state.calls.reduce((most, { callId }) => Math.max(most, Number(callId)), 0) + 1}`;
    const auditId = `pgbw-${core.state.runId}-${callId}-${attempt}`;
    core.record({ type: 'call.intent', callId, step, attempt, auditId, ...what });

    const notSent = (error: WizardError, why = error.message): Result<never> => {
      core.record({ type: 'call.outcome', callId, result: 'refused', error: why });
      return err(error);
    };
    const saved = (await unlessAborted(ports.saveLedger(abandoned), [abandoned])) ?? left();
    if (!saved.ok) return notSent(saved.error);
    const held = (await unlessAborted(holdSafely(lease), [abandoned])) ?? left();
    if (!held.ok) return notSent(held.error, 'the lock is not held safely');
    if (abandoned.aborted) return notSent(left().error);

    const sending = send(auditId, async () => !abandoned.aborted && (await holdSafely(lease)).ok);
    const answer = await answerOf(sending, what, abandoned);
    if (answer.ok) {
      core.record({
        type: 'call.outcome',
        callId,
        result: 'done',
        ...(answer.value.after ? { after: answer.value.after } : {}),
        ...(answer.value.facts ? { facts: answer.value.facts } : {}),
      });
      settleEarlier(core, callId, what, answer.value.facts?.patched === false);
      return ok(answer.value);
    }
    const unknown = answer.error.code === 'outcome-unknown';
    core.record({ type: 'call.outcome', callId, result: unknown ? 'unknown' : 'refused', error: answer.error.message });
    return err(answer.error);
  };
}

const left = () => ({ ok: false as const, error: wizardError('aborted', 'the run was left before this was sent') });

/** The answer, or after the run was left that there is none: it may have happened, and nobody here will hear of it. */
async function answerOf(
  sending: Promise<Result<CallReceipt>>,
  { verb, target }: MutatingCall,
  abandoned: AbortSignal,
): Promise<Result<CallReceipt>> {
  const answer = await unlessAborted(sending, [abandoned]);
  if (answer !== undefined) return answer;
  const late = await Promise.race([sending, pause(LAST_WORD_MS, [])]);
  if (typeof late === 'object') return late;
  return fail('outcome-unknown', `the run was left before the answer to ${verb} ${target.kind}/${target.name} came`);
}

/** One try to renew when the last renewal is too old: a laptop that slept a minute may still be the holder. */
async function holdSafely(lease: LeaseHandle): Promise<Result<void>> {
  if (lease.isSafe()) return ok(undefined);
  const renewed = await lease.renew();
  if (!renewed.ok || lease.isSafe()) return renewed;
  return fail('lock-lost', 'the lock of the namespace could not be renewed in time, so nothing was sent', {
    next: ['Resume the run: it takes the lock again and reads the cluster first.'],
  });
}

/**
 * Calls to the same object whose outcome was not known are settled by one that was answered after them: when it found
 * nothing left to do, they had happened; otherwise they had not, and its own preconditions keep them from landing now.
 */
function settleEarlier(core: RunCore, callId: string, what: MutatingCall, foundItDone: boolean): void {
  for (const { callId: earlier, intent } of core.state.calls) {
    if (earlier === callId || !core.state.openCalls.includes(earlier)) continue;
    if (intent.verb !== what.verb || !same(intent.target, what.target)) continue;
    const done = foundItDone && intent.direction === what.direction;
    core.record({
      type: 'call.outcome',
      callId: earlier,
      result: done ? 'done' : 'refused',
      ...(done ? {} : { error: `settled by call ${callId}` }),
    });
  }
}

const same = (a: MutatingCall['target'], b: MutatingCall['target']): boolean =>
  a.kind === b.kind && a.namespace === b.namespace && a.name === b.name;
