import { expect, test } from 'vitest';
import { generatePassword } from '../pgbouncer/credentials.ts';
import { loadedPlan } from '../plan/load.ts';
import { NOVA_PLAN } from '../plan/nova.ts';
import { fail, ok } from '../result.ts';
import { AskBroker } from '../run/asks.ts';
import { realClock } from '../run/clock.ts';
import type { Verdict } from '../run/model.ts';
import { decideStep } from './decide.ts';
import type { StepContext } from './types.ts';

const info = { id: 'p2.decide', guide: '-', title: 'Decision', phase: 'p2', kind: 'decide' as const };

const silent = async () => fail('cluster-unreachable', 'the cluster is silent');

/** A cluster and poolers that tell nothing of the one service that has moved. */
const blind = () => ({
  kube: { get: async () => fail('not-found', 'no such Secret'), list: silent },
  fleet: { namespace: 'nova', service: () => undefined, podOwners: silent },
  pooler: {
    watch: () => {},
    sample: async () => undefined,
    pods: silent,
    postgres: silent,
    inspectors: silent,
    activity: silent,
  },
  secrets: { role: generatePassword(), admin: generatePassword(), stats: generatePassword() },
  state: () => ({ services: [{ name: 'auth-service', phase: 'p2', state: 'pooled' }], facts: {} }),
  fact: () => {},
  gates: () => {},
  waitingFor: () => {},
});

test('going on beside gates that nobody could measure is waived by whoever allowed it, and no pass', async () => {
  const policy = { approve: 'all', onFailure: 'stop', onInconclusive: 'accept' } as const;
  const evidence: { check: string; verdict: Verdict; observed: string }[] = [];
  const ctx = {
    plan: loadedPlan({ ...NOVA_PLAN, pooler: { ...NOVA_PLAN.pooler, prometheus: {} } }, 'a test').plan,
    ...blind(),
    clock: { ...realClock(), sleep: async () => {} },
    signal: new AbortController().signal,
    asks: new AskBroker({ who: 'alice@bastion', policy, opened: () => {}, changed: () => {}, answered: () => {} }),
    policy,
    who: 'alice@bastion',
    decided: () => {},
    evidence: (one: (typeof evidence)[number]) => evidence.push(one),
  } as unknown as StepContext;
  const ended = await decideStep(info, '0s', ['auth-service']).verify(ctx);
  expect(ended).toMatchObject({
    ok: true,
    value: { verdict: 'waived', note: expect.stringContaining('waived by the policy of this run') },
  });
  // A Prometheus that the plan names is one of the gates that decide.
  expect(evidence).toContainEqual(
    expect.objectContaining({
      check: 'gate: Prometheus',
      verdict: 'inconclusive',
      observed: 'could not be asked: no such Secret',
    }),
  );
});

test('leaving in the middle of a soak ends the step with the reason, and nothing else', async () => {
  const unheard: unknown[] = [];
  const listen = (reason: unknown) => unheard.push(reason);
  process.on('unhandledRejection', listen);
  const leave = new AbortController();
  let opened = () => {};
  const asked = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const ctx = {
    plan: loadedPlan(NOVA_PLAN, 'a test').plan,
    ...blind(),
    clock: realClock(),
    signal: leave.signal,
    asks: new AskBroker({ who: 'alice@bastion', opened, changed: () => {}, answered: () => {} }),
  } as unknown as StepContext;
  const step = decideStep(info, '30m', ['auth-service']);
  const over = step.verify(ctx).then(ok, (reason: unknown) => reason);
  await asked;
  const reason = new Error('left by alice');
  leave.abort(reason);
  expect(await over).toBe(reason);
  // Rejections without a listener are told at the end of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', listen);
  expect(unheard).toEqual([]);
});
