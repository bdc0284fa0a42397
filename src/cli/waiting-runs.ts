/** Runs that wait to be resumed on the very cluster and namespace that are asked for. */
import { hostname } from 'node:os';
import { err, ok, type Result } from '../engine/result.ts';
import { openCheckpoint } from '../engine/run/checkpoint.ts';
import { operator } from '../engine/run/operator.ts';
import type { KubeOptions } from '../engine/run/options.ts';
import { type Io, write } from './io.ts';
import { findRun, isResumable } from './runs.ts';

export interface WaitingRun {
  readonly runId: string;
  readonly planName: string;
  readonly plan: unknown;
  readonly planHash: string;
  readonly updatedAt: string;
  readonly done: number;
  readonly total: number;
}

/** Newest first. A run whose journal can't be read is named on standard error and left out. */
export async function waitingRuns(stateDir: string, kube: KubeOptions, io: Io): Promise<Result<readonly WaitingRun[]>> {
  const checkpoint = await openCheckpoint(stateDir);
  if (!checkpoint.ok) return checkpoint;
  for (const notice of checkpoint.value.notices) await write(io.stderr, `note: ${notice}\n`);
  const entries = checkpoint.value.list();
  if (!entries.ok) return entries;
  const me = operator(io.env);
  const candidates = entries.value.filter((entry) => isResumable(entry, [me.host, hostname()]));
  if (candidates.length === 0) return ok([]);
  const { loadKubeconfig } = await import('../engine/kube/kubeconfig.ts');
  const config = await loadKubeconfig(kube);
  if (!config.ok) return err(config.error);
  const waiting: WaitingRun[] = [];
  for (const entry of candidates) {
    if (entry.context !== config.value.context || entry.server !== config.value.server) continue;
    // Without -n the namespace is the plan's, and the plan is the run's own.
    if (kube.namespace !== undefined && entry.namespace !== kube.namespace) continue;
    const run = findRun(stateDir, entry.runId);
    if (!run.ok) {
      await write(io.stderr, `note: run ${entry.runId} cannot be resumed: ${run.error.message}\n`);
      continue;
    }
    const { state } = run.value;
    if (state.status === 'ended') continue;
    waiting.push({
      runId: entry.runId,
      planName: entry.planName,
      plan: state.plan,
      planHash: state.planHash,
      updatedAt: state.updatedAt,
      done: entry.done,
      total: entry.total,
    });
  }
  return ok(waiting);
}
