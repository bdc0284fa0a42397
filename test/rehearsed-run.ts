/** A rehearsal cluster and runs of the product against it, in this process: the plan is the guide's with changes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectKube } from '../src/engine/kube/connect.ts';
import type { Kube } from '../src/engine/kube/types.ts';
import { loadedPlan } from '../src/engine/plan/load.ts';
import { NOVA_PLAN } from '../src/engine/plan/nova.ts';
import type { PlanInput } from '../src/engine/plan/schema.ts';
import { realClock } from '../src/engine/run/clock.ts';
import type { RollbackScope, RunSnapshot, StepView } from '../src/engine/run/model.ts';
import { startRun } from '../src/engine/run/start.ts';
import { type Cluster, type ClusterOptions, startCluster } from '../src/rehearsal/cluster.ts';

export interface RehearsedCluster {
  readonly cluster: Cluster;
  readonly kube: Kube;
  /** Runs the plan headless until it ends or `stopAfter`; a new run unless `resume` names one. */
  run(options?: {
    plan?: Partial<PlanInput>;
    stopAfter?: string;
    resume?: string;
    timeScale?: number;
    onFailure?: 'stop' | 'rollback-all';
    onBlocked?: 'stop' | 'skip';
    rollback?: RollbackScope;
    watch?: (snapshot: RunSnapshot) => void;
  }): Promise<RunSnapshot>;
  /** SQL as PostgreSQL's superuser, as `kubectl exec postgres -- psql` gives it; throws with psql's words. */
  sql(text: string, database?: string): Promise<string>;
  close(): Promise<void>;
}

export async function rehearsedCluster(options: ClusterOptions = {}): Promise<RehearsedCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'pgbw-rehearsed-'));
  const cluster = await startCluster(options);
  const connected = await connectKube({
    kubeconfig: cluster.kubeconfigPath,
    namespace: 'nova',
    runId: '0test000',
    clock: realClock(),
    rate: { perSecond: 200, burst: 200 },
  });
  if (!connected.ok) throw new Error(connected.error.message);
  const kube = connected.value;
  return {
    cluster,
    kube,
    async run({ plan = {}, stopAfter, resume, timeScale = 600, onFailure = 'stop', onBlocked, rollback, watch } = {}) {
      const handle = await startRun({
        kube: { kubeconfig: cluster.kubeconfigPath, namespace: 'nova' },
        loadedPlan: loadedPlan({ ...NOVA_PLAN, ...plan }, 'a test'),
        stateDir: dir,
        operator: 'test@host',
        host: 'host',
        toolVersion: '0.0.0',
        secrets: {},
        policy: { approve: 'all', onFailure, onInconclusive: 'accept', ...(onBlocked ? { onBlocked } : {}) },
        timeScale,
        rehearsal: true,
        ...(stopAfter ? { stopAfter } : {}),
        ...(resume ? { resume } : {}),
        ...(rollback ? { rollback } : {}),
      });
      if (!handle.ok) throw new Error(`${handle.error.code}: ${handle.error.message}`);
      const { value } = handle;
      const stop = watch ? value.subscribe(() => watch(value.snapshot())) : undefined;
      const end = await value.ended;
      stop?.();
      return end;
    },
    async sql(text, database = 'nova') {
      const done = await kube.exec('nova', 'postgres', 'postgres', [
        'psql',
        '-X',
        '-A',
        '-t',
        '-v',
        'ON_ERROR_STOP=1',
        '-d',
        database,
        '-c',
        text,
      ]);
      if (!done.ok) throw new Error(done.error.message);
      if (done.value.exitCode !== 0) throw new Error(done.value.stderr);
      return done.value.stdout.trim();
    },
    async close() {
      kube.close();
      await cluster.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const stepOf = (end: RunSnapshot, id: string): StepView => {
  const step = end.steps.find((one) => one.id === id);
  if (!step) throw new Error(`no step ${id}`);
  return step;
};

/** What a run that did not go as expected says about itself. */
export const story = (end: RunSnapshot): string =>
  [
    `${end.status} ${end.outcome ?? ''} ${end.error?.message ?? ''}`,
    ...end.steps
      .filter((step) => step.state !== 'todo')
      .map((step) => `${step.id} ${step.state} ${step.cause ?? ''} ${step.hint ?? ''}`),
  ].join('\n');
