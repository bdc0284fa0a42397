/** `cleanup`: what the cluster keeps of runs, and its removal. */

import { restoreChange } from '../engine/kube/change.ts';
import { deleteObjects } from '../engine/kube/new-objects.ts';
import type { RunInCluster } from '../engine/kube/option-types.ts';
import { deleteRun, listRuns, loadOriginals } from '../engine/kube/run-state.ts';
import type { Kube } from '../engine/kube/types.ts';
import { EXIT, fail, ok, type Result } from '../engine/result.ts';
import type { Invocation } from './command.ts';
import type { cleanupFlags } from './commands/cleanup.ts';
import { withKube } from './connection.ts';
import { hasTerminal, write } from './io.ts';
import { envelope, isMachine, print, table } from './output.ts';
import { kubeOptions, planOf } from './session.ts';

type Cleanup = Invocation<typeof cleanupFlags>;

export async function cleanup(invocation: Cleanup): Promise<Result<number>> {
  const { values, signal } = invocation;
  const plan = await planOf(values.plan);
  if (!plan.ok) return plan;
  const options = kubeOptions(values, plan.value.plan.namespace);
  return withKube({ ...options, signal }, async (kube) => {
    const runs = await listRuns(kube, kube.ref.namespace, signal);
    if (!runs.ok) return runs;
    return values.run === undefined
      ? await list(invocation, kube, runs.value)
      : await remove(invocation, kube, runs.value, values.run);
  });
}

const where = (kube: Kube) => `${kube.ref.context}/${kube.ref.namespace}`;

async function list({ values, io, command }: Cleanup, kube: Kube, runs: readonly RunInCluster[]) {
  const rows = runs.map(({ runId, ledger }) => ({
    runId,
    status: ledger.status,
    plan: ledger.planName,
    operator: ledger.operator,
    startedAt: ledger.startedAt,
  }));
  if (isMachine(values.output)) await print(io, values.output, { ...envelope(command, 'done', EXIT.done), runs: rows });
  else if (rows.length === 0) await write(io.stdout, `${where(kube)} keeps nothing of any run\n`);
  else {
    await write(
      io.stdout,
      table([
        ['RUN', 'STATUS', 'PLAN', 'WHO', 'STARTED'],
        ...rows.map((row) => [row.runId, row.status, row.plan, row.operator, row.startedAt]),
      ]),
    );
  }
  return ok(EXIT.done);
}

async function remove(
  { values, io, signal, command }: Cleanup,
  kube: Kube,
  runs: readonly RunInCluster[],
  runId: string,
): Promise<Result<number>> {
  const run = runs.find((one) => one.runId === runId);
  if (!run) {
    return fail('not-found', `${where(kube)} keeps nothing of run ${runId}`, {
      exitCode: EXIT.usage,
      next: ['See what it keeps: pgb-wizard cleanup'],
    });
  }
  if (run.ledger.status !== 'ended') {
    return fail('precondition-failed', `run ${runId} has not ended (${run.ledger.status}); its originals are needed`, {
      next: [
        `Go on with it: pgb-wizard run --run ${runId}`,
        `Or take it back: pgb-wizard rollback --all --run ${runId}`,
      ],
    });
  }
  if (!values.noInput) {
    if (!hasTerminal(io) || isMachine(values.output)) {
      return fail('answer-needed', 'To remove the originals of a run without a terminal, say so.', {
        next: ['Add --no-input.'],
      });
    }
    const { askTyped } = await import('./prompts.ts');
    const agreed = await askTyped(`After this run ${runId} can't be rolled back. Type ${runId} to remove it:`, [runId]);
    if (!agreed.ok) return agreed;
  }
  const unused = await removeUnused(kube, run, signal);
  if (!unused.ok) return unused;
  const removed = await deleteRun(kube, kube.ref.namespace, runId, signal);
  if (!removed.ok) return removed;
  if (isMachine(values.output)) await print(io, values.output, envelope(command, 'done', EXIT.done, { runId }));
  else await write(io.stdout, `${where(kube)} keeps nothing of run ${runId} any more\n`);
  return ok(EXIT.done);
}

/** Secrets and ConfigMaps that were made for services which do not use them: they went back, or never moved. */
async function removeUnused(kube: Kube, run: RunInCluster, signal: AbortSignal): Promise<Result<void>> {
  const originals = await loadOriginals(kube, kube.ref.namespace, run.runId, signal);
  if (!originals.ok) return originals;
  const states = (run.ledger.data.services ?? {}) as Readonly<Record<string, string>>;
  for (const sealed of Object.values(originals.value?.changes ?? {})) {
    if (typeof sealed !== 'string') continue;
    const change = restoreChange(sealed);
    if (!change.ok) return change;
    const state = states[change.value.ref.name];
    if (state !== 'rolled-back' && state !== 'direct') continue;
    const gone = await deleteObjects(kube, change.value, { signal });
    if (!gone.ok) return gone;
  }
  return ok(undefined);
}
