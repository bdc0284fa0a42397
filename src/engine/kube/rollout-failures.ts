/**
 * Early verdicts from the new pods: a rollout's limit of 5 or 10 minutes is too long to learn that a
 * Secret key is missing. Each sign has its patience; the caller keeps the times at which signs were first seen.
 */
import { sanitiseLine } from '../sanitise.ts';
import { isReady } from './rollout-view.ts';
import type { Json, KubeObject } from './types.ts';
import type { RolloutCause } from './workload-types.ts';

export interface Sign {
  /** Identifies the sign while it lasts. */
  readonly key: string;
  readonly cause: RolloutCause;
  readonly patienceMs: number;
  readonly message: string;
  readonly hint?: string;
  readonly pod: string;
  readonly container?: string;
  /** Look at the log of the container before its restart. */
  readonly crashed: boolean;
}

const SECONDS = 1000;

const PULL_HINT = 'This change does not touch the image: look at the registry, the node, or at who changed the image.';

const WAITING: Record<string, { cause: RolloutCause; patienceMs: number; hint?: string }> = {
  CreateContainerConfigError: {
    cause: 'config-error',
    // The kubelet may not have seen a Secret that is seconds old.
    patienceMs: 12 * SECONDS,
    hint: 'A Secret, ConfigMap or key that the pod refers to is missing.',
  },
  InvalidImageName: { cause: 'invalid-image', patienceMs: 0 },
  ErrImageNeverPull: { cause: 'invalid-image', patienceMs: 0 },
  ErrImagePull: {
    cause: 'image-pull',
    patienceMs: 60 * SECONDS,
    hint: PULL_HINT,
  },
  ImagePullBackOff: {
    cause: 'image-pull',
    patienceMs: 60 * SECONDS,
    hint: PULL_HINT,
  },
  ImageInspectError: { cause: 'image-pull', patienceMs: 60 * SECONDS },
  CreateContainerError: { cause: 'container-start', patienceMs: 30 * SECONDS },
  RunContainerError: { cause: 'container-start', patienceMs: 30 * SECONDS },
  PostStartHookError: { cause: 'container-start', patienceMs: 30 * SECONDS },
  PreCreateHookError: { cause: 'container-start', patienceMs: 30 * SECONDS },
};

/**
 * Restarts that pods had before this rollout began, by `podUid/container`. Of Ready pods only: one that is not may be
 * crashing for the very change that a resumed run is looking at.
 */
export type Baseline = ReadonlyMap<string, number>;

export function baselineOf(pods: Iterable<KubeObject>): Baseline {
  const counts = new Map<string, number>();
  for (const pod of pods) {
    if (!isReady(pod)) continue;
    for (const status of statusesOf(pod)) counts.set(`${pod.metadata.uid}/${status.name}`, status.restartCount ?? 0);
  }
  return counts;
}

const statusesOf = (pod: KubeObject): Json[] => [
  ...(pod.status?.initContainerStatuses ?? []),
  ...(pod.status?.containerStatuses ?? []),
];

/** Everything that speaks against a new pod, worst first. */
export function signsOf(pod: KubeObject, baseline: Baseline): Sign[] {
  if (pod.metadata.deletionTimestamp) return [];
  const name = String(pod.metadata.name);
  const uid: string = pod.metadata.uid;
  const signs: Sign[] = [];
  for (const status of statusesOf(pod)) {
    const restarts = (status.restartCount ?? 0) - (baseline.get(`${uid}/${status.name}`) ?? 0);
    const waiting = status.state?.waiting;
    const last = status.lastState?.terminated ?? status.state?.terminated;
    const at = { pod: name, container: String(status.name) };
    const where = `container ${status.name} of pod ${name}`;
    if (last?.reason === 'OOMKilled' && (restarts > 0 || status.state?.terminated?.reason === 'OOMKilled')) {
      signs.push({
        ...at,
        key: `${uid}/${status.name}/oom`,
        cause: 'oom-killed',
        patienceMs: 0,
        crashed: true,
        message: `${where} was killed for using too much memory`,
        hint: 'Raise its memory limit, or find out what grows.',
      });
    } else if (
      // Between two crashes a container runs for a moment: the count and the last state are what stays.
      restarts >= 2 ||
      (restarts >= 1 && last !== undefined && last.exitCode !== 0) ||
      (waiting?.reason === 'CrashLoopBackOff' && restarts >= 1)
    ) {
      const code = last?.exitCode === undefined ? '' : ` with exit code ${last.exitCode}`;
      // A program that is meant to serve and ends well is as gone as one that crashes, and its log looks innocent.
      const word = last?.exitCode === 0 ? 'ends by itself' : 'crashes';
      signs.push({
        ...at,
        key: `${uid}/${status.name}/crash`,
        cause: 'crash-loop',
        patienceMs: 0,
        crashed: true,
        message: `${where} ${word}${code} (${restarts} ${restarts === 1 ? 'restart' : 'restarts'})`,
      });
    }
    const known = waiting?.reason ? WAITING[waiting.reason] : undefined;
    if (known) {
      signs.push({
        ...at,
        key: `${uid}/${status.name}/${known.cause}`,
        cause: known.cause,
        patienceMs: known.patienceMs,
        crashed: false,
        message: sanitiseLine(`${where}: ${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''}`, 500),
        ...(known.hint ? { hint: known.hint } : {}),
      });
    }
  }
  const scheduled = (pod.status?.conditions ?? []).find((c: Json) => c.type === 'PodScheduled' && c.status === 'False');
  if (scheduled?.reason === 'Unschedulable') {
    signs.push({
      key: `${uid}/unschedulable`,
      cause: 'unschedulable',
      // An autoscaler may bring a node.
      patienceMs: 120 * SECONDS,
      crashed: false,
      pod: name,
      message: sanitiseLine(`pod ${name} finds no node: ${scheduled.message ?? ''}`, 500),
      hint: 'Make room in the cluster, or lower the surge of this workload.',
    });
  }
  return signs;
}

const READY_SLACK = 3;
const READY_LEAST_MS = 8 * SECONDS;
/** When no older pod shows how long a start takes. */
const READY_UNKNOWN_MS = 30 * SECONDS;
const READY_OBSERVATIONS = 3;
/** The probe got no answer at all. */
const SILENT = /connection refused|timeout|deadline exceeded|no route to host|connection reset|\bEOF\b/i;

/**
 * A container that runs and whose readiness probe keeps failing, much longer than the older pods needed. `runningMs`
 * is measured by our own clock since the container was first seen running.
 */
export function readinessStall(
  pod: KubeObject,
  runningMs: number,
  slowestStartMs: number | undefined,
  unhealthy: { readonly count: number; readonly message: string },
): Sign | undefined {
  if (pod.metadata.deletionTimestamp || unhealthy.count < READY_OBSERVATIONS) return undefined;
  const delay = Math.max(
    0,
    ...((pod.spec?.containers ?? []) as Json[]).map(
      (c) => Number(c.readinessProbe?.initialDelaySeconds ?? 0) * SECONDS,
    ),
  );
  const patience =
    slowestStartMs === undefined ? READY_UNKNOWN_MS : Math.max(READY_LEAST_MS, READY_SLACK * slowestStartMs);
  if (runningMs <= patience + delay) return undefined;
  const name = String(pod.metadata.name);
  return {
    key: `${pod.metadata.uid}/readiness`,
    cause: 'readiness-stalled',
    patienceMs: 0,
    crashed: false,
    pod: name,
    ...(notReadyContainer(pod) ? { container: notReadyContainer(pod)! } : {}),
    message: sanitiseLine(
      `pod ${name} runs for ${Math.round(runningMs / SECONDS)} s and is not Ready: ${unhealthy.message}`,
      500,
    ),
    hint: SILENT.test(unhealthy.message)
      ? 'The container runs, and nothing in it answers its probe: it may hang while it starts. Look at its log.'
      : 'The application is up and says that it is not well: look at its log, and at whether the pooler accepts its login.',
  };
}

const notReadyContainer = (pod: KubeObject): string | undefined =>
  (pod.status?.containerStatuses ?? []).find((s: Json) => !s.ready)?.name;

/** All containers run and none is waiting for its startup probe. */
export function isRunning(pod: KubeObject): boolean {
  const statuses: Json[] = pod.status?.containerStatuses ?? [];
  return statuses.length > 0 && statuses.every((s) => s.state?.running !== undefined && s.started !== false);
}

/** Readiness failures of a pod from its events. */
export function unhealthyOf(pod: KubeObject, events: Iterable<KubeObject>): { count: number; message: string } {
  let count = 0;
  let message = '';
  let newest = '';
  for (const event of events) {
    if (event.involvedObject?.uid !== pod.metadata.uid || event.reason !== 'Unhealthy') continue;
    if (!/readiness/i.test(event.message ?? '')) continue;
    count += event.series?.count ?? event.count ?? 1;
    const at = String(event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? '');
    if (at >= newest) {
      newest = at;
      message = event.message;
    }
  }
  return { count, message: sanitiseLine(message, 300) };
}
