// npm run bench [-- --json] [--only NAME,NAME] [--quick]   (quick: smaller fleets and shorter looks, under a minute)
//
// Measures what the product promises about speed. Ratios are to something beside it on the same machine in the same
// minute, because absolute times of a shared machine say little.
import { fileURLToPath } from 'node:url';
import { figures } from './figures.mjs';

const args = process.argv.slice(2);
const json = args.includes('--json');
const quick = args.includes('--quick');
const only = args.includes('--only') ? args[args.indexOf('--only') + 1]?.split(',') : undefined;
const root = fileURLToPath(new URL('../../', import.meta.url));

const results = [];
for (const { name, measure, ...facts } of figures) {
  if (only && !only.includes(name)) continue;
  const began = performance.now();
  try {
    const { value, beside } = await measure({ root, quick });
    results.push({ name, value: round(value), unit: facts.unit, goal: facts.goal, beside });
  } catch (error) {
    results.push({
      name,
      value: null,
      unit: facts.unit,
      goal: facts.goal,
      beside: `could not measure: ${error.message.split('\n')[0]}`,
    });
  }
  if (!json) process.stdout.write(`${line(results.at(-1))}  ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
}
if (json) process.stdout.write(`${JSON.stringify({ figures: results }, null, 2)}\n`);
process.exit(results.some((one) => one.value === null || one.value > one.goal) ? 1 : 0);

function round(value) {
  return Number(value.toPrecision(3));
}

function line({ name, value, unit, goal, beside }) {
  const verdict = value === null ? 'UNSURE' : value <= goal ? 'pass' : 'FAIL';
  return `${verdict.padEnd(6)}  ${name.padEnd(20)}  ${String(value).padStart(8)} ${unit.padEnd(14)} goal ${goal}  (${beside})`;
}
