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

const SECOND_MS = 1000;
/** Then somebody looks at something else, or is away. */
const PATIENT_AFTER_MS = 30_000;

/**
 * How often the counters of a screen move by themselves: each second, and each other one while nothing but a question waits, and has
 * for half a minute. A dashboard that stays open for hours is drawn with its samples then, and not between them too.
 */
export function tickEvery(
  snapshot: Pick<RunSnapshot, 'status' | 'now' | 'waitingFor' | 'timeScale'> | undefined,
): number {
  if (snapshot?.status !== 'asking' || snapshot.waitingFor === undefined || snapshot.timeScale !== 1) return SECOND_MS;
  const waited = Date.parse(snapshot.now) - Date.parse(snapshot.waitingFor.since);
  return waited > PATIENT_AFTER_MS ? 2 * SECOND_MS + GRACE_MS : SECOND_MS;
}

/**
 * One timer for the whole screen, a tick a second; counters on the screen have no finer grain. `drawn`: whatever else draws a frame,
 * which moves the counters too and makes a tick of its own superfluous.
 */
export function useTick(active: boolean, drawn?: unknown, everyMs = SECOND_MS): number {
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
