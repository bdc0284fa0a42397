/** `npm run test:faults`: the wizard under `--sample` faults of the cluster, and under faults of the machine it runs on. */
import { matrixFlags } from '../flags.ts';
import { faultLine, runFaultMatrix } from './matrix.ts';

const { sample, seed } = matrixFlags({ sample: 60 });
const began = performance.now();
const result = await runFaultMatrix({ sample, seed, say: (line) => console.log(line) });
for (const [fault, count] of Object.entries(result.byFault).sort())
  console.log(`${String(count).padStart(6)}  ${fault}`);
for (const failure of result.failures) console.log(failure);
console.log(
  `${result.kindsHit} of ${result.kinds} kinds of calls hit; ${result.sessions} sessions, ${result.undisturbed} ended well under faults, the others parked or failed in good order and ended well when resumed; ${Math.round((performance.now() - began) / 1000)} s`,
);
console.log(faultLine(result));
process.exitCode = result.failures.length === 0 ? 0 : 1;
