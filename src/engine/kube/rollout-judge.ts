/**
 * The wait state machine of one workload, free of I/O: fed with views at times of our own clock, it
 * answers `wait` with a reason, or a verdict. First match wins.
 */
import { sanitiseLine } from '../sanitise.ts';
import { type Baseline, isRunning, readinessStall, type Sign, signsOf, unhealthyOf } from './rollout-failures.ts';
import { isReady, type RolloutView, startupMs } from './rollout-view.ts';
import type { Json, KubeObject } from './types.ts';
import type { RolloutCause, RolloutOutcome } from './workload-types.ts';

export type Judgement =
  | { readonly kind: 'wait'; readonly stage: 'waiting' | 'updating' | 'draining'; readonly text: string }
  | {
      readonly kind: 'verdict';
      readonly outcome: RolloutOutcome;
      readonly message: string;
      readonly cause?: RolloutCause;
      readonly hint?: string;
      readonly sign?: Sign;
    };

export interface JudgeOptions {
  readonly id: string;
  readonly uid: string;
  readonly limitMs: number;
  readonly drainLimitMs?: number;
}

const SECONDS = 1000;
const RECONCILE_MS = 30 * SECONDS;
const REPLICA_FAILURE_MS = 15 * SECONDS;
const STALE_DEADLINE_MS = 15 * SECONDS;
/** A watch may show the object as it was before our patch for a moment. */
const CATCH_UP_MS = 10 * SECONDS;
const GONE_HINT =
  'Nothing of this run is left in it, so there is nothing to roll back: whoever makes it again decides its address. Waive it, or begin a new run when it is there.';
const DRAIN_SLACK_MS = 30 * SECONDS;

export class RolloutJudge {
  readonly #options: JudgeOptions;
  readonly #baseline: Baseline;
  readonly #began: number;
  /** First times of what lasts, by key; entries vanish when the sign does. */
  #since = new Map<string, number>();
  readonly #running = new Map<string, number>();
  /** How often each refusal of a pod had been told before this rollout. */
  #failedBefore: Map<string, number> | undefined;
  #seenTarget = false;
  #slowestStart: number | undefined;
  #availableAt: number | undefined;
  #drainMs = 0;

  constructor(options: JudgeOptions, baseline: Baseline, now: number) {
    this.#options = options;
    this.#baseline = baseline;
    this.#began = now;
  }

  get availableAt(): number | undefined {
    return this.#availableAt;
  }

  /** `events`: undefined while they were not listed yet, or may not be. */
  judge(view: RolloutView | undefined, events: readonly KubeObject[] | undefined, now: number): Judgement {
    const next = new Map<string, number>();
    const lasts = (key: string, ms: number): boolean => {
      const since = this.#since.get(key) ?? now;
      next.set(key, since);
      return now - since >= ms;
    };
    const result = this.#judge(view, events, now, lasts);
    this.#since = next;
    return result;
  }

  #judge(
    view: RolloutView | undefined,
    events: readonly KubeObject[] | undefined,
    now: number,
    lasts: (key: string, ms: number) => boolean,
  ): Judgement {
    const { id, uid, limitMs } = this.#options;
    if (!view)
      return lasts('gone', CATCH_UP_MS / 5)
        ? verdict('gone', 'gone', `${id} does not exist any more`, GONE_HINT)
        : wait('waiting', `waiting to see ${id}`);
    const { workload } = view;
    if (workload.metadata.uid !== uid) return verdict('gone', 'gone', `${id} was deleted and made again`, GONE_HINT);
    if (view.side !== 'target') {
      const late = this.#seenTarget || lasts('behind', CATCH_UP_MS);
      if (!late) return wait('waiting', `waiting for the cluster to show the change of ${id}`);
      return view.side === 'origin'
        ? verdict(
            'contested',
            'reverted',
            `somebody put the original address back into ${id}`,
            'Find out who (the manager is named), settle it with them, then decide again. The wizard does not fight.',
          )
        : verdict('drift', 'drift', `somebody changed the address in ${id}`, 'Look at the live object, then decide.');
    }
    this.#seenTarget = true;
    if (workload.kind === 'CronJob')
      return verdict('switched-unverified', undefined, `${id} is switched; its next Job will use it`);
    if (workload.spec?.paused === true)
      return verdict('blocked', 'paused', `${id} is paused: nothing rolls out`, `kubectl rollout resume ${id}`);
    this.#learn(view);
    const failed = this.#failure(view, events, now, lasts);
    if (failed) return failed;
    if (this.#availableAt !== undefined || view.settled) return this.#settled(view, now);
    const elapsed = now - this.#began;
    if (!view.observed || (view.target === undefined && workload.kind === 'Deployment')) {
      if (lasts('not-reconciled', RECONCILE_MS)) {
        return verdict(
          'failed',
          'not-reconciling',
          `the cluster does not act on the change of ${id} for ${RECONCILE_MS / SECONDS} s`,
          'Is the controller manager running? kubectl get pods -n kube-system',
        );
      }
      return this.#limit(elapsed, limitMs, 'waiting', `waiting for the cluster to take up the change of ${id}`);
    }
    return this.#limit(elapsed, limitMs, 'updating', waitText(view, id));
  }

  #limit(elapsed: number, limitMs: number, stage: 'waiting' | 'updating', text: string): Judgement {
    if (elapsed < limitMs) return wait(stage, text);
    return verdict(
      'timeout',
      'limit',
      `the rollout of ${this.#options.id} is not over after ${Math.round(limitMs / SECONDS)} s: ${text}`,
    );
  }

  #settled(view: RolloutView, now: number): Judgement {
    const { id } = this.#options;
    if (view.desired === 0)
      return verdict('switched-unverified', undefined, `${id} is switched and has no replicas: no pod ever ran it`);
    if (this.#availableAt === undefined) {
      this.#availableAt = now;
      const grace = Math.max(
        0,
        ...view.oldPods.map((p) =>
          Number(p.metadata.deletionGracePeriodSeconds ?? p.spec?.terminationGracePeriodSeconds ?? 30),
        ),
      );
      this.#drainMs = this.#options.drainLimitMs ?? (grace + keptSeconds(view.workload)) * SECONDS + DRAIN_SLACK_MS;
    }
    if (view.oldPods.length === 0)
      return verdict(
        'drained',
        undefined,
        view.desired === 1
          ? `the pod of ${id} is new and available, the old one is gone`
          : `all ${view.desired} pods of ${id} are new and available, the old ones are gone`,
      );
    const names = view.oldPods.map((p) => sanitiseLine(p.metadata.name, 80)).join(', ');
    if (now - this.#availableAt > this.#drainMs) {
      return verdict(
        'timeout',
        'limit',
        `${view.oldPods.length} old ${plural(view.oldPods.length, 'pod')} of ${id} still there: ${names}`,
        'They may still hold direct connections to PostgreSQL.',
      );
    }
    return wait(
      'draining',
      `waiting for ${view.oldPods.length} old ${plural(view.oldPods.length, 'pod')} of ${id} to end (${names})`,
    );
  }

  /** Start-up times of older pods: what is normal here. */
  #learn(view: RolloutView): void {
    for (const pod of view.oldPods) {
      const ms = startupMs(pod);
      if (ms !== undefined && ms > (this.#slowestStart ?? -1)) this.#slowestStart = ms;
    }
  }

  #failure(
    view: RolloutView,
    events: readonly KubeObject[] | undefined,
    now: number,
    lasts: (key: string, ms: number) => boolean,
  ): Judgement | undefined {
    const { id } = this.#options;
    const status = view.workload.status ?? {};
    const conditions: Json[] = status.conditions ?? [];
    const refused = conditions.find((c) => c.type === 'ReplicaFailure' && c.status === 'True');
    if (refused && lasts('replica-failure', REPLICA_FAILURE_MS)) {
      return verdict(
        'failed',
        'replica-failure',
        sanitiseLine(`the cluster refuses new pods of ${id}: ${refused.message}`, 500),
        'Quota, pod security or an admission webhook: its own words are above.',
      );
    }
    const told = this.#refusal(view, events);
    if (told !== undefined && lasts('failed-create', REPLICA_FAILURE_MS)) {
      return verdict(
        'failed',
        'replica-failure',
        sanitiseLine(`the cluster refuses new pods of ${id}: ${told}`, 500),
        'Quota, pod security or an admission webhook: its own words are above.',
      );
    }
    if (view.workload.kind === 'Rollout' && status.phase === 'Degraded') {
      return verdict('failed', 'progress-deadline', sanitiseLine(`${id} is degraded: ${status.message ?? ''}`, 500));
    }
    if (view.workload.kind === 'Rollout' && status.phase === 'Paused') {
      return verdict(
        'blocked',
        'paused',
        `${id} waits for a promotion`,
        'Promote it, then continue: kubectl argo rollouts promote.',
      );
    }
    for (const pod of view.newPods) {
      for (const sign of signsOf(pod, this.#baseline)) {
        if (lasts(sign.key, sign.patienceMs)) return fromSign(sign);
      }
      const stalled = this.#stall(pod, events ?? [], now);
      if (stalled) return fromSign(stalled);
    }
    const deadline = conditions.find((c) => c.type === 'Progressing' && c.reason === 'ProgressDeadlineExceeded');
    if (deadline && view.observed && !view.settled) {
      // After a rollback of a single replica the condition still names the failed ReplicaSet (recordings 17): not ours.
      const ours = view.target !== undefined && String(deadline.message).includes(`"${view.target.name}"`);
      if (ours || lasts(`deadline/${view.workload.metadata.resourceVersion}`, STALE_DEADLINE_MS)) {
        return verdict('failed', 'progress-deadline', sanitiseLine(`${id}: ${deadline.message}`, 500));
      }
    }
    return undefined;
  }

  /**
   * StatefulSets and DaemonSets have no condition for pods that are refused, only events: those that came since the judge
   * looks on, while a pod is missing.
   */
  #refusal(view: RolloutView, events: readonly KubeObject[] | undefined): string | undefined {
    const { kind, metadata } = view.workload;
    if (events === undefined || (kind !== 'StatefulSet' && kind !== 'DaemonSet')) return undefined;
    const failed = events.filter(
      (one) => one.involvedObject?.uid === metadata.uid && one.type === 'Warning' && one.reason === 'FailedCreate',
    );
    const count = (one: KubeObject): number => one.series?.count ?? one.count ?? 1;
    const known = this.#failedBefore;
    this.#failedBefore ??= new Map(failed.map((one) => [String(one.metadata.uid), count(one)]));
    if (known === undefined || view.newPods.length + view.oldPods.length >= view.desired) return undefined;
    const news = failed.findLast((one) => count(one) > (known.get(String(one.metadata.uid)) ?? 0));
    return news && String(news.message ?? '').replace(/^.*?failed error: |^Error creating: /, '');
  }

  #stall(pod: KubeObject, events: readonly KubeObject[], now: number): Sign | undefined {
    const uid: string = pod.metadata.uid;
    if (isReady(pod) || !isRunning(pod)) {
      this.#running.delete(uid);
      return undefined;
    }
    const since = this.#running.get(uid) ?? now;
    this.#running.set(uid, since);
    return readinessStall(pod, now - since, this.#slowestStart, unhealthyOf(pod, events));
  }
}

/** How long Argo Rollouts keeps the old pods after the traffic has gone to the new ones; its default is 30 s. */
function keptSeconds({ kind, spec }: RolloutView['workload']): number {
  if (kind !== 'Rollout') return 0;
  const { blueGreen, canary } = spec?.strategy ?? {};
  if (!blueGreen && !canary?.trafficRouting) return 0;
  return Number((blueGreen ?? canary).scaleDownDelaySeconds ?? 30);
}

const wait = (stage: 'waiting' | 'updating' | 'draining', text: string): Judgement => ({ kind: 'wait', stage, text });

const verdict = (
  outcome: RolloutOutcome,
  cause: RolloutCause | undefined,
  message: string,
  hint?: string,
): Judgement => ({
  kind: 'verdict',
  outcome,
  message,
  ...(cause ? { cause } : {}),
  ...(hint ? { hint } : {}),
});

const fromSign = (sign: Sign): Judgement => ({
  kind: 'verdict',
  outcome: 'failed',
  cause: sign.cause,
  message: sign.message,
  sign,
  ...(sign.hint ? { hint: sign.hint } : {}),
});

const plural = (n: number, word: string): string => (n === 1 ? word : `${word}s`);

function waitText(view: RolloutView, id: string): string {
  const notReady = view.newPods.filter((p) => !isReady(p)).length;
  const missing = view.desired - view.newPods.length;
  if (notReady > 0) return `waiting for ${notReady} new ${plural(notReady, 'pod')} of ${id} to become Ready`;
  if (missing > 0) return `waiting for ${missing} more new ${plural(missing, 'pod')} of ${id}`;
  if (view.available < view.desired) return `waiting for the new pods of ${id} to become available`;
  return `waiting for the last old pods of ${id} to be taken out`;
}
