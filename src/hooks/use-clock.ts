import { useEffect, useRef, useState } from 'react';
import type { RunSnapshot } from '../engine/run/model.ts';

/**
 * What the run says every two seconds comes a moment after its turn, by the time its asking took: a tick just before it would
 * draw the same frame twice.
 */
const GRACE_MS = 200;

/** Calls every `everyMs`, all but the first call GRACE_MS later than that, until the returned function is called. */
export function ticking(onTick: () => void, everyMs: number): () => void {
  let grace = GRACE_MS;
  let timer = setTimeout(function due() {
    timer = setTimeout(due, everyMs + grace);
    grace = 0;
    onTick();
  }, everyMs);
  return () => clearTimeout(timer);
}

/**
 * One timer for the whole screen, a tick a second; counters on the screen have no finer grain. `drawn`: whatever else draws a frame,
 * which moves the counters too and makes a tick of its own superfluous.
 */
export function useTick(active: boolean, drawn?: unknown, everyMs = 1000): number {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    if (!active) return undefined;
    // Begun anew with every frame of the run.
    void drawn;
    return ticking(() => setTick((count) => count + 1), everyMs);
  }, [active, drawn, everyMs]);
  return tick;
}

/** Run time now: the snapshot's, plus the real time since this screen first saw it. Whole seconds. */
export function useRunTime(snapshot: RunSnapshot | undefined, tick: number, realNow: () => number = Date.now): number {
  const seen = useRef<{ snapshot: RunSnapshot | undefined; real: number }>({ snapshot: undefined, real: 0 });
  if (seen.current.snapshot !== snapshot) seen.current = { snapshot, real: realNow() };
  // `tick` is what makes the caller draw again; the value itself comes from the clock.
  void tick;
  const began = snapshot === undefined ? realNow() : Date.parse(snapshot.now);
  const now = began + Math.max(0, realNow() - seen.current.real);
  return snapshot?.status === 'ended' ? began : now;
}
