/**
 * The clock is a port: steps never read the wall clock. Waiting for time to pass (a soak, an observation window) goes
 * through `passTime`, which a rehearsal may run faster; waiting for work (a rollout, a query, a retry) goes through
 * `sleep`, which is always real, because a real PgBouncer starts no faster when a rehearsal is in a hurry.
 *
 * `now()` is the run's own time: real time plus the time that `passTime` skipped. A 4 h soak at scale 600 takes 24 s of
 * real time and 4 h of run time, so that the record and every limit speak of one time only.
 */
export interface Clock {
  /**
   * Milliseconds since the epoch, in run time. Follows the machine's clock forward (it slept, or was put right) and never
   * goes back when that is put back: from then on it is ahead of the machine's clock by so much.
   */
  now(): number;
  /** Milliseconds that never go backwards, in run time. Waiting is measured with it: it knows no sleep and no jump. */
  monotonic(): number;
  /** Waits `ms` of real time. Rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Waits until `ms` of run time have passed, `ms / scale` of real time. Rejects with the signal's reason when aborted. */
  passTime(ms: number, signal?: AbortSignal): Promise<void>;
  /** 1 on a real cluster. */
  readonly scale: number;
}

/** What a machine says of the time, ms. */
export interface Machine {
  wall(): number;
  monotonic(): number;
}

const thisMachine: Machine = { wall: () => Date.now(), monotonic: () => performance.now() };

/** The wall clock against the monotonic one moved by more: it was set, or the machine slept. Less is the usual slewing. */
export const JUMP_MS = 5000;

/**
 * The real clock. `scale` above 1 shortens `passTime` only. `notBefore` (ms since the epoch) is the last moment of a run
 * that is resumed: run time never goes back, even when an earlier session skipped ahead.
 */
export function realClock(scale = 1, notBefore = 0, machine: Machine = thisMachine): Clock {
  let skippedMs = Math.max(0, notBefore - machine.wall());
  let offset = machine.wall() - machine.monotonic();
  let setBackMs = 0;
  let last = 0;
  const now = (): number => {
    const wall = machine.wall();
    const jump = wall - machine.monotonic() - offset;
    offset += jump;
    if (jump < -JUMP_MS) setBackMs -= jump;
    // Put right again: what it was ahead by is taken off first.
    else if (jump > JUMP_MS) setBackMs -= Math.min(setBackMs, jump);
    last = Math.max(last, wall + setBackMs + skippedMs);
    return last;
  };
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        Math.max(0, ms),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  return {
    scale,
    now,
    monotonic: () => machine.monotonic() + skippedMs,
    sleep,
    async passTime(ms, signal) {
      // In slices, so that a screen that shows a countdown sees it move and `now()` stays continuous.
      let left = ms;
      while (left > 0) {
        const slice = Math.min(left, Math.max(250 * scale, 1));
        const began = performance.now();
        await sleep(slice / scale, signal);
        const real = performance.now() - began;
        skippedMs += Math.max(0, slice - real);
        left -= Math.max(slice, real);
      }
    },
  };
}
