/** `lock show` and `lock break`. */
import { breakLease, LEASE_NAME, showLease } from '../engine/kube/lease.ts';
import type { LeaseRecord } from '../engine/kube/option-types.ts';
import type { Kube } from '../engine/kube/types.ts';
import { EXIT, fail, ok, type Result } from '../engine/result.ts';
import { operator } from '../engine/run/operator.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import type { Invocation } from './command.ts';
import type { lockFlags } from './commands/lock.ts';
import { withKube } from './connection.ts';
import { hasTerminal, write } from './io.ts';
import { envelope, isMachine, print, table } from './output.ts';
import { kubeOptions, planOf } from './session.ts';

type Lock = Invocation<typeof lockFlags>;

export async function lock(invocation: Lock): Promise<Result<number>> {
  const { values, args, signal } = invocation;
  const breaking = args[0] === 'break';
  if (breaking && !values.reason) {
    return fail('answer-needed', 'A broken lock needs its reason: its holder will read it.', {
      next: ['Add --reason TEXT.'],
    });
  }
  const plan = await planOf(values.plan);
  if (!plan.ok) return plan;
  const options = kubeOptions(values, plan.value.plan.namespace);
  return withKube({ ...options, signal }, async (kube) => {
    const lease = await showLease(kube, kube.ref.namespace, signal);
    if (!lease.ok) return lease;
    return breaking ? await breakIt(invocation, kube, lease.value) : await showIt(invocation, kube, lease.value);
  });
}

/** `alice@bastion` of `alice@bastion#7f3a#9c0d`. */
const who = (lease: LeaseRecord) => lease.holder.split('#')[0]!;

async function showIt(
  { values, io, command }: Lock,
  kube: Kube,
  lease: LeaseRecord | undefined,
): Promise<Result<number>> {
  const held = lease !== undefined && lease.holder !== '';
  if (isMachine(values.output)) {
    await print(io, values.output, { ...envelope(command, 'done', EXIT.done), held, lease: lease ?? null });
    return ok(EXIT.done);
  }
  if (!held) {
    await write(io.stdout, `nobody holds the lock of ${kube.ref.context}/${kube.ref.namespace}\n`);
    return ok(EXIT.done);
  }
  const silent = lease.renewTime
    ? Math.max(0, Math.round((Date.now() - Date.parse(lease.renewTime)) / 1000))
    : undefined;
  await write(
    io.stdout,
    table([
      ['lock', `lease/${LEASE_NAME} in ${kube.ref.context}/${kube.ref.namespace}`],
      ['holder', lease.holder],
      ...(lease.runId ? [['run', `${lease.runId}${lease.title ? `  ${lease.title}` : ''}`]] : []),
      ...(lease.acquireTime ? [['since', lease.acquireTime]] : []),
      // By two clocks, the holder's and ours: a hint, not a proof.
      ...(silent === undefined ? [] : [['renewed', `about ${silent} s ago, valid for ${lease.durationSeconds} s`]]),
    ]),
  );
  return ok(EXIT.done);
}

async function breakIt(
  { values, io, signal, command }: Lock,
  kube: Kube,
  lease: LeaseRecord | undefined,
): Promise<Result<number>> {
  if (!lease || lease.holder === '')
    return fail('precondition-failed', 'Nobody holds the lock.', { exitCode: EXIT.usage });
  const agreed = await agree(values, lease, hasTerminal(io));
  if (!agreed.ok) return agreed;
  const broken = await breakLease(kube, kube.ref.namespace, {
    expectHolder: lease.holder,
    who: operator(io.env).identity,
    reason: values.reason!,
    signal,
  });
  if (!broken.ok) return broken;
  if (isMachine(values.output))
    await print(io, values.output, { ...envelope(command, 'done', EXIT.done), holder: lease.holder });
  else await write(io.stdout, `the lock of ${sanitiseLine(who(lease))} is broken\n`);
  return ok(EXIT.done);
}

/** The holder must be named: by the flag, or typed at the prompt. */
async function agree(values: Lock['values'], lease: LeaseRecord, terminal: boolean): Promise<Result<void>> {
  const names = [lease.holder, who(lease)];
  if (values.holder !== undefined) {
    if (names.includes(values.holder)) return ok(undefined);
    return fail('conflict', `The lock is held by ${sanitiseLine(who(lease))}, not by ${sanitiseLine(values.holder)}.`);
  }
  if (values.noInput || !terminal || isMachine(values.output)) {
    return fail('answer-needed', 'To break a lock without a terminal, name its holder.', {
      next: [`Add --holder ${sanitiseLine(who(lease))}.`],
    });
  }
  const { askTyped } = await import('./prompts.ts');
  return askTyped(`Type ${sanitiseLine(who(lease))} to break its lock:`, names);
}
