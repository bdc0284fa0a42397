/** Runs that the cluster remembers: for a machine that has nothing but a kubeconfig. */
import { showLease } from '../engine/kube/lease.ts';
import type { LeaseRecord, Ledger } from '../engine/kube/option-types.ts';
import { listRuns } from '../engine/kube/run-state.ts';
import { fail, ok, type Result } from '../engine/result.ts';
import type { KubeOptions } from '../engine/run/options.ts';
import { withKube } from './connection.ts';
import { suggestion } from './values.ts';

/** A holder whose last sign of life (by its own clock) is older is taken for dead when runs are offered; taking its lock is another matter. */
const SILENT_MS = 60_000;

export interface ClusterRun {
  readonly ledger: Ledger;
  /** Who drives it now, as far as can be told from here. */
  readonly drivenBy?: string;
}

/** Runs of the namespace that are not over, newest first. */
export async function clusterRuns(kube: KubeOptions): Promise<Result<readonly ClusterRun[]>> {
  return withKube(kube, async (connected) => {
    const { namespace } = connected.ref;
    const runs = await listRuns(connected, namespace);
    if (!runs.ok) return runs;
    const open = runs.value.map((run) => run.ledger).filter((ledger) => ledger.status !== 'ended');
    if (open.length === 0) return ok([]);
    const lease = await showLease(connected, namespace);
    if (!lease.ok) return lease;
    return ok(open.map((ledger) => ({ ledger, ...drivenBy(ledger, lease.value) })));
  });
}

/** The cluster's copy of one run, over or not, or of the one that was written to last, with who drives it. */
export async function clusterCopy(runId: string | undefined, kube: KubeOptions): Promise<Result<ClusterRun>> {
  return withKube(kube, async (connected) => {
    const { namespace } = connected.ref;
    const runs = await listRuns(connected, namespace);
    if (!runs.ok) return runs;
    const newest = runs.value.toSorted((a, b) => b.writtenAt.localeCompare(a.writtenAt));
    const found = newest.find((run) => runId === undefined || run.runId === runId);
    if (!found) {
      const ids = runs.value.map((run) => run.runId);
      return fail(
        'not-found',
        runId === undefined
          ? `The namespace ${namespace} keeps no run.`
          : `Run ${runId} is not in namespace ${namespace}.${suggestion(runId, ids)}`,
        { exitCode: 2, next: ['Is this the right context and namespace?'] },
      );
    }
    const lease = await showLease(connected, namespace);
    return ok({ ledger: found.ledger, ...(lease.ok ? drivenBy(found.ledger, lease.value) : {}) });
  });
}

/** The cluster's copy of one run, over or not. */
export async function clusterRun(runId: string, kube: KubeOptions): Promise<Result<Ledger>> {
  return withKube(kube, async (connected) => {
    const runs = await listRuns(connected, connected.ref.namespace);
    if (!runs.ok) return runs;
    const ids = runs.value.map((run) => run.runId);
    const found = runs.value.find((run) => run.runId === runId);
    if (found) return ok(found.ledger);
    const where = `namespace ${connected.ref.namespace}`;
    return fail('not-found', `Run ${runId} is neither on this machine nor in ${where}.${suggestion(runId, ids)}`, {
      exitCode: 2,
      next: ['See the runs of this machine with `pgb-wizard status`.', 'Is this the right context and namespace?'],
    });
  });
}

function drivenBy(ledger: Ledger, lease: LeaseRecord | undefined): { drivenBy?: string } {
  if (!lease || lease.holder === '' || lease.runId !== ledger.runId) return {};
  const age = Date.now() - Date.parse(lease.renewTime ?? '');
  return age < SILENT_MS ? { drivenBy: lease.holder.split('#')[0] ?? lease.holder } : {};
}

/** Refuses to start a second run over one that waits in the cluster, and says how to go on with it. */
export async function refuseSecondRun(kube: KubeOptions): Promise<Result<void>> {
  const runs = await clusterRuns(kube);
  // Whatever is wrong with the cluster is told by the run itself, with its own words.
  if (!runs.ok) return ok(undefined);
  // A run that somebody drives holds the lock, and the lock says so (exit 7).
  const waiting = runs.value.filter((run) => run.drivenBy === undefined).map((run) => run.ledger);
  const [first] = waiting;
  if (!first) return ok(undefined);
  const list = waiting.map(
    (ledger) =>
      `${ledger.runId} (plan ${ledger.planName}, ${ledger.status}, by ${ledger.operator}, ${ledger.updatedAt})`,
  );
  return fail(
    'answer-needed',
    `${waiting.length === 1 ? 'A run waits' : `${waiting.length} runs wait`} in the cluster, started on another machine: ${list.join('; ')}.`,
    {
      next: [
        `Go on with it here: pgb-wizard run --run ${first.runId}`,
        `Take it back: pgb-wizard rollback --all --run ${first.runId}`,
        'Start a new one beside it with --fresh',
      ],
      details: { runs: waiting.map((ledger) => ledger.runId).join(' ') },
    },
  );
}
