/**
 * Replays the recordings against the rehearsal cluster and prints what is compared, what isn't, and what differs. Exit code 1 when
 * anything does.
 */
import { SCENARIOS } from '../test/contract/scenarios.ts';

let recordings = 0;
let compared = 0;
let different = 0;
for (const row of SCENARIOS) {
  const comparisons = await row.run();
  const failed = comparisons.filter((one) => !one.equal);
  recordings += row.recordings.length;
  compared += comparisons.length;
  different += failed.length;
  console.log(
    `${failed.length === 0 ? 'same     ' : 'DIFFERENT'} ${String(comparisons.length).padStart(4)}  ${row.recordings.join(', ')}`,
  );
  console.log(`                compared: ${row.compared}`);
  console.log(`                not compared: ${row.notCompared}`);
  for (const { exchange, what, want, got } of failed) {
    console.log(
      `    ${exchange}: ${what}\n      recorded: ${JSON.stringify(want)}\n      answered: ${JSON.stringify(got)}`,
    );
  }
}
console.log(`${recordings} scenarios, ${compared} answers compared, ${different} different`);
process.exitCode = different === 0 ? 0 : 1;
