import { useSyncExternalStore } from 'react';
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';

const nothing = (): undefined => undefined;
const silent = () => () => undefined;

/** The newest snapshot of a run; undefined while there is no handle yet. Unmounting changes nothing in the run. */
export function useRun(handle: RunHandle | undefined): RunSnapshot | undefined {
  return useSyncExternalStore<RunSnapshot | undefined>(
    handle === undefined ? silent : handle.subscribe,
    handle === undefined ? nothing : handle.snapshot,
  );
}
