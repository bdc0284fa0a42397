/** How a container is brought to its end: the hook before it, SIGTERM, the grace period, SIGKILL. */
import type { KubeObject } from '../contract.ts';
import type { EventRecorder } from '../controllers/events.ts';
import { runInPod } from './exec.ts';
import type { PodContainer } from './pod-container.ts';
import type { PodPlace } from './programs.ts';

const DEFAULT_GRACE_SECONDS = 30;
/** As the kubelet: SIGTERM is worth this much even when the hook took all the time there was. */
const LEAST_AFTER_HOOK_MS = 2_000;

/** How long a pod may take to end, ms. */
export const graceOf = (pod: KubeObject): number =>
  (pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000;

/** SIGTERM, and SIGKILL after `grace` ms. */
export function stopRun({ run }: PodContainer, grace: number): Promise<unknown> {
  if (!run) return Promise.resolve();
  const killer = setTimeout(() => run.kill(), grace);
  run.terminate();
  return run.exited.finally(() => clearTimeout(killer));
}

/** The container's `preStop`, for `grace` ms at most; `failed` is told why it did not end well. */
async function runPreStop(
  container: PodContainer,
  place: PodPlace,
  grace: number,
  failed: (message: string) => void,
): Promise<void> {
  const hook = container.spec.lifecycle?.preStop;
  if (!hook) return;
  if (hook.sleep) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(grace, (hook.sleep.seconds ?? 0) * 1000)));
    return;
  }
  if (!hook.exec) return;
  const nothing = () => {};
  await runInPod(place, hook.exec.command ?? [], {
    stdout: nothing,
    stderr: nothing,
    tty: false,
    signal: AbortSignal.timeout(grace),
  }).catch((error: Error) => failed(error.message));
}

/** A container of a pod that goes: its probes end, then the hook, then the process; the hook's time counts towards the grace. */
export async function stopContainer(
  container: PodContainer,
  pod: KubeObject,
  place: PodPlace,
  events: EventRecorder,
): Promise<void> {
  if (!container.run) return;
  for (const stop of container.stopProbes) stop();
  container.stopProbes = [];
  const { name } = container.spec;
  events.event(pod, 'Normal', 'Killing', `Stopping container ${name}`, `spec.containers{${name}}`);
  const grace = graceOf(pod);
  const begun = Date.now();
  await runPreStop(container, place, grace, (message) =>
    events.event(pod, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${message}`),
  );
  await stopRun(container, Math.max(LEAST_AFTER_HOOK_MS, grace - (Date.now() - begun)));
}
