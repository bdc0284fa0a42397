/**
 * For the crash matrix alone: places where a test can have this process killed (SIGKILL), as a power cut or an OOM killer
 * would. `PGB_WIZARD_KILL_AT=<label>:<n>` kills at the n-th place whose label begins with `<label>`; `PGB_WIZARD_KILL_AT=list`
 * kills nowhere and prints every label. The variable is read once, here and nowhere else; without it a place costs a
 * comparison.
 */
import { writeSync } from 'node:fs';

const asked = process.env.PGB_WIZARD_KILL_AT;
const [, wanted = '', count = '1'] = /^(.*?)(?::(\d+))?$/s.exec(asked ?? '') ?? [];
let left = Number(count);

/** A place to be killed at. The label is built only when somebody asks. */
export function killPoint(label: () => string): void {
  if (asked === undefined) return;
  const here = label();
  if (asked === 'list') {
    writeSync(2, `kill-point ${here}\n`);
    return;
  }
  if (!here.startsWith(wanted)) return;
  left -= 1;
  if (left > 0) return;
  writeSync(2, `killed at ${here}\n`);
  process.kill(process.pid, 'SIGKILL');
}
