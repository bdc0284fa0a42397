// Writes what is made from the code: docs/commands.md, docs/keys.md and schema/plan.schema.json. Fast tests compare.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'pgb-docs-'));
try {
  const outfile = join(folder, 'docs.mjs');
  const contents =
    "export { commandsPage } from './src/cli/docs.ts'; export { commands } from './src/cli/commands/index.ts';" +
    "export { keysDoc } from './src/screens/keys-doc.ts';" +
    "export { planJsonSchemaText } from './src/engine/plan/json-schema.ts';";
  await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    jsx: 'automatic',
    logLevel: 'error',
    // The table is light; what its handlers import is not needed for a page.
    plugins: [
      {
        name: 'light',
        setup: (b) =>
          b.onResolve({ filter: /.*/ }, (a) =>
            a.kind === 'dynamic-import' ? { path: a.path, external: true } : undefined,
          ),
      },
    ],
    banner: { js: "import{createRequire as cr}from'node:module';const require=cr(import.meta.url);" },
  });
  const { commandsPage, commands, keysDoc, planJsonSchemaText } = await import(pathToFileURL(outfile).href);
  writeFileSync(join(root, 'docs', 'commands.md'), commandsPage(commands));
  writeFileSync(join(root, 'docs', 'keys.md'), keysDoc());
  writeFileSync(join(root, 'schema', 'plan.schema.json'), planJsonSchemaText());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
