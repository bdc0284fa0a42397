/**
 * A fleet with one workload for each source and each odd state, through the built program: all that can move moves, the
 * others stay with the right reason; then everything goes back, and every spec is what it was, to the byte.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canonicalJson } from '../src/engine/kube/fingerprint.ts';
import { type Cluster, startCluster } from '../src/rehearsal/cluster.ts';
import type { Json } from '../src/rehearsal/contract.ts';
import { OddFleet, type OddWorkload } from './odd-fleet.ts';
import { openSteps, runWizard } from './wizard-process.ts';

const PASSWORD = 'odd+fleet/pass';
const RESOURCE = {
  Deployment: 'deployments.apps',
  StatefulSet: 'statefulsets.apps',
  DaemonSet: 'daemonsets.apps',
  CronJob: 'cronjobs.batch',
} as const;
const home = mkdtempSync(join(tmpdir(), 'pgbw-odd-'));
const fleet = new OddFleet(PASSWORD);
let cluster: Cluster;
let before: Map<string, string>;

const live = ({ kind, name }: OddWorkload): Json => cluster.store.get(RESOURCE[kind], 'nova', name);
const specs = () => new Map(fleet.workloads.map((one) => [one.name, canonicalJson(live(one).spec)]));

const wizard = (...args: string[]) => runWizard(home, cluster.kubeconfigPath, args);

/** Ready, or as far as it will ever get. */
async function settled(): Promise<void> {
  const deadline = Date.now() + 90_000;
  const open = () =>
    fleet.workloads.filter((one) => {
      if (one.kind === 'CronJob' || one.name === 'stuck') return false;
      const { metadata, spec, status = {} } = live(one);
      if (spec.paused) return false;
      const wanted = one.kind === 'DaemonSet' ? status.desiredNumberScheduled : spec.replicas;
      const ready = one.kind === 'DaemonSet' ? status.numberReady : status.readyReplicas;
      return status.observedGeneration !== metadata.generation || (ready ?? 0) !== wanted;
    });
  while (open().length > 0) {
    if (Date.now() > deadline)
      throw new Error(
        `not ready: ${open()
          .map((one) => one.name)
          .join(', ')}`,
      );
    await new Promise<void>((resolve) => {
      const stop = cluster.store.watch(() => {
        stop();
        resolve();
      });
    });
  }
}

beforeAll(async () => {
  cluster = await startCluster({ services: 1, password: PASSWORD, pace: 20 });
  for (const { resource, object } of fleet.objects)
    cluster.store.create(resource, object, { manager: 'kubectl-create' });
  await settled();
  before = specs();
  const services = fleet.workloads.map(({ name, kind }) => ({
    name,
    kind,
    ...(name === 'named-by-plan' ? { skip: 'kept by its owners' } : {}),
    ...(name === 'lazy-by-plan' ? { onDemand: true } : {}),
  }));
  const plan = {
    apiVersion: 'pgb-wizard/v1',
    kind: 'MigrationPlan',
    name: 'odd',
    namespace: 'nova',
    pooler: { image: 'pgbouncer:rehearsal', exporterImage: 'pgbouncer-exporter:rehearsal' },
    baseline: { enabled: false },
    observe: { every: '10s', for: '10s' },
    phases: [
      { id: 'p2', title: 'All', soak: '1m', services: services.slice(0, 4) },
      {
        id: 'p4',
        title: 'The others',
        batches: [{ name: 'rest', parallelism: 4 }],
        services: services.slice(4).map((one) => ({ ...one, batch: 'rest' })),
      },
    ],
  };
  writeFileSync(join(home, 'plan.json'), JSON.stringify(plan));
}, 150_000);

afterAll(async () => {
  await cluster?.close();
  rmSync(home, { recursive: true, force: true });
});

const plan = () => ['--plan', join(home, 'plan.json'), '--time-scale', '600'];

describe('a fleet nobody has seen', () => {
  test('without the word of an operator, blocked services stop the preflight, each with its reason', async () => {
    const ran = await wizard('preflight', '--plan', join(home, 'plan.json'));
    expect(ran.code).toBe(5);
    const step = ran.envelope.steps.find((one: Json) => one.id === 'preflight');
    for (const one of fleet.workloads) {
      if (one.end === 'pooled' || one.end.late || one.name === 'named-by-plan') continue;
      const own = String(step.cause)
        .split('; ')
        .find((part) => part.includes(`${one.name}: `));
      expect(own).toMatch(one.end.leftOut);
    }
    expect(specs()).toEqual(before);
  });

  test('all that can move moves; the others stay where they are, and it is said why', async () => {
    const ran = await wizard('run', '--no-input', '--on-blocked', 'skip', '--on-inconclusive', 'accept', ...plan());
    expect(`${ran.code} ${openSteps(ran)}`).toBe('0 ');
    const states = new Map(ran.envelope.services.map((one: Json) => [one.name, one.state]));
    for (const one of fleet.workloads) {
      expect([one.name, states.get(one.name)]).toEqual([one.name, one.end === 'pooled' ? 'pooled' : 'direct']);
      if (one.end === 'pooled') expect(canonicalJson(live(one).spec)).not.toBe(before.get(one.name));
      else expect(canonicalJson(live(one).spec)).toBe(before.get(one.name));
      const said = `${JSON.stringify(ran.envelope)}${ran.stderr}`;
      const reason = one.end === 'pooled' ? one.note : one.end.leftOut;
      if (reason) expect([one.name, reason.test(said)]).toEqual([one.name, true]);
    }
    // Whose clients nobody has seen is said of each, at its own step and at the end, and never passed.
    const evidence = (step: string, check: string) =>
      ran.envelope.steps.find((one: Json) => one.id === step).evidence.find((one: Json) => one.check === check);
    for (const [name, verdict] of [
      ['brief', 'pass'],
      ['stateful', 'pass'],
      ['on-demand', 'inconclusive'],
      ['lazy-by-plan', 'inconclusive'],
    ])
      expect([name, evidence('p4.batch.observe', `clients of ${name} on the poolers`).verdict]).toEqual([
        name,
        verdict,
      ]);
    const all = evidence('p5.verify', 'every switched service is a client of the poolers');
    expect(all).toMatchObject({ verdict: 'inconclusive', observed: expect.stringMatching(/nightly: .*CronJob/) });
    expect(all.observed).toMatch(
      /waived before: .*zero: .*on-demand: .*lazy-by-plan: |on-demand: .*lazy-by-plan: .*zero: /,
    );
    expect(ran.envelope.steps.find((one: Json) => one.id === 'p5.verify').state).toBe('waived');
  });

  test('everything goes back: every spec is what it was, to the byte', async () => {
    const ran = await wizard('rollback', '--all', '--no-input');
    expect(`${ran.code} ${openSteps(ran)}`).toBe('6 ');
    expect(specs()).toEqual(before);
  });
});
