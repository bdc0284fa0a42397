// Bundles and runs scripts/test-contract.ts: plain Node 20 can't read TypeScript.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);
// Inside node_modules, so that packages left out of the bundle are found.
const folder = await mkdtemp(join(root, 'node_modules', '.contract-'));
try {
  const outfile = join(folder, 'test-contract.mjs');
  await build({
    entryPoints: ['scripts/test-contract.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile,
    logLevel: 'error',
  });
  await import(pathToFileURL(outfile).href);
} finally {
  await rm(folder, { recursive: true, force: true });
}
