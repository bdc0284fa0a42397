// Bundles a TypeScript entry and imports it: plain Node 20 can't read TypeScript.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** Runs `entry` (a path below the project) and removes the bundle at the end of the process. */
export async function runBundled(entry) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  process.chdir(root);
  // Inside node_modules, so that packages left out of the bundle are found.
  const folder = await mkdtemp(join(root, 'node_modules', '.bundled-'));
  try {
    await build({
      // The rehearsal's services run in a thread whose program it looks for beside itself.
      entryPoints: { main: entry, 'service-worker': 'src/rehearsal/pods/service-worker.ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      outdir: folder,
      logLevel: 'error',
    });
    await import(pathToFileURL(join(folder, 'main.js')).href);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
