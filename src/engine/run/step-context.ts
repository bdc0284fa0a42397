/** What a step is given to work with: the cluster within its limits, the run's memory, and everything that it may say. */
import { boundKube } from '../kube/bound.ts';
import type { FightWatch } from '../kube/fights.ts';
import type { Kube } from '../kube/types.ts';
import type { Plan } from '../plan/schema.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Fleet } from '../steps/fleet.ts';
import type { PoolerPorts } from '../steps/pooler-ports.ts';
import type { RunSecrets } from '../steps/run-secrets.ts';
import type { SeenPods } from '../steps/seen-pods.ts';
import type { StepContext } from '../steps/types.ts';
import type { AskBroker } from './asks.ts';
import type { createCaller } from './calls.ts';
import type { Clock } from './clock.ts';
import type { Controls } from './controls.ts';
import type { RunCore } from './core.ts';
import type { RunOptions } from './options.ts';

export interface ContextPorts {
  readonly core: RunCore;
  readonly controls: Controls;
  readonly kube: Kube;
  readonly plan: Plan;
  readonly clock: Clock;
  readonly options: RunOptions;
  readonly secrets: RunSecrets;
  readonly fleet: Fleet;
  readonly pooler: PoolerPorts;
  readonly seen: SeenPods;
  readonly fights: FightWatch;
  readonly asks: AskBroker;
  readonly calls: ReturnType<typeof createCaller>;
  /** Brings the cluster's copy of the run up to date with what a human just said. */
  share(): Promise<void>;
}

/** Everything that is said through it is one plain line; what it reads ends with `signal`. */
export function contextOf(ports: ContextPorts, step: string, signal: AbortSignal): StepContext {
  const { core, controls, kube, plan, clock, options, secrets, fleet, pooler, seen, fights, asks, calls, share } =
    ports;
  const { live } = core;
  return {
    runId: core.state.runId,
    plan,
    kube: boundKube(kube, { reads: signal, writes: controls.abandoned }),
    clock,
    signal,
    rehearsal: options.rehearsal,
    who: options.operator,
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
  };
}
