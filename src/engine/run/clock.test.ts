import { expect, test } from 'vitest';
import { realClock } from './clock.ts';

test('time that only has to pass is skipped, and run time shows all of it', async () => {
  const clock = realClock(1000);
  const before = clock.now();
  const real = performance.now();
  await clock.passTime(60_000);
  const passed = clock.now() - before;
  const worked = performance.now() - real;
  expect(passed).toBeGreaterThanOrEqual(59_990);
  // However slow the machine: what was skipped is the minute less what really passed, never more than the minute.
  expect(passed - worked).toBeGreaterThan(0);
  expect(passed - worked).toBeLessThanOrEqual(60_010);
});

test('run time never goes back behind the last event of a resumed run', () => {
  const ahead = Date.now() + 3_600_000;
  expect(realClock(1, ahead).now()).toBeGreaterThanOrEqual(ahead);
  expect(realClock(1, 5).now()).toBeLessThan(ahead);
});

test('both waits end with the reason of the signal', async () => {
  const clock = realClock(10);
  const reason = new Error('left');
  for (const wait of [clock.sleep, clock.passTime]) {
    const abort = new AbortController();
    const waiting = wait(60_000, abort.signal);
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(wait(1, abort.signal)).rejects.toBe(reason);
  }
});

test('a clock that is put back does not take the run back, and one that is put right does not take it ahead twice', () => {
  let [wall, monotonic] = [1_000_000_000, 0];
  const clock = realClock(1, 0, { wall: () => wall, monotonic: () => monotonic });
  const pass = (ms: number) => {
    wall += ms;
    monotonic += ms;
  };
  const began = clock.now();
  pass(1000);
  expect(clock.now()).toBe(began + 1000);
  wall -= 7_200_000;
  pass(500);
  expect(clock.now()).toBe(began + 1500);
  wall += 7_200_000;
  pass(500);
  expect(clock.now()).toBe(began + 2000);
  // A sleep: the wall clock went on, the other one did not.
  wall += 3_600_000;
  expect(clock.now()).toBe(began + 3_602_000);
  expect(clock.monotonic()).toBe(2000);
  // Slewed by a second: run time waits for it.
  wall -= 1000;
  expect(clock.now()).toBe(began + 3_602_000);
});
