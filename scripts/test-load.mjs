// Bundles and runs scripts/test-load.ts: plain Node 20 can't read TypeScript.
//
//   npm run test:load [-- --clients 500]      PGB_PGBOUNCER names another PgBouncer
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);
// Beside the sources, so that packages and the worker of the rehearsal are found.
const folder = await mkdtemp(join(root, 'dist', '.load-'));
try {
  const common = { bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'error' };
  const outfile = join(folder, 'test-load.mjs');
  await build({ ...common, entryPoints: ['scripts/test-load.ts'], outfile });
  await build({
    ...common,
    entryPoints: ['src/rehearsal/pods/service-worker.ts'],
    outfile: join(folder, 'service-worker.js'),
  });
  const run = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
