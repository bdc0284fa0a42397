/** The run that is open in this process, so that the message about a bug can name its journal. */
import type { RunPlace } from './render-error.ts';

let place: RunPlace | undefined;

export function setOpenRun(run: RunPlace | undefined): void {
  place = run;
}

export function openRun(): RunPlace | undefined {
  return place;
}
