/** What the kubelet writes of a container that does not run, in its own words. */
import type { Json } from '../contract.ts';

/** Between two runs of a container that ended by itself; `pod`: `name_namespace(uid)`. */
export function crashLoop(container: string, pod: string, delayMs: number): Json {
  const message = `back-off ${duration(delayMs)} restarting failed container=${container} pod=${pod}`;
  return { waiting: { reason: 'CrashLoopBackOff', message } };
}

/** After the end of its pod, of one that never ran. */
export const notLocated = (): Json => ({
  terminated: {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    startedAt: null,
    finishedAt: null,
  },
});

/** `10s`, `2m40s`, `5m0s`: Go's way to write a duration. */
function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
