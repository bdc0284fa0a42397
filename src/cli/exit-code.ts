/** The exit code of a command that worked on a run. */
import { EXIT, type ExitCode } from '../engine/result.ts';
import type { RunSnapshot } from '../engine/run/model.ts';

/** A run can be parked because of these, and a pipeline has to tell them apart: somebody else's lock, refused credentials. */
const OF_ITS_OWN: ReadonlySet<ExitCode> = new Set([
  EXIT.notAuthorised,
  EXIT.locked,
  EXIT.outsideWindow,
  EXIT.foreignRun,
]);

/** From the run's outcome; where the engine gave an error, that error's own code (locked, outside the window, …). */
export function exitCodeOf(snapshot: Pick<RunSnapshot, 'outcome' | 'error'>): ExitCode {
  switch (snapshot.outcome) {
    case 'done':
      return EXIT.done;
    case 'parked':
      return snapshot.error && OF_ITS_OWN.has(snapshot.error.exitCode) ? snapshot.error.exitCode : EXIT.parked;
    case 'rolled-back':
      return EXIT.rolledBack;
    case 'gate-failed':
      return EXIT.gateFailed;
    default:
      return snapshot.error && snapshot.error.exitCode !== EXIT.done ? snapshot.error.exitCode : EXIT.failed;
  }
}

/** Of a process that was stopped by a signal, as shells count: 128 + its number. */
export function exitOfSignal(signal: unknown): ExitCode {
  return signal === 'SIGINT' ? EXIT.interrupted : signal === 'SIGHUP' ? EXIT.hungUp : EXIT.terminated;
}
