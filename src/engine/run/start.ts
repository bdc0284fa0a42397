/** Starts or resumes a run: connects, opens the journal, takes the lock, reconciles, and lets the runner go. */
import { randomBytes } from 'node:crypto';
import { onAbort, unlessAborted } from '../kube/abort.ts';
import { withoutWrites } from '../kube/client-dry-run.ts';
import { connectKube } from '../kube/connect.ts';
import { acquireLease, holderIdentity } from '../kube/lease.ts';
import type { AcquireOptions, LeaseHandle, LeaseRecord } from '../kube/option-types.ts';
import { resumeLedger } from '../kube/run-state.ts';
import type { Kube, KubeVersion } from '../kube/types.ts';
import { planFromJournal } from '../plan/load.ts';
import type { Plan } from '../plan/schema.ts';
import { fail, ok, type Result, type WizardError } from '../result.ts';
import { stepsOf } from '../steps/index.ts';
import { workloadIdOf } from '../steps/plan-facts.ts';
import { type Checkpoint, checkpointEntry, journalShortfall, openCheckpoint } from './checkpoint.ts';
import type { CheckpointEntry } from './checkpoint-types.ts';
import { deadClaims, leaveClaim } from './claims.ts';
import { type Clock, realClock } from './clock.ts';
import { foldAll, type RunState } from './fold.ts';
import { openJournal, readJournal } from './journal.ts';
import { isRunning } from './journal-lock.ts';
import type { Journal } from './journal-types.ts';
import type { JsonValue, RunHandle } from './model.ts';
import type { RunOptions } from './options.ts';
import { journalPath, newRunId, runDir } from './paths.ts';
import { rebuildJournal, stateOfLedger } from './rebuild.ts';
import { openSession } from './session.ts';

/**
 * Resolves when the run is under way (its handle shows the rest), or with the reason why it can't be. Errors: those of
 * the kubeconfig and the cluster, `locked`, `plan-mismatch` (exit 9), `journal-corrupt`, `journal-write`, `not-found`,
 * and `aborted` when `signal` stops it before that; a run that is under way is left by its handle instead.
 */
export async function startRun(options: RunOptions, signal?: AbortSignal): Promise<Result<RunHandle>> {
  const earlier = options.resume === undefined ? ok(undefined) : earlierState(options, options.resume);
  if (!earlier.ok) return earlier;
  const plan = earlier.value ? planFromJournal(earlier.value.plan, earlier.value.planHash) : ok(options.loadedPlan);
  if (!plan.ok) return plan;
  if (earlier.value && options.loadedPlan.hash !== earlier.value.planHash) {
    return fail(
      'plan-mismatch',
      `run ${earlier.value.runId} was started with another plan (${earlier.value.planName})`,
      {
        next: ['Leave --plan out to go on with the plan of the run, or start a new run with --fresh.'],
      },
    );
  }
  const scale = earlier.value?.timeScale ?? options.timeScale;
  const clock = realClock(scale, earlier.value ? Date.parse(earlier.value.updatedAt) : 0);
  const runId = options.resume ?? options.newRunId ?? newRunId();

  const connecting = new AbortController();
  const connected = onAbort([signal], () => connecting.abort());
  const kube = await connectKube({
    ...options.kube,
    signal: connecting.signal,
    namespace: options.kube.namespace ?? earlier.value?.cluster.namespace ?? plan.value.plan.namespace,
    runId,
    toolVersion: options.toolVersion,
    clock,
    // kubectl's own pace is 50 requests/s with bursts of 300; a look at three pods must not wait for a bucket of 10.
    rate: { perSecond: 40, burst: 80 },
  });
  connected();
  if (!kube.ok) return kube;
  const begun = await begin({
    options,
    plan: plan.value.plan,
    planHash: plan.value.hash,
    clock,
    runId,
    kube: kube.value,
    earlier: earlier.value,
    signal: signal ?? new AbortController().signal,
  });
  if (!begun.ok) kube.value.close();
  return begun;
}

interface Beginning {
  readonly options: RunOptions;
  readonly plan: Plan;
  readonly planHash: string;
  readonly clock: Clock;
  readonly runId: string;
  readonly kube: Kube;
  readonly earlier: RunState | undefined;
  readonly signal: AbortSignal;
}

/** How long a start that was stopped waits for its lock to be given back; after that the lock runs out by itself. */
const RELEASE_MS = 1500;

async function begin(beginning: Beginning): Promise<Result<RunHandle>> {
  const { options, plan, clock, runId, kube, earlier, signal } = beginning;
  const same = sameCluster(kube, earlier);
  if (!same.ok) return same;
  const version = await kube.version(signal);
  if (!version.ok) return version;
  const rehearsal = options.rehearsal || isRehearsal(version.value);
  const window = windowCheck(plan, clock);
  const open = window();
  // The way back is open at any time: a service that fails is not left there because the window is over.
  const back = options.rollback !== undefined || earlier?.pendingBack?.done === false;
  if (!open.ok && options.dryRun !== 'client' && !back) return open;

  // The lock comes before the journal: a run that never got it leaves no trace.
  const starting = new AbortController();
  const started = onAbort([signal], () => starting.abort());
  const lease =
    options.dryRun && options.dryRun !== 'none' ? ok(undefined) : await takeLock(beginning, starting.signal);
  started();
  if (!lease.ok) return lease;
  const release = async (error: WizardError): Promise<Result<never>> => {
    if (lease.value) await unlessAborted(lease.value.release(), [AbortSignal.timeout(RELEASE_MS)]);
    return { ok: false, error };
  };

  const caughtUp = await catchUp(beginning);
  if (!caughtUp.ok) return release(caughtUp.error);
  const { rebuilt } = caughtUp.value;

  // The index before the journal: an index that is missing is rebuilt from journals, and would find this one.
  const checkpoint = await openCheckpoint(options.stateDir);
  if (!checkpoint.ok) return release(checkpoint.error);
  const remembered = checkpoint.value.get(runId);
  const journal = await openJournal({
    dir: runDir(options.stateDir, runId),
    runId,
    clock,
    create: earlier === undefined,
  });
  if (!journal.ok) return release(journal.error);
  const state = firstState(
    { ...beginning, options: { ...options, rehearsal } },
    journal.value,
    version.value.gitVersion,
  );
  if (!state.ok) {
    journal.value.close();
    return release(state.error);
  }
  await checkpoint.value.put(checkpointEntry(state.value, kube.ref.server));
  return ok(
    openSession({
      options: { ...options, rehearsal },
      plan,
      clock,
      kube: options.dryRun === 'client' ? withoutWrites(kube) : kube,
      journal: journal.value,
      state: state.value,
      lease: lease.value,
      steps: stepsOf(plan),
      version: version.value.gitVersion,
      resumed: earlier !== undefined,
      window,
      saveIndex: indexWriter(checkpoint.value, kube.ref.server),
      notices: [
        ...checkpoint.value.notices,
        ...(rebuilt ?? []),
        ...shortfall(rebuilt === undefined && remembered.ok ? remembered.value : undefined, journal.value),
      ],
    }),
  );
}

/** `rehearse --serve` behind a kubeconfig like any other: its version says so, as a distribution's does. */
const isRehearsal = ({ gitVersion }: KubeVersion): boolean => gitVersion.endsWith('+rehearsal');

const shortfall = (entry: CheckpointEntry | undefined, journal: Journal): string[] =>
  [journalShortfall(entry, journal.opened.lines.length)].filter((one) => one !== undefined);

function earlierState(options: RunOptions, runId: string): Result<RunState> {
  if (options.fromCluster) return stateOfLedger(options.fromCluster, { who: options.operator });
  return journaledState(options, runId);
}

/**
 * With the lock held: is the cluster's copy of this run ahead of the journal here, or is there none here? Then the
 * journal is written anew from that copy; `rebuilt` says what became of the one that was here.
 */
async function catchUp(beginning: Beginning): Promise<Result<{ readonly rebuilt?: readonly string[] }>> {
  const { options, earlier, kube, runId, clock } = beginning;
  if (!earlier) return ok({});
  const handle = await resumeLedger(kube, kube.ref.namespace, runId, beginning.signal);
  if (!handle.ok && handle.error.code !== 'not-found') return handle;
  const ledger = handle.ok ? handle.value.current() : undefined;
  const local = readJournal(journalPath(runDir(options.stateDir, runId)), runId);
  const here = local.ok && local.value.lines.length > 0;
  // Each copy names the line it was made at: a journal without that line was overtaken by another machine.
  const overtaken = here && ledger !== undefined && !local.value.lines.some((line) => line.hash === ledger.headHash);
  if (here && !overtaken) return ok({});
  if (!ledger) {
    return fail('not-found', `run ${runId} is neither on this machine nor in the cluster`, {
      next: ['See the runs with `pgb-wizard status`.'],
    });
  }
  const rebuilt = await rebuildJournal({ stateDir: options.stateDir, ledger, clock, who: options.operator });
  return rebuilt.ok ? ok({ rebuilt: rebuilt.value.notices }) : rebuilt;
}

function journaledState(options: RunOptions, runId: string): Result<RunState> {
  const content = readJournal(journalPath(runDir(options.stateDir, runId)), runId);
  if (!content.ok) return content;
  const state = foldAll(content.value.lines);
  return state ? ok(state) : fail('journal-corrupt', `the journal of run ${runId} does not begin with its start`);
}

function sameCluster(kube: Kube, earlier: RunState | undefined): Result<void> {
  const uid = kube.ref.clusterUid ?? '';
  if (!earlier || earlier.cluster.uid === '' || uid === '' || earlier.cluster.uid === uid) return ok(undefined);
  return fail(
    'plan-mismatch',
    `run ${earlier.runId} belongs to another cluster (context ${earlier.cluster.context} at its start)`,
    {
      next: ['Give the context of that cluster with --context.'],
    },
  );
}

/** `run.started` for a new run; for a resumed one the state that its journal folds to. */
function firstState(beginning: Beginning, journal: Journal, version: string): Result<RunState> {
  const { options, plan, planHash, kube } = beginning;
  if (beginning.earlier) {
    const state = foldAll(journal.opened.lines);
    return state ? ok(state) : fail('journal-corrupt', 'the journal does not begin with the start of a run');
  }
  const written = journal.append({
    type: 'run.started',
    runId: beginning.runId,
    operator: options.operator,
    host: options.host,
    pid: process.pid,
    toolVersion: options.toolVersion,
    planName: plan.name,
    planHash,
    plan: plan as unknown as JsonValue,
    cluster: { context: kube.ref.context, namespace: kube.ref.namespace, uid: kube.ref.clusterUid ?? '', version },
    rehearsal: options.rehearsal,
    timeScale: options.timeScale,
    steps: stepsOf(plan).map((step) => step.info),
    services: plan.phases.flatMap((phase) =>
      phase.services.map((service) => ({ name: service.name, phase: phase.id, workload: workloadIdOf(service) })),
    ),
    ...(options.change ? { change: options.change } : {}),
  });
  if (!written.ok) return written;
  const state = foldAll([written.value]);
  return state ? ok(state) : fail('internal', 'a new journal does not fold');
}

/** The lock of the namespace. The note of `claims.ts` goes away when the lock was released. */
async function takeLock(beginning: Beginning, signal: AbortSignal): Promise<Result<LeaseHandle>> {
  const { options, kube, clock, runId, earlier } = beginning;
  const holder = earlier?.facts.lockHolder;
  // The dead process of this very run on this very machine: nobody else can be driving it.
  const ours =
    earlier !== undefined && earlier.host === options.host && !isRunning(earlier.pid) && typeof holder === 'string';
  const dead = deadClaims(options.stateDir, options.host);
  const nonce = randomBytes(6).toString('hex');
  const forget = leaveClaim(options.stateDir, options.host, holderIdentity(options.operator, runId, nonce), nonce);
  const wanted: Omit<AcquireOptions, 'signal'> = {
    namespace: kube.ref.namespace,
    runId,
    who: options.operator,
    title: options.change?.title ?? options.loadedPlan.plan.name,
    clock,
    nonce,
    replaceHolders: [...dead.holders, ...(ours ? [holder] : [])],
  };
  let lease = await acquireLease(kube, { ...wanted, signal });
  // The lock of this very run, held from another machine: watched for its whole duration, taken only when it is silent.
  if (!lease.ok && lease.error.code === 'locked' && earlier && lease.error.details?.runId === runId) {
    lease = await takeOver(kube, wanted, lease, signal);
  }
  if (!lease.ok) {
    // Its own request may have taken the lock and only the answer got lost: then the note is what the next one needs.
    if (lease.error.code === 'locked') forget();
    return lease;
  }
  dead.forget();
  return ok(withRelease(lease.value, forget));
}

/** Waits until the holder was silent for the whole duration of its lock; a sign of life ends the wait with `locked`. */
async function takeOver(
  kube: Kube,
  wanted: Omit<AcquireOptions, 'signal'>,
  refused: Result<LeaseHandle>,
  signal: AbortSignal,
): Promise<Result<LeaseHandle>> {
  const alive = new AbortController();
  const stopped = onAbort([signal], () => alive.abort(signal.reason));
  let first: LeaseRecord | undefined;
  const taken = await acquireLease(kube, {
    ...wanted,
    signal: alive.signal,
    wait: true,
    onHeld: (holder) => {
      first ??= holder;
      if (holder.resourceVersion !== first.resourceVersion) alive.abort(new Error('the holder is alive'));
    },
    onExpired: async (holder) => holder.runId === wanted.runId,
  });
  stopped();
  return !taken.ok && taken.error.code === 'aborted' && !signal.aborted ? refused : taken;
}

/** The same handle; a released lock needs no note. */
function withRelease(lease: LeaseHandle, forget: () => void): LeaseHandle {
  return {
    holder: lease.holder,
    epoch: lease.epoch,
    lost: lease.lost,
    isSafe: () => lease.isSafe(),
    renew: () => lease.renew(),
    view: () => lease.view(),
    async release() {
      const released = await lease.release();
      if (released.ok) forget();
      return released;
    },
  };
}

/** The plan's change window; without one every moment is inside. */
function windowCheck(plan: Plan, clock: Clock): () => Result<void> {
  return () => {
    if (!plan.window) return ok(undefined);
    const now = clock.now();
    if (now >= Date.parse(plan.window.start) && now <= Date.parse(plan.window.end)) return ok(undefined);
    return fail('outside-window', `now is outside of the change window (${plan.window.start} to ${plan.window.end})`, {
      next: [
        'Come back inside the window, or change the window in the plan.',
        'The way back is open at any time: pgb-wizard rollback --all',
      ],
    });
  };
}

/** Keeps the index of runs fresh without a write per event: at most one is under way, and the newest state wins. */
function indexWriter(
  checkpoint: Checkpoint,
  server: string,
): { update(state: RunState): void; settle(): Promise<void> } {
  let wanted: RunState | undefined;
  let working: Promise<void> | undefined;
  const work = async () => {
    while (wanted) {
      const state = wanted;
      wanted = undefined;
      // A failing index is no reason to stop: it is rebuilt from the journals.
      await checkpoint.put(checkpointEntry(state, server));
    }
    working = undefined;
  };
  return {
    update(state) {
      wanted = state;
      working ??= work();
    },
    async settle() {
      await working;
    },
  };
}
