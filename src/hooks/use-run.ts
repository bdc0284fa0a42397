import { useMemo, useSyncExternalStore } from 'react';
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';

/** At most four frames a second come from the run; keys are answered at once. */
const FRAME_MS = 250;
/** What changes within a moment belongs into one frame. */
const MOMENT_MS = 40;

const nothing = (): undefined => undefined;
const silent = () => () => undefined;

/** A subscription that passes on the first change after a moment and the last one of each `everyMs` after it. */
export function throttled(subscribe: RunHandle['subscribe'], everyMs: number): RunHandle['subscribe'] {
  return (listener) => {
    let timer: NodeJS.Timeout | undefined;
    let again = false;
    const open = () => {
      timer = undefined;
      if (!again) return;
      again = false;
      pass();
    };
    const pass = () => {
      timer = setTimeout(open, everyMs);
      listener();
    };
    const stop = subscribe(() => {
      again = true;
      timer ??= setTimeout(open, MOMENT_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  };
}

/** The newest snapshot of a run; undefined while there is no handle yet. Unmounting changes nothing in the run. */
export function useRun(handle: RunHandle | undefined, everyMs = FRAME_MS): RunSnapshot | undefined {
  const subscribe = useMemo(
    () => (handle === undefined ? silent : throttled(handle.subscribe, everyMs)),
    [handle, everyMs],
  );
  return useSyncExternalStore<RunSnapshot | undefined>(subscribe, handle === undefined ? nothing : handle.snapshot);
}
