/** `npm run test:crash`: kills the wizard at `--sample` places and looks whether anything got lost. */
import { matrixFlags } from '../flags.ts';
import { crashLine, runCrashMatrix } from './matrix.ts';

const { sample, seed } = matrixFlags({ sample: 25 });
const began = performance.now();
const result = await runCrashMatrix({ sample, seed, say: (line) => console.log(line) });
for (const note of result.notes) console.log(`note: ${note}`);
for (const failure of result.failures) console.log(failure);
console.log(
  `killed ${Object.entries(result.places)
    .map(([kind, count]) => `${count} × ${kind}`)
    .join(
      ', ',
    )}; ${result.covered} different places of about ${result.known}; ${Math.round((performance.now() - began) / 1000)} s`,
);
console.log(crashLine(result));
process.exitCode = result.failures.length === 0 ? 0 : 1;
