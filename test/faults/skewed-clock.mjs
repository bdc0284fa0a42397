// Loaded before the wizard (node --import): the wall clock of this process is put to another time by SIGUSR2, as a clock is
// set on a machine. The number of ms is in the file that CLOCK_SKEW_FILE names. The monotonic clock goes on as it does.
import { readFileSync } from 'node:fs';

const Real = Date;
let skew = 0;
process.on('SIGUSR2', () => {
  skew = Number(readFileSync(process.env.CLOCK_SKEW_FILE, 'utf8'));
});
globalThis.Date = class extends Real {
  constructor(...given) {
    if (given.length === 0) super(Real.now() + skew);
    else super(...given);
  }
  static now() {
    return Real.now() + skew;
  }
};
