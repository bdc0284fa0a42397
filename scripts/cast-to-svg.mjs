// Draws the README's pictures from the casts in recordings/: a frame each, the first one in which the words are seen.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { playCast, svgOf } from './record/svg.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = join(root, 'docs', 'pictures');

/** The picture's name, its cast, what is seen on it, and what it is called. */
export const PICTURES = [
  ['welcome', 'rollback', /Enter show the first change/, 'What the run is about, before anything is changed'],
  ['change', 'rollback', /Migrate identity-service {3}guide/, 'A change before it is made: diff, departures, commands'],
  ['dashboard', 'rollback', /updated[\s\S]*queries\/s/, 'A rollout, with the pools beneath it'],
  ['decision', 'rollback', /left of 30 m/, 'A decision of the guide, with live gates'],
  ['doctor', 'doctor', /FAILED:/, 'A failed switch with its cause and what to do'],
  ['resume', 'resume', /will do/i, 'Journal says, cluster says, will do'],
];

mkdirSync(folder, { recursive: true });
for (const [name, cast, seen, title] of PICTURES) {
  let found = false;
  const { term } = await playCast(readFileSync(join(root, 'recordings', `${cast}.cast`), 'utf8'), ({ screen }) => {
    found = seen.test(screen);
    return found ? 'stop' : undefined;
  });
  if (!found) {
    console.error(`${name}: ${seen} is nowhere in ${cast}.cast`);
    process.exitCode = 1;
    continue;
  }
  const svg = svgOf(term, title);
  writeFileSync(join(folder, `${name}.svg`), svg);
  console.log(`${name}.svg ${Math.round(svg.length / 1024)} KB`);
}
