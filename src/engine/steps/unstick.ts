/**
 * A StatefulSet that replaces its pods in order waits for the broken pod to become Ready before it takes it back, for
 * ever, even when its template is the good one again (k/k#67250). The pod has to be deleted by hand;
 * here with consent, the highest ordinal first, and only while it is that very pod and not Ready.
 */
import { listOf, ref } from '../kube/refs.ts';
import type { KubeObject } from '../kube/types.ts';
import type { WorkloadChange } from '../kube/workload-types.ts';
import { ok, type Result } from '../result.ts';
import { podReady } from './looks.ts';
import type { StepContext } from './types.ts';

const LOOK_EVERY_MS = 300;
/** The controller takes up a changed template within a second; one that is down is the rollout's finding, not ours. */
const OBSERVED_LIMIT_MS = 15_000;
const HASH = 'controller-revision-hash';

/** Deletes the pods that keep a reverted StatefulSet from healing. Does nothing for other kinds. Safe to call again. */
export async function freeStuckPods(ctx: StepContext, service: string, change: WorkloadChange): Promise<Result<void>> {
  if (change.ref.kind !== 'StatefulSet') return ok(undefined);
  const set = await observed(ctx, change);
  if (!set.ok) return set;
  const revision: unknown = set.value.status?.updateRevision;
  if (typeof revision !== 'string') return ok(undefined);
  const listed = await ctx.kube.list(listOf('Pod', ctx.fleet.namespace), { signal: ctx.signal });
  if (!listed.ok) return listed;
  const stuck = listed.value.items.filter((pod) => isStuck(pod, change.uid, revision)).sort(byOrdinal);
  if (stuck.length === 0) return ok(undefined);
  const names = stuck.map((pod) => String(pod.metadata.name));
  const answer = await ctx.asks.put(
    {
      id: ctx.asks.nextId(),
      kind: 'confirm',
      stepId: `rollback.${service}`,
      title: `Delete ${names.join(', ')}, which ${names.length === 1 ? 'keeps' : 'keep'} ${service} from healing`,
      preview: {
        summary: `delete ${names.length} not Ready ${names.length === 1 ? 'pod' : 'pods'} of StatefulSet ${service}; the controller makes it anew with the original address`,
        diff: names.map((text) => ({
          kind: 'remove' as const,
          text: `Pod/${text} (not Ready, of the revision that was taken back)`,
        })),
        commands: names.map((name) => `kubectl delete pod ${name} -n ${ctx.fleet.namespace}`),
        destructive: true,
      },
    },
    ctx.signal,
  );
  if (answer.kind !== 'confirm' || answer.action !== 'approve') {
    ctx.message('warn', `${names.join(', ')} was not deleted: the StatefulSet waits for it before it goes back`);
    return ok(undefined);
  }
  for (const pod of stuck) {
    const where = ref('Pod', ctx.fleet.namespace, pod.metadata.name);
    const uid: string = pod.metadata.uid;
    const sent = await ctx.call(
      {
        verb: 'delete',
        target: { kind: 'Pod', namespace: ctx.fleet.namespace, name: where.name, uid },
        direction: 'back',
      },
      async (auditId) => {
        const gone = await ctx.kube.delete(where, { uid, auditId });
        if (gone.ok || gone.error.code === 'not-found' || gone.error.code === 'conflict') return ok({});
        return gone;
      },
    );
    if (!sent.ok) return sent;
    ctx.evidence({
      check: `stuck pod ${where.name}`,
      verdict: 'pass',
      observed: 'was not Ready and of the revision that was taken back; deleted, so that the StatefulSet can go on',
    });
  }
  return ok(undefined);
}

const isStuck = (pod: KubeObject, owner: string, revision: string): boolean =>
  (pod.metadata.ownerReferences ?? []).some((one: { uid: string }) => one.uid === owner) &&
  pod.metadata.labels?.[HASH] !== revision &&
  pod.metadata.deletionTimestamp === undefined &&
  !podReady(pod);

const ordinal = (pod: KubeObject): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? 0);
const byOrdinal = (a: KubeObject, b: KubeObject): number => ordinal(b) - ordinal(a);

/** The set once its controller has seen the template as it is now; before that its revision is the old news. */
async function observed(ctx: StepContext, change: WorkloadChange): Promise<Result<KubeObject>> {
  const began = ctx.clock.monotonic();
  for (;;) {
    const live = await ctx.kube.get(change.ref, { signal: ctx.signal });
    if (!live.ok) return live;
    const seen = Number(live.value.status?.observedGeneration ?? 0) >= Number(live.value.metadata.generation ?? 0);
    if (seen || ctx.clock.monotonic() - began > OBSERVED_LIMIT_MS) return live;
    ctx.waitingFor(`the controller to take up the original template of ${change.ref.name}`, OBSERVED_LIMIT_MS);
    await ctx.clock.sleep(LOOK_EVERY_MS, ctx.signal);
  }
}
