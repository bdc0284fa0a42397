// npm run bench [-- --json] [--only NAME,NAME] [--quick]   (quick: smaller fleets and shorter looks, under a minute;
// what only a settled process shows is then measured and not judged)
//
// Measures what the product promises about speed. Ratios are to something beside it on the same machine in the same
// minute, because absolute times of a shared machine say little.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { figures } from './figures.mjs';

const { json, quick, only: names } = options();
const only = names?.split(',');
const unknown = only?.filter((name) => !figures.some((figure) => figure.name === name)) ?? [];
if (unknown.length > 0) {
  console.error(`No figure is called ${unknown.join(', ')}. There are: ${figures.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const root = fileURLToPath(new URL('../../', import.meta.url));

const results = [];
for (const { name, measure, ...facts } of figures) {
  if (only && !only.includes(name)) continue;
  const began = performance.now();
  try {
    const { value, beside } = await measure({ root, quick });
    const short = quick && facts.long ? { short: true } : {};
    results.push({ name, value: round(value), unit: facts.unit, goal: facts.goal, beside, ...short });
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
process.exit(results.some((one) => ['UNSURE', 'FAIL'].includes(verdictOf(one))) ? 1 : 0);

function options() {
  const known = { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string' } };
  try {
    return parseArgs({ options: known }).values;
  } catch (error) {
    console.error(`${error.message}. Usage: npm run bench -- [--json] [--quick] [--only NAME,NAME]`);
    process.exit(2);
  }
}

function round(value) {
  return Number(value.toPrecision(3));
}

function verdictOf({ value, goal, short }) {
  if (value === null) return 'UNSURE';
  if (short) return 'short';
  return value <= goal ? 'pass' : 'FAIL';
}

function line(result) {
  const { name, value, unit, goal, beside } = result;
  return `${verdictOf(result).padEnd(6)}  ${name.padEnd(20)}  ${String(value).padStart(8)} ${unit.padEnd(14)} goal ${goal}  (${beside})`;
}
