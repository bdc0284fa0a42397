// Bundles the product into dist/: ESM with code splitting, every dependency inside, so that an installed pgb-wizard has
// no runtime dependency and starts fast. Writes THIRD_PARTY_NOTICES.md for what the bundle carries.
//
//   node scripts/build.mjs [--watch] [--quiet] [--sizes]
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { noticesOf } from './build/notices.mjs';
import { inkByRows, withoutDevtools, yogaWithoutFetch } from './build/plugins.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const watch = process.argv.includes('--watch');
const quiet = process.argv.includes('--quiet') || process.env.npm_config_loglevel === 'silent';
const sizes = process.argv.includes('--sizes') || process.env.npm_lifecycle_event === 'build';

/** Entry points: the command line, and what the rehearsal starts in threads or processes of their own. */
const entries = { cli: 'src/cli/main.ts' };
for (const folder of ['src/rehearsal/pods', 'src/rehearsal/load', 'src/rehearsal']) {
  const path = join(root, folder);
  if (!existsSync(path)) continue;
  for (const file of readdirSync(path)) {
    if (/-(worker|entry)\.ts$/.test(file)) entries[file.replace(/\.ts$/, '')] = join(folder, file);
  }
}

const options = {
  absWorkingDir: root,
  entryPoints: Object.entries(entries).map(([out, path]) => ({ in: path, out })),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  mainFields: ['module', 'main'],
  jsx: 'automatic',
  minify: true,
  // Names stay in stack traces and in error.name; only what is inside a module is shortened.
  keepNames: false,
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': '"production"' },
  // Optional natives: asked for inside try blocks by their packages.
  external: ['pg-native', 'bufferutil', 'utf-8-validate', 'fsevents'],
  plugins: [withoutDevtools, yogaWithoutFetch, inkByRows],
  banner: {
    // CommonJS dependencies need a `require`; Ink 8 needs Promise.withResolvers, which Node 20 lacks.
    js: "import{createRequire as pgbRequire}from'node:module';const require=pgbRequire(import.meta.url);Promise.withResolvers??=function(){let resolve,reject;const promise=new this((a,b)=>{resolve=a;reject=b});return{promise,resolve,reject}};",
  },
};

/** Files appear whole (temporary name, then rename) and the entries last: a session that starts meanwhile sees one build. */
function writeOutputs(result) {
  mkdirSync(dist, { recursive: true });
  const isEntry = (path) => Object.keys(entries).some((name) => path === join(dist, `${name}.js`));
  const files = [...result.outputFiles].sort((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path)));
  for (const file of files) {
    const temporary = `${file.path}.${process.pid}.tmp`;
    writeFileSync(temporary, file.contents);
    renameSync(temporary, file.path);
  }
  const current = new Set(files.map((file) => file.path));
  // Chunks of an earlier build may still be wanted by a run that is going on; a package gets a clean folder.
  const keepMs = process.env.npm_lifecycle_event === 'prepack' ? 0 : 30 * 60_000;
  for (const name of readdirSync(dist)) {
    const path = join(dist, name);
    if (!current.has(path) && Date.now() - statSync(path).mtimeMs > keepMs) rmSync(path, { force: true });
  }
}

function writeNotices(metafile) {
  const { text, packages } = noticesOf(metafile, root);
  const path = join(root, 'THIRD_PARTY_NOTICES.md');
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  return packages;
}

function report(result, packages, began) {
  if (quiet) return;
  const outputs = Object.entries(result.metafile.outputs).sort((a, b) => b[1].bytes - a[1].bytes);
  const total = outputs.reduce((sum, [, output]) => sum + output.bytes, 0);
  const kb = (bytes) => `${(bytes / 1024).toFixed(0).padStart(6)} KB`;
  // A hundred small files say nothing to somebody who only wants to see the wizard.
  for (const [path, output] of sizes ? outputs : []) {
    if (output.entryPoint !== undefined || output.bytes > 100 * 1024) {
      const name = output.entryPoint ?? '';
      process.stderr.write(`${kb(output.bytes)}  ${relative('dist', path)}  ${name}\n`);
    }
  }
  process.stderr.write(
    `${kb(total)}  ${outputs.length} files, ${packages.length} packages, ${Math.round(performance.now() - began)} ms\n`,
  );
}

function finish(result, began) {
  writeOutputs(result);
  report(result, writeNotices(result.metafile), began);
}

if (watch) {
  let began = performance.now();
  const again = {
    name: 'write',
    setup(build) {
      build.onStart(() => {
        began = performance.now();
      });
      build.onEnd((result) => {
        if (result.errors.length > 0) return;
        try {
          finish(result, began);
        } catch (error) {
          process.stderr.write(`${error.message}\n`);
        }
      });
    },
  };
  const context = await esbuild.context({ ...options, plugins: [...options.plugins, again] });
  await context.watch();
} else {
  const began = performance.now();
  try {
    finish(await esbuild.build(options), began);
  } catch (error) {
    // esbuild has already printed what is wrong with the sources; a licence problem has only its message.
    if (!Array.isArray(error.errors)) process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
