import { useMemo, useSyncExternalStore } from 'react';
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';

/** At most four frames a second come from the run; keys are answered at once. */
const FRAME_MS = 250;

const nothing = (): undefined => undefined;
const silent = () => () => undefined;

/** A subscription that passes on the first change at once and the last one of each `everyMs` after it. */
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
      if (timer === undefined) pass();
      else again = true;
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
