/** One session of a run: everything wired together, from the first look at the cluster to the last line of the journal. */
import { unlessAborted } from '../kube/abort.ts';
import { boundKube } from '../kube/bound.ts';
import { watchForFights } from '../kube/fights.ts';
import type { LeaseHandle } from '../kube/option-types.ts';
import type { Kube } from '../kube/types.ts';
import type { Plan } from '../plan/schema.ts';
import { exportJournal } from '../record/write.ts';
import type { Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { diagnoseFailure } from '../steps/diagnose-failure.ts';
import { Fleet } from '../steps/fleet.ts';
import { ensureSecrets } from '../steps/p1-credentials.ts';
import { ensureOriginals } from '../steps/p1-prepare.ts';
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
import type { Intent, PoolsView, RunHandle, RunSnapshot } from './model.ts';
import { watchSurroundings } from './monitors.ts';
import type { RunOptions } from './options.ts';
import { recordDir, runDir } from './paths.ts';
import { reconcile } from './reconcile.ts';
import { describeScope, type RunEnd, type RunnerPorts, runPlan } from './runner.ts';

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
  const live = new LiveView({
    status: 'starting',
    pools: { poolers: [], rows: [], history: [], everyMs: POOLS_EVERY_MS },
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
      live.set({ pools: { ...view, ...(live.state.pools.postgres ? { postgres: live.state.pools.postgres } : {}) } }),
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

  const context = (step: string, signal: AbortSignal): StepContext => ({
    runId: core.state.runId,
    plan,
    kube: boundKube(kube, { reads: signal, writes: controls.abandoned }),
    clock,
    signal,
    rehearsal: options.rehearsal,
    who,
    secrets,
    fleet,
    pooler,
    seenPods: () => seen.items(),
    fights,
    asks,
    ...(options.policy ? { policy: options.policy } : {}),
    ...(options.manifests ? { manifests: options.manifests } : {}),
    state: () => core.state,
    waitingFor(text, limitMs, waitedMs) {
      // The screen says `waiting for` itself.
      const line = sanitiseLine(text, 200).replace(/^waiting for /, '');
      const before = live.state.waitingFor;
      const since =
        waitedMs !== undefined
          ? core.timestamp(clock.now() - waitedMs)
          : before?.text === line
            ? before.since
            : core.timestamp();
      live.set({
        waitingFor: {
          text: line,
          since,
          ...(limitMs === undefined ? {} : { until: core.timestamp(Date.parse(since) + limitMs) }),
        },
      });
    },
    evidence: (evidence) =>
      core.record({
        type: 'step.evidence',
        id: step,
        evidence: { ...evidence, observed: sanitiseLine(evidence.observed, 600), at: core.timestamp() },
      }),
    fact: (key, value) => core.record({ type: 'fact', key, value }),
    message: (level, text) => core.message(level, sanitiseLine(text, 600)),
    rollout: (service, progress) => live.setRollout(service, progress),
    serviceState(service, state) {
      if (core.state.services.find((one) => one.name === service)?.state !== state) {
        core.record({ type: 'service.state', service, state });
      }
    },
    logLines: (source, lines) => live.addLogLines(sanitiseLine(source, 120), lines),
    gates: (gates) => live.set({ gates }),
    checklist: (items) => core.record({ type: 'checklist', items }),
    sampled: (sample) => core.record({ type: 'pools.sampled', sample }, { durable: false }),
    async decided(event) {
      core.record({ type: 'decided', ...event });
      await share();
    },
    call: (what, send) => calls(step, [{ what, send }]),
    calls: (planned) => calls(step, planned),
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
    redo: ports.resumed ? stepsToRedo(core.state, ports.steps) : new Set(),
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
      end = await (ports.resumed ? resumeThenRun() : runPlan(runner, options.rollback));
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

  async function resumeThenRun(): Promise<RunEnd> {
    const signal = controls.signal;
    const ctx = context('resume', signal);
    ctx.waitingFor('the cluster, to compare it with the journal');
    const taken = await ledger.resume(signal);
    if (!taken.ok) return { outcome: 'parked', cause: taken.error.message, error: taken.error };
    const { status, outcome, cause } = core.state;
    // It came to its end and was cut before the ledger, the index or the record said so: only those are due. With a screen
    // a human may take up services that were rolled back; a pipeline that repeats its command must not.
    if (status === 'ended' && outcome !== undefined && options.policy && !options.rollback) {
      core.message('warn', overAlready(core.state.runId, outcome));
      return { outcome, ...(cause === undefined ? {} : { cause }) };
    }
    if (core.state.facts.originals !== undefined) {
      const originals = await ensureOriginals(ctx);
      if (!originals.ok) return { outcome: 'parked', cause: originals.error.message, error: originals.error };
    }
    // The pools are on the screen from here on, and a way back can see who is connected; what needs them says what is missing.
    if (core.state.steps.some((step) => step.id === 'p1.credentials' && step.state === 'pass'))
      await ensureSecrets(ctx);
    const compared = await reconcile(kube, fleet, core.state, signal);
    if (!compared.ok) return { outcome: 'parked', cause: compared.error.message, error: compared.error };
    const { rows, corrections } = compared.value;
    const pending = core.state.pendingBack;
    const back = options.rollback ?? (pending?.done === false ? pending.scope : undefined);
    live.set({ status: 'asking', waitingFor: { text: 'your word on going on', since: core.timestamp() } });
    let answer: Awaited<ReturnType<AskBroker['put']>>;
    try {
      answer = await asks.put(
        { id: asks.nextId(), kind: 'reconcile', rows, ...(back ? { goingBack: true as const } : {}) },
        signal,
      );
    } catch {
      return { outcome: 'parked', cause: controls.leaving ?? 'left before it was resumed' };
    }
    if (answer.kind !== 'reconcile' || answer.action === 'leave') {
      // Without a screen nobody has seen the rows, and the same command would stop here again.
      if (options.policy)
        for (const row of rows.filter(({ verdict }) => verdict === 'ask' || verdict === 'stop'))
          core.message(
            'error',
            `${row.what}: the journal says ${row.journal}, the cluster says ${row.cluster}; ${row.willDo}`,
          );
      return { outcome: 'parked', cause: 'the journal and the cluster differ, and nobody said to go on' };
    }
    core.record({
      type: 'run.resumed',
      operator: who,
      host: options.host,
      pid: process.pid,
      toolVersion: options.toolVersion,
      rows,
    });
    for (const { service, state } of corrections) core.record({ type: 'service.state', service, state });
    for (const service of core.state.services) {
      const change = service.state === 'pooled' ? fleet.original(service.name) : undefined;
      if (change) fights.add(change);
    }
    if (answer.action === 'rollback-all') return runPlan(runner, { kind: 'all' });
    // All of it is back already, and only the last line was not written: there is nothing left to decide.
    if (pending?.done && options.rollback === undefined && (options.policy || pending.scope.kind !== 'service')) {
      return { outcome: 'rolled-back', cause: describeScope(pending.scope) };
    }
    return runPlan({ ...runner, redo: stepsToRedo(core.state, ports.steps) }, back);
  }

  // At once, for a resume too: a session that is killed at its first question must find its own lock again.
  if (lease) core.record({ type: 'fact', key: 'lockHolder', value: lease.holder });
  for (const notice of ports.notices) core.message('warn', notice);

  return {
    notices: ports.notices,
    snapshot: () => core.snapshot(),
    subscribe: (listener) => live.subscribe(listener),
    send: (intent, by) => take(intent, by),
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

/** A run that is over is not begun anew without a human; what the one who asked can do instead. */
const overAlready = (runId: string, outcome: string): string =>
  outcome === 'rolled-back'
    ? `run ${runId} was rolled back, and without a terminal its services are not moved again. Take them up with a screen (pgb-wizard run --run ${runId}), or start a new run (pgb-wizard run --fresh)`
    : `run ${runId} is over (${outcome}): nothing was done. Start a new run with pgb-wizard run --fresh`;

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

/** Steps that are complete, or failed, for services that are not on the pooler any more: due again after a resume. */
function stepsToRedo(state: RunState, steps: readonly Step[]): Set<string> {
  const back = new Set(
    state.services
      .filter((service) => service.state === 'rolled-back' || service.state === 'direct')
      .map((service) => service.name),
  );
  const phases = new Set(state.services.filter((service) => back.has(service.name)).map((service) => service.phase));
  return new Set(
    steps
      .map((step) => state.steps.find((view) => view.id === step.info.id))
      .filter((view) => view !== undefined && view.state === 'pass' && phases.has(view.phase))
      .filter((view) => (view?.service === undefined ? true : back.has(view.service)))
      .map((view) => view?.id ?? ''),
  );
}
