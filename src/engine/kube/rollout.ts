/**
 * Follows a rollout to its verdict over shared watches, and gathers the evidence when it fails: events, the last log
 * lines, the numbers.
 */
import type { RolloutProgress } from '../run/model.ts';
import { sanitiseLine, sanitiseLines } from '../sanitise.ts';
import { onAbort, pause } from './abort.ts';
import { managerOfEntry } from './managers.ts';
import type { RolloutOptions } from './option-types.ts';
import { type Kind, workloadId } from './refs.ts';
import { baselineOf } from './rollout-failures.ts';
import { type Judgement, RolloutJudge } from './rollout-judge.ts';
import { podInfo, type RolloutView, viewOf } from './rollout-view.ts';
import { type SharedWatch, shareWatch } from './shared-watch.ts';
import type { Json, Kube, KubeObject, Ref } from './types.ts';
import type { RolloutUpdate, RolloutVerdict } from './workload-types.ts';

/** Patience runs out between events too. */
const TICK_MS = 500;
/** A silent watch is polled after 15 s; what is older than this was not seen by two polls. */
const OLD_NEWS_MS = 35_000;
const LOG_LINES = 50;
const EVENTS = 20;
const COMPLAINT = /\b(error|fatal|panic|exception|failed|refused)\b/i;

export { templateOf } from './fingerprint.ts';

/** Never rejects; an abort gives the outcome `aborted`, a cluster that cannot be read keeps waiting until the limit. */
export async function followRollout(kube: Kube, ref: Ref, options: RolloutOptions): Promise<RolloutVerdict> {
  const follower = new Follower(kube, ref, options);
  try {
    return await follower.run();
  } finally {
    follower.release();
  }
}

class Follower {
  readonly #kube: Kube;
  readonly #ref: Ref;
  readonly #options: RolloutOptions;
  readonly #workloads: SharedWatch;
  readonly #sets: SharedWatch | undefined;
  readonly #pods: SharedWatch;
  readonly #events: SharedWatch;
  readonly #began = performance.now();
  readonly #released = new AbortController();
  #eventsListed = false;
  #wake: () => void = () => {};
  #dirty = true;
  #lastText = '';
  /** Time in which nothing could be seen, ms: no patience of the judge runs out in it. */
  #blindMs = 0;
  #toldKey = '';
  #toldAt = 0;

  constructor(kube: Kube, ref: Ref, options: RolloutOptions) {
    this.#kube = kube;
    this.#ref = ref;
    this.#options = options;
    const namespace = ref.namespace!;
    const changed = () => {
      this.#dirty = true;
      this.#wake();
    };
    this.#workloads = shareWatch(kube, ref.kind as Kind, namespace, (o) => {
      if (o.metadata.name === ref.name) changed();
    });
    const bySets = ref.kind === 'Deployment' || ref.kind === 'Rollout';
    this.#sets = bySets ? shareWatch(kube, 'ReplicaSet', namespace, changed) : undefined;
    this.#pods = shareWatch(kube, 'Pod', namespace, changed);
    this.#events = shareWatch(kube, 'Event', namespace, () => undefined);
    void this.#events.synced.then(({ ok }) => {
      this.#eventsListed = ok;
    });
  }

  release(): void {
    this.#released.abort();
    for (const watch of [this.#workloads, this.#sets, this.#pods, this.#events]) watch?.release();
  }

  async run(): Promise<RolloutVerdict> {
    const { signal, until, onAvailable } = this.#options;
    const off = onAbort([signal], () => this.#wake());
    // Events are evidence, not a condition: without the permission the verdict only says less.
    const synced = await Promise.race([
      Promise.all([this.#workloads.synced, this.#sets?.synced, this.#pods.synced]),
      this.#givenUp(),
    ]);
    const refused = Array.isArray(synced) ? synced.find((r) => r !== undefined && !r.ok) : undefined;
    if (refused && !refused.ok) {
      off();
      return this.#verdict(
        {
          kind: 'verdict',
          outcome: 'blocked',
          message: refused.error.message,
          ...(refused.error.cause ? { hint: refused.error.cause } : {}),
        },
        undefined,
      );
    }
    const judge = new RolloutJudge(
      {
        id: workloadId(this.#ref),
        uid: this.#options.uid,
        limitMs: this.#options.limitMs,
        ...(this.#options.drainLimitMs === undefined ? {} : { drainLimitMs: this.#options.drainLimitMs }),
      },
      baselineOf(this.#pods.items()),
      this.#began,
    );
    let told = false;
    let availableAt: number | undefined;
    for (;;) {
      if (signal.aborted) {
        off();
        return this.#verdict(
          { kind: 'verdict', outcome: 'aborted', message: 'stopped while waiting for the rollout' },
          this.#view(),
          availableAt,
        );
      }
      this.#dirty = false;
      if (this.#isBlind()) {
        const since = performance.now();
        const before = this.#view();
        if (this.#blindMs > this.#options.limitMs) {
          off();
          return this.#verdict(this.#neverSeen(), before, availableAt);
        }
        this.#tellSilence(before);
        await this.#sleep();
        this.#blindMs += performance.now() - since;
        continue;
      }
      const view = this.#view();
      const events = this.#eventsListed ? [...this.#events.items()] : undefined;
      const result = judge.judge(view, events, performance.now() - this.#blindMs);
      if (judge.availableAt !== undefined && availableAt === undefined) availableAt = this.#options.clock.now();
      if (view && availableAt !== undefined && !told && (result.kind === 'wait' || result.outcome === 'drained')) {
        told = true;
        const available: Judgement = {
          kind: 'verdict',
          outcome: 'available',
          message:
            view.desired === 1
              ? `the new pod of ${workloadId(this.#ref)} is available`
              : `all ${view.desired} new pods of ${workloadId(this.#ref)} are available`,
        };
        const verdict = await this.#verdict(available, view, availableAt);
        onAvailable?.(verdict);
        if (until === 'available') {
          off();
          return verdict;
        }
      }
      if (result.kind === 'verdict') {
        off();
        return this.#verdict(result, view, availableAt);
      }
      if (view) {
        this.#lastText = result.text;
        this.#tell({
          progress: this.#progress(view, result.stage, result.text),
          newPods: view.newPods.map(podInfo),
          oldPods: view.oldPods.map(podInfo),
          waitingFor: `${result.text}${this.#staleness()}`,
        });
      }
      await this.#sleep();
    }
  }

  /** Each change once, and twice a second while nothing changes: a burst of events is one news. */
  #tell(update: RolloutUpdate): void {
    const { elapsedMs, ...rest } = update.progress;
    const key = JSON.stringify([rest, update.waitingFor, update.newPods.length, update.oldPods.length]);
    if (key === this.#toldKey && elapsedMs - this.#toldAt < TICK_MS) return;
    this.#toldKey = key;
    this.#toldAt = elapsedMs;
    this.#options.onProgress?.(update);
  }

  #view(): RolloutView | undefined {
    let workload: KubeObject | undefined;
    for (const object of this.#workloads.items()) if (object.metadata.name === this.#ref.name) workload = object;
    return viewOf({ workload, replicaSets: this.#sets?.items() ?? [], pods: this.#pods.items() }, this.#options.match);
  }

  /** Old states tell nothing about now: a pod that was not Ready before the silence may be Ready, or gone. */
  #isBlind(): boolean {
    const age = Math.max(this.#workloads.ageMs(), this.#pods.ageMs(), this.#sets?.ageMs() ?? 0);
    return this.#kube.health().state !== 'ok' || age > OLD_NEWS_MS;
  }

  #neverSeen(): Extract<Judgement, { kind: 'verdict' }> {
    const seconds = Math.round(this.#blindMs / 1000);
    return {
      kind: 'verdict',
      outcome: 'timeout',
      cause: 'unseen',
      message: `the cluster was silent for ${seconds} s, so nobody knows how far the rollout of ${workloadId(this.#ref)} is`,
      hint: 'Nothing is known to be wrong with the service. When the cluster answers again, retry.',
    };
  }

  #tellSilence(view: RolloutView | undefined): void {
    const text = `the cluster to answer again, to follow the rollout of ${workloadId(this.#ref)}`;
    this.#tell({
      progress: this.#progress(view, 'waiting', text),
      newPods: view?.newPods.map(podInfo) ?? [],
      oldPods: view?.oldPods.map(podInfo) ?? [],
      waitingFor: `${text}${this.#staleness()}`,
    });
  }

  #staleness(): string {
    const health = this.#kube.health();
    return health.state === 'ok' ? '' : ` (cluster silent for ${Math.round(health.ageMs / 1000)} s)`;
  }

  #progress(view: RolloutView | undefined, stage: RolloutProgress['stage'], detail: string): RolloutProgress {
    return {
      desired: view?.desired ?? 0,
      updated: view?.updated ?? 0,
      ready: view?.newPods.filter((p) => podInfo(p).ready).length ?? 0,
      available: view?.available ?? 0,
      old: view?.oldPods.length ?? 0,
      elapsedMs: Math.round(performance.now() - this.#began),
      limitMs: this.#options.limitMs,
      stage,
      detail,
    };
  }

  async #verdict(
    result: Extract<Judgement, { kind: 'verdict' }>,
    view: RolloutView | undefined,
    availableAt?: number,
  ): Promise<RolloutVerdict> {
    const bad = !['available', 'drained', 'switched-unverified', 'aborted'].includes(result.outcome);
    const now = this.#options.clock.now();
    const sign = result.sign ?? (bad ? worstPod(view) : undefined);
    const logTail = bad && sign ? await this.#logTail(sign.pod, sign.container, sign.crashed) : [];
    // After a crash the last line is the reason; of a pod that runs, the last line that complains.
    const last = sign?.crashed ? logTail.at(-1) : logTail.findLast((l) => COMPLAINT.test(l));
    const manager = result.outcome === 'contested' || result.outcome === 'drift' ? this.#manager(view) : undefined;
    const stage = bad ? 'failed' : result.outcome === 'available' ? 'available' : 'done';
    return {
      outcome: result.outcome,
      ...(result.cause ? { cause: result.cause } : {}),
      message: sanitiseLine(
        `${result.message}${last ? `; its log says: ${last}` : ''}${manager ? ` (${manager})` : ''}`,
        700,
      ),
      ...(result.hint ? { hint: result.hint } : {}),
      ...(sign ? { pod: sign.pod } : {}),
      ...(sign?.container ? { container: sign.container } : {}),
      logTail,
      events: bad ? this.#eventLines(view) : [],
      // What it last waited for is true only of a wait that was cut short.
      progress: this.#progress(view, stage, (result.outcome === 'aborted' && this.#lastText) || result.message),
      newPods: view?.newPods.map(podInfo) ?? [],
      oldPods: view?.oldPods.map(podInfo) ?? [],
      ...(view?.target ? { target: view.target } : {}),
      ...(manager ? { manager } : {}),
      elapsedMs: Math.round(performance.now() - this.#began),
      ...(availableAt === undefined ? {} : { availableAt }),
      ...(result.outcome === 'drained' ? { drainedAt: now } : {}),
    };
  }

  #manager(view: RolloutView | undefined): string | undefined {
    if (!view) return undefined;
    for (const container of view.workload.spec?.template?.spec?.containers ?? []) {
      for (const entry of container.env ?? []) {
        const manager = managerOfEntry(view.workload, container.name, entry.name);
        if (manager && manager !== 'pgb-wizard') return manager;
      }
    }
    return undefined;
  }

  async #logTail(pod: string, container: string | undefined, crashed: boolean): Promise<string[]> {
    const base = {
      ...(container ? { container } : {}),
      tail: LOG_LINES,
      timeoutMs: 5000,
      signal: this.#options.signal,
    };
    const namespace = this.#ref.namespace!;
    if (crashed) {
      const previous = await this.#kube.logs(namespace, pod, { ...base, previous: true });
      if (previous.ok && previous.value.trim() !== '') return sanitiseLines(previous.value, LOG_LINES);
    }
    const current = await this.#kube.logs(namespace, pod, base);
    return current.ok ? sanitiseLines(current.value, LOG_LINES).filter((l) => l !== '') : [];
  }

  #eventLines(view: RolloutView | undefined): string[] {
    const uids = new Set<string>([this.#options.uid, ...(view?.newPods.map((p) => p.metadata.uid as string) ?? [])]);
    if (view?.target?.uid) uids.add(view.target.uid);
    const at = (e: KubeObject) =>
      String(e.series?.lastObservedTime ?? e.lastTimestamp ?? e.eventTime ?? e.metadata.creationTimestamp ?? '');
    return [...this.#events.items()]
      .filter((e) => uids.has(e.involvedObject?.uid))
      .sort((a, b) => at(a).localeCompare(at(b)))
      .slice(-EVENTS)
      .map((e) =>
        sanitiseLine(
          `${e.type ?? ''} ${e.reason ?? ''}: ${e.message ?? ''}${(e.count ?? 1) > 1 ? ` (${e.count} times)` : ''}`.trim(),
          400,
        ),
      );
  }

  #sleep(): Promise<void> {
    if (this.#dirty) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(done, TICK_MS);
      function done() {
        clearTimeout(timer);
        resolve();
      }
      this.#wake = done;
    });
  }

  /** Resolves when there is no more sense in waiting for the first LISTs. */
  async #givenUp(): Promise<undefined> {
    await pause(this.#options.limitMs, [this.#options.signal, this.#released.signal]);
    return undefined;
  }
}

/** On a timeout without a clear sign: the new pod that is not Ready. */
function worstPod(view: RolloutView | undefined): { pod: string; container?: string; crashed: boolean } | undefined {
  const pod = view?.newPods.find((p) => !podInfo(p).ready);
  if (!pod) return undefined;
  const container = (pod.status?.containerStatuses ?? []).find((s: Json) => !s.ready)?.name;
  return { pod: String(pod.metadata.name), ...(container ? { container: String(container) } : {}), crashed: false };
}
