// Records sessions of the built program as asciicasts (version 2) into recordings/, and draws the pictures of the README
// from them. Arguments: names of sessions; none means all.
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadJourneys } from '../build/journeys.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const LARGEST_KB = 450;

const sessions = await loadJourneys(root, 'scripts/record/sessions.ts');
const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : sessions.SESSIONS) {
  const { columns, rows, title, events } = await sessions.record(name);
  const header = {
    version: 2,
    width: columns,
    height: rows,
    title,
    idle_time_limit: 1.2,
    env: { TERM: 'xterm-256color' },
  };
  const path = join(root, 'recordings', `${name}.cast`);
  const lines = [JSON.stringify(header), ...events.map(([at, data]) => JSON.stringify([at, 'o', data]))];
  writeFileSync(path, `${lines.join('\n')}\n`);
  const kb = Math.round(statSync(path).size / 1024);
  console.log(`${name}: ${events.at(-1)?.[0] ?? 0} s, ${events.length} events, ${kb} KB`);
  if (kb > LARGEST_KB) process.exitCode = 1;
}
