/** `npm run test:corruption`: journals and indexes in every state that a bad disk, a crash or an editor leaves them in. */
import { matrixFlags } from '../flags.ts';
import { matrixLine, runCorruptionMatrix } from './matrix.ts';

const { sample, seed } = matrixFlags({ sample: 500 });
const result = await runCorruptionMatrix({ sample, seed });
for (const [ending, count] of Object.entries(result.endings).sort())
  console.log(`${String(count).padStart(6)}  ${ending}`);
for (const failure of result.failures) console.log(failure);
console.log(matrixLine(result));
process.exitCode = result.failures.length === 0 ? 0 : 1;
