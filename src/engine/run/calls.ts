/**
 * The write-ahead protocol around every mutating call: the intent is on disk and in the cluster's
 * ledger before the call is sent, the lock is checked right before, the outcome is written after. A crash between any two
 * of these leaves an intent without an outcome, which a resume settles by looking at the cluster.
 */
import { pause, unlessAborted } from '../kube/abort.ts';
import type { LeaseHandle } from '../kube/option-types.ts';
import { err, fail, ok, type Result, type WizardError, wizardError } from '../result.ts';
import type { CallReceipt, MutatingCall, PlannedCall } from '../steps/types.ts';
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

/**
 * Returns the function behind `ctx.call` and `ctx.calls`. What it is given in one call belongs together and is sent one
 * after the other: all intents are on disk, and in the cluster's ledger by one write, before the first is sent; the first
 * that fails ends it, and those behind it are written down as not sent. Several pieces of work may call it side by side;
 * each call has its own id. Answers with the receipt of the last.
 */
export function createCaller(ports: CallPorts) {
  const { core, abandoned } = ports;
  return async function calls(step: string, planned: readonly PlannedCall[]): Promise<Result<CallReceipt>> {
    const open = ports.windowOpen();
    if (!open.ok) {
      if (planned.some(({ what }) => what.direction !== 'back')) return open;
      core.message('warn', `${open.error.message}; ${planned[0]?.what.target.name} is taken back all the same`);
    }
    const lease = ports.lease();
    if (!lease) return fail('lock-lost', 'this run does not hold the lock of the namespace, so it changes nothing');
    const announced = planned.map((one) => ({ ...one, ...announce(core, step, one.what) }));

    const notSent = (from: number, error: WizardError, why = error.message): Result<never> => {
      for (const { callId } of announced.slice(from))
        core.record({ type: 'call.outcome', callId, result: 'refused', error: why });
      return err(error);
    };
    const saved = (await unlessAborted(ports.saveLedger(abandoned), [abandoned])) ?? left();
    if (!saved.ok) return notSent(0, saved.error);

    let receipt: CallReceipt = {};
    for (const [index, { what, send, callId, auditId }] of announced.entries()) {
      const held = (await unlessAborted(holdSafely(lease), [abandoned])) ?? left();
      if (!held.ok) return notSent(index, held.error, 'the lock is not held safely');
      if (abandoned.aborted) return notSent(index, left().error);

      const sending = send(auditId, async () => !abandoned.aborted && (await holdSafely(lease)).ok);
      const answer = await answerOf(sending, what, abandoned);
      if (!answer.ok) {
        const result = answer.error.code === 'outcome-unknown' ? 'unknown' : 'refused';
        core.record({ type: 'call.outcome', callId, result, error: answer.error.message });
        return notSent(index + 1, answer.error, `not sent: ${what.verb} of ${what.target.name} before it failed`);
      }
      receipt = answer.value;
      core.record({
        type: 'call.outcome',
        callId,
        result: 'done',
        ...(receipt.after ? { after: receipt.after } : {}),
        ...(receipt.facts ? { facts: receipt.facts } : {}),
      });
      settleEarlier(core, callId, what, receipt.facts?.patched === false);
    }
    return ok(receipt);
  };
}

/** Writes the intent down. */
function announce(core: RunCore, step: string, what: MutatingCall): { callId: string; auditId: string } {
  const { calls, runId } = core.state;
  const attempt = calls.filter(({ intent }) => intent.step === step && same(intent.target, what.target)).length + 1;
  // A rebuilt journal has gaps: the next id is one more than the highest.
  const callId = `${calls.reduce((most, { callId }) => Math.max(most, Number(callId)), 0) + 1}`;
  const auditId = `pgbw-${runId}-${callId}-${attempt}`;
  core.record({ type: 'call.intent', callId, step, attempt, auditId, ...what });
  return { callId, auditId };
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
