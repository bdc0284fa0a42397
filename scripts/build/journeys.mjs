// Loads a script that drives the built program through test/journeys, as a module of this process.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** `entry` is relative to the repository. Packages are taken from node_modules: one of them has native parts. */
export async function loadJourneys(root, entry) {
  const outfile = join(root, 'scripts', `.journeys-${process.pid}-${performance.now()}.mjs`);
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    // The program is found from the place of its source, not of this bundle.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(root, 'test', 'journeys', 'x.ts')).href) },
  });
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile, { force: true });
  }
}
