/** One session of a run: everything wired together, from the first look at the cluster to the last line of the journal. */
import { unlessAborted } from '../kube/abort.ts';
import { watchForFights } from '../kube/fights.ts';
import type { LeaseHandle } from '../kube/option-types.ts';
import type { Kube } from '../kube/types.ts';
import { parseDuration } from '../plan/duration.ts';
import type { Plan } from '../plan/schema.ts';
import { exportJournal } from '../record/write.ts';
import type { Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { diagnoseFailure } from '../steps/diagnose-failure.ts';
import { Fleet } from '../steps/fleet.ts';
import { logsToFollow } from '../steps/followed-logs.ts';
import { PoolerPorts } from '../steps/pooler-ports.ts';
import type { RunSecrets } from '../steps/run-secrets.ts';
import { SeenPods } from '../steps/seen-pods.ts';
import { recallAddresses } from '../steps/switch-service.ts';
import type { Step, StepContext } from '../steps/types.ts';
import { AskBroker } from './asks.ts';
import { createCaller } from './calls.ts';
import type { Clock } from './clock.ts';
import { Controls } from './controls.ts';
import { RunCore } from './core.ts';
import type { RunEvent } from './events.ts';
import type { RunState } from './fold.ts';
import type { Journal } from './journal-types.ts';
import { LastWords } from './last-words.ts';
import { LedgerKeeper } from './ledger.ts';
import { LiveView } from './live.ts';
import { LogFeed } from './log-feed.ts';
import type { Intent, PoolsView, RunHandle, RunSnapshot } from './model.ts';
import { watchSurroundings } from './monitors.ts';
import type { RunOptions } from './options.ts';
import { recordDir, runDir } from './paths.ts';
import { resumeRun } from './resume.ts';
import { type RunEnd, type RunnerPorts, runPlan } from './runner.ts';
import { contextOf } from './step-context.ts';

export interface SessionPorts {
  readonly options: RunOptions;
  readonly plan: Plan;
  readonly clock: Clock;
  readonly kube: Kube;
  readonly journal: Journal;
  readonly state: RunState;
  readonly lease: LeaseHandle | undefined;
  readonly steps: readonly Step[];
  readonly version: string;
  readonly resumed: boolean;
  readonly window: () => Result<void>;
  readonly saveIndex: { update(state: RunState): void; settle(): Promise<void> };
  readonly notices: readonly string[];
}

/** Real time between two samples of the pools on the screen. */
const POOLS_EVERY_MS = 2000;
const SHARE_MS = 10_000;

export function openSession(ports: SessionPorts): RunHandle {
  const { options, clock, kube, lease, plan } = ports;
  const who = options.operator;
  const before = {
    earlier: { samples: ports.state.poolHistory, everyMs: parseDuration(plan.observe.every) ?? POOLS_EVERY_MS },
  };
  const live = new LiveView({
    status: 'starting',
    pools: { poolers: [], rows: [], history: [], everyMs: POOLS_EVERY_MS, ...before },
    gates: [],
    rollouts: {},
    connections: {},
    logLines: [],
    cluster: { state: 'ok', ageMs: 0, version: ports.version },
  });
  const core = new RunCore(
    { journal: ports.journal, live, clock, onRecorded: (state) => ports.saveIndex.update(state) },
    ports.state,
  );
  const controls = new Controls();
  const asks = new AskBroker({
    who,
    ...(options.policy ? { policy: options.policy } : {}),
    opened: (ask) =>
      core.record({
        type: 'asked',
        askId: ask.id,
        kind: ask.kind,
        ...('stepId' in ask ? { stepId: ask.stepId } : {}),
        title: 'title' in ask ? ask.title : 'Resume',
      }),
    changed: (ask) => live.set({ ask }),
    answered: (ask, answer, by) => core.record({ type: 'answered', askId: ask.id, who: by, answer }),
  });
  const background = new AbortController();
  const fleet = new Fleet(kube, plan, kube.ref.namespace);
  recallAddresses(fleet, ports.state.facts);
  const secrets: RunSecrets = {
    ...(options.secrets.rolePassword ? { role: options.secrets.rolePassword } : {}),
    ...(options.secrets.adminPassword ? { admin: options.secrets.adminPassword } : {}),
    ...(options.secrets.statsPassword ? { stats: options.secrets.statsPassword } : {}),
    others: new Map([...(options.secrets.otherRoles ?? [])].map(([role, password]) => [role, { password }])),
  };
  const seen = new SeenPods(kube, kube.ref.namespace, background.signal);
  const pooler = new PoolerPorts({
    kube,
    plan,
    namespace: kube.ref.namespace,
    secrets,
    clock,
    signal: background.signal,
    everyMs: POOLS_EVERY_MS,
    seen,
    onSample: (view: PoolsView) =>
      live.set({
        pools: { ...view, ...before, ...(live.state.pools.postgres ? { postgres: live.state.pools.postgres } : {}) },
      }),
  });
  // Nothing of it runs before the first change is added.
  const fights = watchForFights(kube, [], {
    signal: background.signal,
    now: () => clock.now(),
    onFight(fight, change) {
      const service = change.ref.name;
      core.message('error', sanitiseLine(`${fight.detail} (written by ${fight.manager})`, 600));
      core.tryRecord({
        type: 'fact',
        key: `contested.${service}`,
        value: { manager: fight.manager, detail: fight.detail },
      });
      if (fight.back) core.tryRecord({ type: 'service.state', service, state: 'direct' });
      controls.contest({ service, manager: fight.manager, detail: fight.detail });
    },
  });
  const ledger = new LedgerKeeper(kube, kube.ref.namespace, core);
  const calls = createCaller({
    core,
    lease: () => lease,
    saveLedger: (signal) => ledger.save('running', lease?.epoch, signal),
    windowOpen: ports.window,
    abandoned: controls.abandoned,
  });

  /** A silent cluster does not keep the run: the next change brings its copy up to date, or is not made. */
  const share = async (): Promise<void> => {
    if (!ledger.exists || !lease || lease.lost.aborted) return;
    const waited = [controls.abandoned, AbortSignal.timeout(SHARE_MS)];
    const saved = await unlessAborted(ledger.save('running', lease.epoch, controls.abandoned), waited);
    if (saved?.ok) return;
    core.message(
      'warn',
      "the cluster's copy of the run does not know this yet: another machine would ask for it again",
    );
  };

  const context = (step: string, signal: AbortSignal): StepContext =>
    contextOf(
      { core, controls, kube, plan, clock, options, secrets, fleet, pooler, seen, fights, asks, calls, share },
      step,
      signal,
    );

  const logs = new LogFeed({
    kube,
    namespace: kube.ref.namespace,
    live,
    clock,
    signal: background.signal,
    wanted: (signal) => {
      const { ask } = live.state;
      const asked = ask !== undefined && 'service' in ask ? ask.service : undefined;
      return logsToFollow({ kube, fleet, pooler, seen, state: core.state, asked }, signal);
    },
  });

  const runner: RunnerPorts = {
    core,
    controls,
    asks,
    who,
    ...(options.policy ? { policy: options.policy } : {}),
    dryRun: options.dryRun ?? 'none',
    ...(options.stopAfter ? { stopAfter: options.stopAfter } : {}),
    typedName: `${kube.ref.context}/${kube.ref.namespace}`,
    steps: ports.steps,
    redo: new Set(),
    context,
    share,
    diagnose: (failure, ctx) => diagnoseFailure(failure, ctx),
  };

  const exportRecord = async (): Promise<void> => {
    const dir = recordDir(runDir(options.stateDir, core.state.runId));
    core.journal.sync();
    const written = await exportJournal(ports.journal.path, dir, { runId: core.state.runId });
    if (written.ok) live.set({ exportedTo: dir });
    else
      core.tryRecord({ type: 'message', level: 'warn', text: `the record was not written: ${written.error.message}` });
  };

  const ended = (async (): Promise<RunSnapshot> => {
    lease?.lost.addEventListener(
      'abort',
      () => controls.lostLock('the lock is lost: somebody else took it, or deleted it'),
      { once: true },
    );
    const surroundings = watchSurroundings({
      kube,
      lease,
      live,
      fleet,
      pooler,
      seen,
      clock,
      signal: background.signal,
    });
    let end: RunEnd;
    try {
      end = await (ports.resumed
        ? resumeRun({ runner, options, kube, fleet, fights, ledger })
        : runPlan(runner, options.rollback));
    } catch (thrown) {
      // A bug. The journal is closed properly, the lock given back, and the operator told where everything is.
      end = {
        outcome: 'parked',
        cause: `an error in pgb-wizard: ${sanitiseLine((thrown as Error)?.stack ?? thrown, 1500)}`,
        error: {
          code: 'internal',
          message: `an error in pgb-wizard: ${sanitiseLine((thrown as Error)?.message ?? thrown, 300)}`,
          retryable: false,
          exitCode: 1,
          next: ['Nothing is lost: resume the run. Please report the error with the journal.'],
        },
      };
    }
    live.set({ waitingFor: { text: 'the ledger and the change record to be written', since: core.timestamp() } });
    background.abort(new Error('the session ended'));
    const words = new LastWords(controls.leaving !== undefined && !lease?.lost.aborted);
    const over = end.outcome === 'done' || end.outcome === 'rolled-back';
    core.tryRecord(
      over
        ? { type: 'run.ended', outcome: end.outcome, ...(end.cause ? { cause: end.cause } : {}) }
        : { type: 'run.parked', reason: end.cause ?? end.outcome },
    );
    if (ledger.exists && lease && !lease.lost.aborted)
      await words.wait(ledger.save(over ? 'ended' : 'parked', lease.epoch, words.signal));
    await exportRecord();
    if (lease) await words.wait(lease.release());
    await words.wait(Promise.all([surroundings, pooler.close()]));
    kube.close();
    await ports.saveIndex.settle();
    core.journal.close();
    live.set({
      status: 'ended',
      outcome: end.outcome,
      ...(end.error ? { error: end.error } : {}),
      ask: undefined,
      waitingFor: undefined,
    });
    return core.snapshot();
  })();

  // At once, for a resume too: a session that is killed at its first question must find its own lock again.
  if (lease) core.record({ type: 'fact', key: 'lockHolder', value: lease.holder });
  for (const notice of ports.notices) core.message('warn', notice);

  return {
    notices: ports.notices,
    snapshot: () => core.snapshot(),
    subscribe: (listener) => live.subscribe(listener),
    send: (intent, by) => take(intent, by),
    followLogs: () => logs.watch(),
    ended,
  };

  /** Said at once, on every screen: the run may be in the middle of a question that somebody else is about to answer. */
  function hold(by: string, reason: string): void {
    controls.hold(by, reason);
    live.set({ heldFor: reason });
    if (core.state.heldFor !== undefined) return;
    core.tryRecord({ type: 'run.held', who: by, reason });
    const text = `held by ${by}: ${reason}; what is under way is finished, nothing new is begun`;
    core.tryRecord({ type: 'message', level: 'info', text }, { durable: false });
  }

  function take(intent: Intent, by = who): void {
    switch (intent.kind) {
      case 'answer':
        asks.answer(intent.askId, intent.answer, sanitiseLine(by, 120));
        return;
      case 'rollback':
        controls.rollback(intent.scope);
        return;
      case 'hold':
        hold(sanitiseLine(by, 120), sanitiseLine(intent.reason, 300));
        return;
      case 'unhold':
        controls.unhold();
        live.set({ heldFor: undefined });
        if (core.state.heldFor !== undefined) {
          const releaser = sanitiseLine(by, 120);
          core.tryRecord({ type: 'run.unheld', who: releaser });
          core.tryRecord({ type: 'message', level: 'info', text: `let go on by ${releaser}` }, { durable: false });
        }
        return;
      case 'leave':
        if (controls.leaving === undefined) core.tryRecord(inFlight(core.state), { durable: false });
        controls.leave(`left by ${who}`);
        // Looking around ends with it: nobody waits for a silent cluster to show its pools.
        background.abort(new Error('the run was left'));
        return;
      case 'export':
        void exportRecord();
        return;
    }
  }
}

/** What leaving finds under way, for the journal and for who leaves. */
function inFlight(state: RunState): Extract<RunEvent, { type: 'message' }> {
  const calls = state.calls
    .filter(({ callId, outcome }) => outcome === undefined && state.openCalls.includes(callId))
    .map(({ intent: { verb, target } }) => `${verb} ${target.kind}/${target.name}`);
  const text =
    calls.length === 0
      ? 'leaving: no change is on its way; what was made stays, and the run can be resumed'
      : `leaving: ${calls.join(', ')} is on its way; without an answer now, a resume asks the cluster whether it was made`;
  return { type: 'message', level: 'warn', text: sanitiseLine(text, 600) };
}
