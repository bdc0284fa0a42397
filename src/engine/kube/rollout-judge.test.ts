import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { templateOf } from './fingerprint.ts';
import { baselineOf } from './rollout-failures.ts';
import { type Judgement, RolloutJudge } from './rollout-judge.ts';
import { viewOf } from './rollout-view.ts';
import type { Json, KubeObject } from './types.ts';

interface Line {
  t: number;
  event: { type: string; object: Json };
}

const recording = (name: string): Line[] =>
  readFileSync(new URL(`../../../recordings/kubernetes-1.36/${name}.jsonl`, import.meta.url), 'utf8')
    .split('\n')
    .filter((l) => l !== '')
    .map((l) => JSON.parse(l))
    .filter((l) => l.type === 'event' && l.event.type !== 'ERROR' && l.event.type !== 'BOOKMARK')
    .sort((a, b) => a.t - b.t);

/** The recordings watched events.k8s.io; the wizard reads the core form of the same objects. */
const coreEvent = (e: Json): Json => ({
  ...e,
  involvedObject: e.regarding,
  message: e.note,
  count: e.deprecatedCount ?? e.series?.count,
});

/** Replays what a real cluster said, with a look twice a second as the follower does; answers the verdicts in order. */
function replay(
  lines: Line[],
  options: {
    name: string;
    from: number;
    until?: number;
    limitMs?: number;
    target?: (template: Json) => boolean;
    sets?: KubeObject[];
  },
): { verdict: Extract<Judgement, { kind: 'verdict' }> | undefined; at: number; availableAt?: number; texts: string[] } {
  const known = new Map<string, KubeObject>();
  const events: KubeObject[] = [];
  const texts: string[] = [];
  let judge: RolloutJudge | undefined;
  const take = ({ event }: Line) => {
    if (event.object.kind === 'Event') events.push(coreEvent(event.object));
    else if (event.type === 'DELETED') known.delete(event.object.metadata.uid);
    else known.set(event.object.metadata.uid, event.object);
  };
  const of = (kind: string) => [...known.values()].filter((o) => o.kind === kind);
  const end = options.until ?? lines.at(-1)!.t + 120_000;
  let index = 0;
  for (let now = 0; now <= end; now += 100) {
    while (index < lines.length && lines[index]!.t <= now) take(lines[index++]!);
    const workload = of('Deployment').find((d) => d.metadata.name === options.name);
    if (now < options.from || !workload) continue;
    judge ??= new RolloutJudge(
      { id: `deployment/${options.name}`, uid: workload.metadata.uid, limitMs: options.limitMs ?? 600_000 },
      baselineOf(of('Pod')),
      now,
    );
    const view = viewOf(
      { workload, replicaSets: [...of('ReplicaSet'), ...(options.sets ?? [])], pods: of('Pod') },
      (t) => ((options.target?.(t) ?? true) ? 'target' : 'origin'),
    );
    const result = judge.judge(view, events, now);
    if (result.kind === 'wait') {
      if (texts.at(-1) !== result.text) texts.push(result.text);
      continue;
    }
    return {
      verdict: result,
      at: now,
      ...(judge.availableAt === undefined ? {} : { availableAt: judge.availableAt }),
      texts,
    };
  }
  return { verdict: undefined, at: end, texts };
}

describe('a real cluster’s rollouts, replayed', () => {
  test('a rolling update of 3 replicas is drained when the last old pod is gone, and available before', () => {
    const lines = recording('03-set-env-rolling-update-3-replicas');
    const lastPodGone = Math.max(
      ...lines.filter((l) => l.event.type === 'DELETED' && l.event.object.kind === 'Pod').map((l) => l.t),
    );
    const deployments = lines.filter((l) => l.event.object.kind === 'Deployment');
    const generation = deployments[0]!.event.object.metadata.generation;
    const started = deployments.find((l) => l.event.object.metadata.generation > generation)!.t;
    const allThree = deployments.find(({ event: { object } }) => {
      const { observedGeneration, replicas, updatedReplicas, availableReplicas } = object.status;
      return observedGeneration > generation && replicas === 3 && updatedReplicas === 3 && availableReplicas === 3;
    })!.t;
    const { verdict, at, availableAt, texts } = replay(lines, { name: 'web', from: started });
    expect(verdict).toMatchObject({ outcome: 'drained' });
    expect(at - lastPodGone).toBeLessThan(300);
    expect(availableAt).toBeDefined();
    expect(availableAt! - allThree).toBeLessThan(300);
    expect(texts.join('\n')).toContain('to become Ready');
  });

  test('a crash loop is told at the first restart, long before any limit', () => {
    const lines = recording('06-crash-loop');
    const restarted = lines.find(
      (l) => l.event.object.kind === 'Pod' && l.event.object.status?.containerStatuses?.[0]?.restartCount === 1,
    )!.t;
    const { verdict, at } = replay(lines, { name: 'crash', from: 0 });
    expect(verdict).toMatchObject({
      outcome: 'failed',
      cause: 'crash-loop',
      sign: { crashed: true, container: 'app' },
    });
    expect(at - restarted).toBeLessThan(300);
  });

  test('an image that cannot be pulled fails after a minute and says that this is not ours', () => {
    const lines = recording('05-image-pull-failure-then-undo');
    const first = lines.find(
      (l) =>
        l.event.object.kind === 'Pod' &&
        l.event.object.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImagePull',
    )!.t;
    const { verdict, at } = replay(lines, { name: 'web', from: 700 });
    expect(verdict).toMatchObject({ outcome: 'failed', cause: 'image-pull' });
    expect(verdict!.hint).toContain('does not touch the image');
    expect(at - first).toBeGreaterThanOrEqual(60_000);
    expect(at - first).toBeLessThan(61_000);
  });

  test('the progress deadline of the wanted ReplicaSet is a failure', () => {
    const { verdict } = replay(recording('07-readiness-never-progress-deadline'), { name: 'slow', from: 0 });
    expect(verdict).toMatchObject({ outcome: 'failed', cause: 'progress-deadline' });
  });

  test('no replicas: switched, and nobody claims that it was proved', () => {
    const { verdict } = replay(recording('09-scale-to-zero-and-set-env'), { name: 'web', from: 5000, until: 60_000 });
    expect(verdict).toMatchObject({ outcome: 'switched-unverified' });
  });

  test('after rolling back a timed-out single replica the stale deadline of the failed ReplicaSet is no failure', () => {
    const lines = recording('17-rollback-of-a-timed-out-single-replica');
    const deployment = lines[0]!.event.object;
    const set = (name: string, template: Json): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name,
        uid: name,
        creationTimestamp: '2026-11-23T07:51:08Z',
        ownerReferences: [{ uid: deployment.metadata.uid }],
      },
      spec: { template },
    });
    const good = set('one-78bd8c44f4', templateOf(deployment));
    const stale = lines.filter(
      (l) =>
        l.event.object.status.observedGeneration === 3 &&
        l.event.object.status.conditions[1].reason === 'ProgressDeadlineExceeded',
    );
    expect(stale.length).toBeGreaterThan(0);
    const { verdict } = replay(lines, { name: 'one', from: 0, sets: [good], until: 5000 });
    expect(verdict?.outcome).not.toBe('failed');
    // The same condition, naming the ReplicaSet that is wanted, is one.
    const bad = set('one-789747cdff', templateOf(deployment));
    expect(replay([{ ...stale[0]!, t: 0 }], { name: 'one', from: 0, sets: [bad], until: 5000 }).verdict).toMatchObject({
      outcome: 'failed',
      cause: 'progress-deadline',
    });
  });

  test('an original address that comes back is a fight, not a failure of the rollout', () => {
    const lines = recording('03-set-env-rolling-update-3-replicas');
    let calls = 0;
    const { verdict } = replay(lines, { name: 'web', from: 700, target: () => calls++ < 3 });
    expect(verdict).toMatchObject({ outcome: 'contested', cause: 'reverted' });
  });

  test('the limit says what was still missing', () => {
    const { verdict } = replay(
      recording('06-crash-loop').filter((l) => l.event.object.kind !== 'Pod'),
      { name: 'crash', from: 0, limitMs: 5000 },
    );
    expect(verdict).toMatchObject({ outcome: 'timeout', cause: 'limit' });
    expect(verdict!.message).toContain('after 5 s');
  });
});

describe('pods of a StatefulSet that are refused, which only events tell of', () => {
  const set: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'ledger', uid: 'u1', generation: 2 },
    spec: { replicas: 1 },
    status: { observedGeneration: 2, updateRevision: 'ledger-b', currentRevision: 'ledger-a' },
  };
  const refused = (
    count: number,
    message = 'create Pod ledger-0 in StatefulSet ledger failed error: no room',
  ): Json => ({
    metadata: { uid: 'e1' },
    involvedObject: { uid: 'u1' },
    type: 'Warning',
    reason: 'FailedCreate',
    message,
    count,
  });
  const pod = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, uid: name, ownerReferences: [{ uid: 'u1', controller: true }] },
    status: { phase: 'Running' },
  });
  /** A look each second; what was judged, and when. */
  const judged = (at: (second: number) => { pods: KubeObject[]; events: Json[] | undefined }) => {
    const judge = new RolloutJudge({ id: 'statefulset/ledger', uid: 'u1', limitMs: 60_000 }, new Map(), 0);
    for (let second = 0; second <= 60; second++) {
      const { pods, events } = at(second);
      const view = viewOf({ workload: set, replicaSets: [], pods }, () => 'target');
      const result = judge.judge(view, events, second * 1000);
      if (result.kind === 'verdict') return { second, message: result.message, cause: result.cause };
    }
    return undefined;
  };

  test('fail the rollout after 15 s in the words of the cluster', () => {
    const seen = judged((second) => ({ pods: [], events: second < 2 ? [] : [refused(second)] }));
    expect(seen).toEqual({
      second: 17,
      cause: 'replica-failure',
      message: 'the cluster refuses new pods of statefulset/ledger: no room',
    });
  });

  test('not those from before the rollout, nor while all pods are there, nor once the pod could be made', () => {
    expect(judged(() => ({ pods: [], events: [refused(7)] }))?.cause).toBe('limit');
    expect(judged((second) => ({ pods: [pod('ledger-0')], events: [refused(second)] }))?.cause).toBe('limit');
    const healed = judged((second) => ({
      pods: second > 10 ? [pod('ledger-0')] : [],
      events: second === 0 ? [] : [refused(Math.min(second, 10))],
    }));
    expect(healed?.cause).toBe('limit');
  });

  test('nothing is said of events that are not known yet', () => {
    const seen = judged((second) => ({ pods: [], events: second < 20 ? undefined : [refused(9)] }));
    expect(seen?.cause).toBe('limit');
  });
});
