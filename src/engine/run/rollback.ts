/**
 * The way back: a service, a phase, or everything, newest change first, one service at a time. Each service is a step of
 * its own with evidence, `rollback.<service>`, so that a rollback that was cut off goes on where it stopped.
 */
import { manifestsOfUnmoved } from '../steps/manifest-files.ts';
import { goBack, verifyBack } from '../steps/switch-back.ts';
import type { StepContext } from '../steps/types.ts';
import { Interrupted } from './controls.ts';
import type { RunState } from './fold.ts';
import type { ChangePreview, DiffLine, RollbackScope } from './model.ts';
import type { RunnerPorts } from './runner.ts';
import { worth } from './worth.ts';

/** `nothing`: no service of the scope was on the pooler by this run. */
export type RollbackResult = 'done' | 'nothing' | 'cancelled' | 'failed';

/** Services of the scope that are (or may be) on the pooler, the one that moved last first. */
export function servicesToGoBack(state: RunState, scope: RollbackScope): string[] {
  // What was on the pooler before this run has no original here; the run that moved it can take it back.
  const before = (state.facts.pooledBefore ?? {}) as Readonly<Record<string, string>>;
  const moved = state.services.filter(
    (service) =>
      before[service.name] === undefined &&
      (service.state === 'pooled' || service.state === 'switching' || hasOpenPatch(state, service.name)),
  );
  const asked = new Set(inScope(state, scope));
  // Those that changed last go first; `changedAt` ties (a batch) fall back to the reverse order of the plan.
  const order = new Map(state.services.map((service, index) => [service.name, index]));
  return moved
    .filter((service) => asked.has(service.name))
    .sort(
      (a, b) =>
        (b.changedAt ?? '').localeCompare(a.changedAt ?? '') || (order.get(b.name) ?? 0) - (order.get(a.name) ?? 0),
    )
    .map((service) => service.name);
}

/** Every service that a rollback is asked of. */
const inScope = (state: RunState, scope: RollbackScope): string[] =>
  state.services
    .filter((service) =>
      scope.kind === 'all'
        ? true
        : scope.kind === 'phase'
          ? service.phase === scope.phase
          : service.name === scope.service,
    )
    .map((service) => service.name);

/** A forward patch that may still land: the service is taken back as if it had (goBack fences it off). */
const hasOpenPatch = (state: RunState, service: string): boolean =>
  state.calls.some(
    ({ callId, intent }) =>
      state.openCalls.includes(callId) &&
      intent.verb === 'patch' &&
      intent.direction === 'forward' &&
      intent.target.name === service,
  );

/**
 * Asks, goes back, proves it. `asked`: the question was put before (the policy, or the failure screen of a run without a
 * terminal), so that it is not put again. `cancelled` also when the operator interrupts it (leaves, or asks for another
 * rollback): one that had begun stays pending in the journal, and a resume goes on with it.
 */
export async function runRollback(
  ports: RunnerPorts,
  scope: RollbackScope,
  consent: 'confirm' | 'asked' = 'confirm',
): Promise<RollbackResult> {
  try {
    return await askAndGoBack(ports, scope, consent);
  } catch (thrown) {
    if (thrown instanceof Interrupted) return 'cancelled';
    throw thrown;
  }
}

async function askAndGoBack(
  ports: RunnerPorts,
  scope: RollbackScope,
  consent: 'confirm' | 'asked',
): Promise<RollbackResult> {
  const { core, controls } = ports;
  const services = servicesToGoBack(core.state, scope);
  const label = scope.kind === 'all' ? 'everything' : scope.kind === 'phase' ? `phase ${scope.phase}` : scope.service;
  if (services.length === 0) {
    const earlier = core.state.facts.pooledBefore as Readonly<Record<string, string>> | undefined;
    const others = Object.keys(earlier ?? {});
    const hint =
      others.length > 0 ? ` (${others.join(', ')} moved before this run: roll back the run that did it)` : '';
    core.message(
      'warn',
      `rollback of ${label}: this run has nothing of it on the pooler, so nothing was taken back${hint}`,
    );
    await manifestsOfUnmoved(ports.context('rollback', controls.signal), inScope(core.state, scope));
    return 'nothing';
  }
  if (consent === 'confirm') {
    core.live.set({
      status: 'asking',
      waitingFor: { text: 'your answer', since: core.timestamp() },
    });
    const preview = await previewBack(ports, services, label);
    const answer = await ports.asks.put(
      {
        id: ports.asks.nextId(),
        kind: 'rollback',
        scope,
        title: `Roll back ${label}`,
        preview,
        services,
        typed: ports.typedName,
      },
      controls.signal,
    );
    if (answer.kind !== 'rollback' || answer.action !== 'approve') return 'cancelled';
  }
  core.record({ type: 'rollback.started', scope, services, who: ports.who });
  core.live.set({ status: 'rolling-back' });
  controls.goingBack(true);
  try {
    let failed = false;
    for (const service of services) {
      const result = await rollBackService(ports, service);
      // Without a human one service that can't go back must not keep the others where they fail. A human was asked.
      if (result !== 'done') failed = true;
      if (failed && !ports.policy) break;
    }
    if (failed) {
      core.record({ type: 'rollback.finished', scope, ok: false });
      return 'failed';
    }
  } finally {
    controls.goingBack(false);
  }
  const unmoved = inScope(core.state, scope).filter((one) => !services.includes(one));
  await manifestsOfUnmoved(ports.context('rollback', controls.signal), unmoved);
  core.record({ type: 'rollback.finished', scope, ok: true });
  core.live.set({ status: 'running' });
  return 'done';
}

async function previewBack(ports: RunnerPorts, services: readonly string[], label: string): Promise<ChangePreview> {
  const ctx = ports.context('rollback', ports.controls.signal);
  const previews = services.map((service) => ctx.fleet.original(service)?.preview);
  return {
    summary: `Restore the original address of ${services.length} ${services.length === 1 ? 'service' : 'services'} (${label}), the newest change first`,
    diff: services.flatMap((service, index) => [
      { kind: 'title' as const, text: service },
      ...reversed(previews[index]?.diff ?? []),
    ]),
    commands: [],
    departures: [
      'The guide sets one common address with another password for all services. Here each service gets its own original entry back, byte for byte, and changes other people made meanwhile stay.',
    ],
    destructive: true,
  };
}

/** What was added goes, what was removed comes back, in this order; nothing new is made on the way back. */
export function reversed(diff: readonly DiffLine[]): DiffLine[] {
  const out: DiffLine[] = [];
  let back: DiffLine[] = [];
  for (const line of diff) {
    if (line.kind === 'remove') back.push({ kind: 'add', text: line.text });
    else if (line.kind === 'add') out.push({ kind: 'remove', text: line.text });
    else {
      out.push(...back);
      back = [];
      if (line.kind !== 'note' || !line.text.startsWith('new ')) out.push(line);
    }
  }
  return [...out, ...back];
}

async function rollBackService(ports: RunnerPorts, service: string): Promise<RollbackResult> {
  const { core, controls } = ports;
  const id = `rollback.${service}`;
  for (;;) {
    const attempt = (core.state.steps.find((step) => step.id === id)?.attempts ?? 0) + 1;
    const ctx: StepContext = ports.context(id, controls.signal);
    core.record({ type: 'step.started', id, attempt });
    let cause: string;
    let hint = 'Look at the cause and retry; the original entry is kept in the cluster and nothing was lost.';
    let logTail: readonly string[] = [];
    let verdict: 'fail' | 'inconclusive' = 'fail';
    const sent = await goBack(ctx, service);
    if (sent.ok) {
      const result = await verifyBack(ctx, service);
      const evidence = core.state.steps.find((step) => step.id === id)?.evidence ?? [];
      const proved = result.ok && result.value.verdict === 'pass' ? worth(evidence) : undefined;
      if (proved === 'pass') {
        core.record({ type: 'step.finished', id, state: 'pass' });
        return 'done';
      }
      const doubt = evidence.filter((one) => one.verdict !== 'pass').map((one) => `${one.check}: ${one.observed}`);
      cause = result.ok
        ? (result.value.failure?.cause ?? ['the way back could not be proved', ...doubt].join('; '))
        : result.error.message;
      hint = result.ok ? (result.value.failure?.hint ?? hint) : hint;
      logTail = result.ok ? (result.value.failure?.logTail ?? []) : [];
      if (proved === 'inconclusive' || (result.ok && result.value.verdict === 'inconclusive')) verdict = 'inconclusive';
    } else {
      cause = sent.error.message;
      hint = sent.error.next?.join(' ') ?? hint;
    }
    // An interrupted wait ends as `inconclusive`; it is no failure to ask about.
    ctx.signal.throwIfAborted();
    core.record({ type: 'step.finished', id, state: verdict, cause, hint });
    const answer = await ports.asks.put(
      {
        id: ports.asks.nextId(),
        kind: 'failure',
        stepId: id,
        title: `Roll back ${service}`,
        service,
        cause,
        hint,
        // A policy that accepts what can't be measured speaks of gates: a way back that is not proved is no way back.
        verdict: ports.policy ? 'fail' : verdict,
        findings: [],
        logTail,
        options: ['retry', 'waive', 'leave'],
      },
      controls.signal,
    );
    const action = answer.kind === 'failure' ? answer.action : 'leave';
    if (action === 'waive') {
      core.record({ type: 'step.finished', id, state: 'waived', cause, hint, note: `waived by ${ports.who}` });
      await ports.share();
      return 'done';
    }
    if (action !== 'retry') return 'failed';
  }
}
