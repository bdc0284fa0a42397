/**
 * Switching one workload and putting it back: plan (reads and a dry run), send, and say what is live. The patch on the
 * screen is the patch that is sent.
 */
import { type ErrorCode, err, fail, ok, type Result, wizardError } from '../result.ts';
import { inside, seal } from './change.ts';
import { FIELD_MANAGER } from './client.ts';
import { differences, type Edit, patchTo, type Side, sideOfAll, strangers } from './edits.ts';
import { selectorText } from './facts.ts';
import { fingerprint, templateOf } from './fingerprint.ts';
import { managerOfEntry } from './managers.ts';
import type { PlanSwitchOptions, SendOptions } from './option-types.ts';
import { proposeSwitch } from './propose.ts';
import { listOf, workloadId } from './refs.ts';
import { previewOf } from './switch-preview.ts';
import type { Json, Kube, KubeObject } from './types.ts';
import type { LiveState, SentChange, TemplateMatch, Workload, WorkloadChange } from './workload-types.ts';

const ROUNDS = 5;

/** The object as `classifyLive` saw it last; taken by the patch that follows. */
const lookedAt = new WeakMap<WorkloadChange, KubeObject>();

type Planned = Pick<Workload, 'ref' | 'uid' | 'target' | 'id'>;

/**
 * Plans against the live object, and anew when it changes meanwhile (an autoscaler is enough). Errors: those of
 * `proposeSwitch`; `invalid-object` (admission refuses the dry run: its words are in `cause`); `conflict` when it never
 * holds still.
 */
export async function planSwitch(
  kube: Kube,
  workload: Planned,
  options: PlanSwitchOptions,
): Promise<Result<WorkloadChange>> {
  for (let round = 1; ; round++) {
    const planned = await planOnce(kube, workload, options);
    if (planned.ok || planned.error.code !== 'conflict' || round === ROUNDS) return planned;
  }
}

async function planOnce(kube: Kube, workload: Planned, options: PlanSwitchOptions): Promise<Result<WorkloadChange>> {
  const proposed = await proposeSwitch(kube, workload, options);
  if (!proposed.ok) return proposed;
  const { live, sites, plan, there } = proposed.value;
  const call = options.signal ? { signal: options.signal } : {};
  const before = fingerprint(templateOf(live));
  if (plan === undefined) {
    if (there.length === 0) {
      return fail('not-eligible', `${workload.id} takes its database address from no place that can be seen`, {
        next: ['Switch it by hand, or leave it out of the plan.'],
      });
    }
    return ok(
      seal(
        live,
        options,
        before,
        before,
        { edits: [], objects: [], template: templateOf(live) },
        {
          sources: there.map((s) => ({ container: s.container, name: s.name, source: s.source })),
          preview: {
            summary: `${workload.id} already reaches ${options.to.host}:${options.to.port}`,
            diff: [],
            commands: [],
            alreadyDone: true,
          },
          alreadyDone: true,
        },
      ),
    );
  }
  const ops = patchTo(live, plan.edits, 'after');
  if (ops === undefined) return err(wizardError('internal', `the plan for ${workload.id} does not fit its own object`));
  const told: string[] = [];
  const dry = await kube.patch(workload.ref, ops, { ...call, dryRun: true, onWarning: (text) => told.push(text) });
  if (!dry.ok) {
    if (dry.error.code === 'precondition-failed') {
      return fail('conflict', `${workload.id} changes while it is being planned`, { retryable: true });
    }
    return err({ ...dry.error, message: `the cluster refuses the change of ${workload.id}: ${dry.error.message}` });
  }
  const expected = structuredCloneTemplate(live, plan.edits);
  const extra = differences(expected, templateOf(dry.value));
  const preview = previewOf(live, sites, plan, ops, options, { extra, told });
  return ok(
    seal(
      live,
      options,
      before,
      fingerprint(templateOf(dry.value)),
      { ...plan, template: templateOf(live) },
      {
        sources: sites.map((s) => ({ container: s.container, name: s.name, source: s.source })),
        preview,
        clusterWarnings: told,
        alreadyDone: false,
      },
    ),
  );
}

/** The live template with the edits applied, to see what admission adds. */
function structuredCloneTemplate(live: KubeObject, edits: readonly Edit[]): Json {
  const template = structuredClone(templateOf(live));
  for (const edit of edits) {
    if (edit.kind === 'volume') {
      template.spec.volumes[edit.index] = edit.after;
      continue;
    }
    const container = template.spec[edit.list].find((c: Json) => c.name === edit.container);
    if (edit.kind === 'argument') container[edit.field][edit.index] = edit.after;
    else if (edit.before !== null) container.env[edit.index] = edit.after;
  }
  for (const edit of edits) {
    if (edit.kind !== 'env' || edit.before !== null) continue;
    const container = template.spec[edit.list].find((c: Json) => c.name === edit.container);
    container.env ??= [];
    if (edit.first) container.env.unshift(edit.after);
    else container.env.push(edit.after);
  }
  return template;
}

/**
 * Sends the patch in one direction. It is guarded by `test` operations on every entry, so the positions of the first try
 * may come from the look before (`classifyLive`): where the object has moved since (somebody else's change elsewhere), the
 * API server refuses, and they are computed anew from what is there, at most five times. Only an object that is read for
 * it says that there is nothing to send, or that an entry is a stranger's. Errors: `drift` when an entry
 * is neither ours nor the original, `outcome-unknown` when no answer came (then `classifyLive`).
 */
export async function sendChange(
  kube: Kube,
  change: WorkloadChange,
  direction: 'forward' | 'back',
  options: SendOptions = {},
): Promise<Result<SentChange>> {
  const { edits, template } = inside(change);
  const to: Side = direction === 'forward' ? 'after' : 'before';
  const call = options.signal ? { signal: options.signal } : {};
  const id = workloadId(change.ref);
  const seen = lookedAt.get(change);
  lookedAt.delete(change);
  if (seen) {
    const sent = await sendTo(kube, change, seen, direction, options);
    if (sent) return sent;
  }
  for (let round = 1; round <= ROUNDS; round++) {
    const got = await kube.get(change.ref, call);
    if (!got.ok) return got.error.code === 'not-found' ? fail('drift', `${id} does not exist any more`) : got;
    const live = got.value;
    if (live.metadata.uid !== change.uid) return fail('drift', `${id} was deleted and made again`);
    const ops = patchTo(live, edits, to);
    if (ops === undefined) {
      const other = strangers(templateOf(live), edits, to === 'after' ? 'before' : 'after');
      return fail('drift', `${id}: somebody changed ${other.join(', ')}`, {
        next: [`Look at it: kubectl get ${id} -n ${change.ref.namespace} -o yaml`],
      });
    }
    if (ops.length === 0) return ok(sentOf(live, template, edits, to, false));
    const sent = await sendTo(kube, change, live, direction, options);
    if (sent) return sent;
  }
  return fail('conflict', `${id} changes faster than it can be patched`, {
    retryable: true,
    next: ['See who writes it, then retry.'],
  });
}

/** How a patch is refused whose object is not what it was computed on. */
const MOVED: ReadonlySet<ErrorCode> = new Set(['precondition-failed', 'conflict', 'not-found']);

/** One try with the positions of this object; nothing when it has to be read anew. */
async function sendTo(
  kube: Kube,
  change: WorkloadChange,
  live: KubeObject,
  direction: 'forward' | 'back',
  options: SendOptions,
): Promise<Result<SentChange> | undefined> {
  const { edits, template } = inside(change);
  const to: Side = direction === 'forward' ? 'after' : 'before';
  const ops = live.metadata.uid === change.uid ? patchTo(live, edits, to) : undefined;
  if (ops === undefined || ops.length === 0) return undefined;
  // Reading may have taken minutes of retries, and a second patch is a new one: the lock has to be held for each.
  if (options.again && !(await options.again())) {
    return fail('lock-lost', `the lock is not held any more, so ${workloadId(change.ref)} was not patched`, {
      next: ['Resume the run: it takes the lock again and reads the cluster first.'],
    });
  }
  const sent = await kube.patch(change.ref, ops, options);
  if (sent.ok) return ok(sentOf(sent.value, template, edits, to, true));
  return MOVED.has(sent.error.code) ? undefined : sent;
}

function sentOf(live: KubeObject, template: Json, edits: readonly Edit[], to: Side, patched: boolean): SentChange {
  const now = templateOf(live);
  const expected =
    to === 'before'
      ? template
      : structuredCloneTemplate(
          { kind: live.kind, apiVersion: live.apiVersion, metadata: {}, ...wrap(live.kind, template) },
          edits,
        );
  return {
    uid: live.metadata.uid,
    generation: live.metadata.generation ?? 0,
    resourceVersion: live.metadata.resourceVersion,
    fingerprint: fingerprint(now),
    patched,
    keptChanges: differences(expected, now),
  };
}

/**
 * Fields of the live template that are neither the original's nor this change's: what other people changed since it was
 * planned, `spec.containers[app].image`. Empty as well when it can't be read.
 */
export async function changedByOthers(
  kube: Kube,
  change: WorkloadChange,
  direction: 'forward' | 'back',
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const got = await kube.get(change.ref, signal ? { signal } : {});
  if (!got.ok || got.value.metadata.uid !== change.uid) return [];
  const { edits, template } = inside(change);
  return sentOf(got.value, template, edits, direction === 'forward' ? 'after' : 'before', false).keptChanges;
}

const wrap = (kind: string, template: Json): Json =>
  kind === 'CronJob' ? { spec: { jobTemplate: { spec: { template } } } } : { spec: { template } };

const FENCE = 'pgb-wizard.dev/fence';

/**
 * Makes sure that a forward patch which was sent and given up can't land any more: a note on the object (not on its
 * template, so nothing rolls) moves what that patch is guarded by. The note is taken off again.
 */
export async function sendFence(
  kube: Kube,
  change: WorkloadChange,
  value: string,
  options: SendOptions = {},
): Promise<Result<void>> {
  for (const note of [value, null]) {
    const sent = await kube.mergePatch(change.ref, { metadata: { annotations: { [FENCE]: note } } }, options);
    if (!sent.ok) return sent;
    if (sent.value.metadata.uid !== change.uid) return fail('drift', `${workloadId(change.ref)} was made again`);
  }
  return ok(undefined);
}

/** What the live object says about a change: the base of every resume. Errors: those of the reads. */
export async function classifyLive(
  kube: Kube,
  change: WorkloadChange,
  signal?: AbortSignal,
): Promise<Result<LiveState>> {
  const call = signal ? { signal } : {};
  const id = workloadId(change.ref);
  const got = await kube.get(change.ref, call);
  if (!got.ok) {
    if (got.error.code !== 'not-found') return got;
    return ok({ state: 'gone', exact: false, contested: false, detail: `${id} does not exist any more` });
  }
  const live = got.value;
  lookedAt.set(change, live);
  const common = {
    uid: live.metadata.uid,
    generation: live.metadata.generation ?? 0,
    fingerprint: fingerprint(templateOf(live)),
  };
  if (live.metadata.uid !== change.uid) {
    return ok({ ...common, state: 'gone', exact: false, contested: false, detail: `${id} was deleted and made again` });
  }
  const { edits } = inside(change);
  if (edits.length === 0) {
    return ok({
      ...common,
      state: 'after',
      exact: common.fingerprint === change.after,
      contested: false,
      detail: `${id} already used the pooler`,
    });
  }
  const state = sideOfAll(templateOf(live), edits);
  const first = edits.find((e) => e.kind === 'env');
  const manager = first ? managerOfEntry(live, first.container, first.name) : undefined;
  const owner = manager ? { manager } : {};
  if (state === 'other') {
    const names = edits
      .filter((e) => sideOfAll(templateOf(live), [e]) === 'other')
      .map((e) => (e.kind === 'env' ? e.name : e.kind));
    const detail =
      names.length > 0 ? `${id}: ${names.join(', ')} is neither the original nor ours` : `${id} is half switched`;
    return ok({ ...common, ...owner, state, exact: false, contested: false, detail });
  }
  const exact = common.fingerprint === (state === 'after' ? change.after : change.before);
  if (state === 'after') {
    return ok({
      ...common,
      ...owner,
      state,
      exact,
      contested: false,
      detail: `${id} uses ${change.to.host}:${change.to.port}`,
    });
  }
  const looked =
    change.ref.kind === 'Deployment' && common.generation > change.generation
      ? await ranOnce(kube, live, edits, call)
      : ok(false);
  if (!looked.ok) return looked;
  const ran = looked.value;
  // Our own way back looks the same; managedFields tell who wrote the entry last.
  const contested = ran && manager !== FIELD_MANAGER;
  return ok({
    ...common,
    ...owner,
    state,
    exact,
    contested,
    detail: contested
      ? `${id} was switched, and ${manager ?? 'somebody'} put the original back`
      : `${id} has its original address${ran ? ' again' : ''}`,
  });
}

/** Does a ReplicaSet with our entries exist? Then the change happened once. Who may not list them can't know, and goes on. */
async function ranOnce(
  kube: Kube,
  live: KubeObject,
  edits: readonly Edit[],
  call: { signal?: AbortSignal },
): Promise<Result<boolean>> {
  const listed = await kube.list(
    listOf('ReplicaSet', live.metadata.namespace, { labelSelector: selectorText(live.spec?.selector) }),
    call,
  );
  if (!listed.ok) return listed.error.code === 'not-authorised' ? ok(false) : listed;
  return ok(
    listed.value.items.some(
      (rs) =>
        (rs.metadata.ownerReferences ?? []).some((o: Json) => o.uid === live.metadata.uid) &&
        sideOfAll(rs.spec?.template, edits) === 'after',
    ),
  );
}

/** Tells a rollout which template is wanted: by our entries, so that other people's changes do not confuse it. */
export function changeMatch(change: WorkloadChange, direction: 'forward' | 'back'): TemplateMatch {
  const { edits } = inside(change);
  const to: Side = direction === 'forward' ? 'after' : 'before';
  return (template) => {
    if (edits.length === 0) return 'target';
    const side = sideOfAll(template, edits);
    return side === 'other' ? 'other' : side === to ? 'target' : 'origin';
  };
}
