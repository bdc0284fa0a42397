import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// Ink asks for React's devtools only in development, but names them in a static import: they become an empty module.
export const withoutDevtools = {
  name: 'without-devtools',
  setup(build) {
    build.onResolve({ filter: /^react-devtools-core$/ }, () => ({ path: 'react-devtools-core', namespace: 'empty' }));
    build.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export default undefined;', loader: 'js' }));
  },
};

// Yoga fetches its WebAssembly from a data: URL when there is a `fetch`, which loads Node's whole HTTP client before the
// first frame. Its other way decodes the same bytes in place.
export const yogaWithoutFetch = {
  name: 'yoga-without-fetch',
  setup(build) {
    build.onLoad({ filter: /yoga-wasm-base64-esm\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const contents = source.replace('"function"!=typeof fetch?', '!0?');
      if (contents === source) throw new Error('yoga-layout has changed: its way of loading is not found any more.');
      return { contents, loader: 'js' };
    });
  },
};

const rowsModule = fileURLToPath(new URL('../../src/components/ink-rows.ts', import.meta.url));

function changed(source, path, ...replacements) {
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`${path} has changed: \`${from}\` is not found any more.`);
    return text.replace(from, to);
  }, source);
}

// Ink composes a frame from single cells and measures every row of it, on every key. Frames that are rows already go past
// both (src/components/ink-rows.ts says why and when).
export const inkByRows = {
  name: 'ink-by-rows',
  setup(build) {
    const unmet = new Set();
    const load = (filter, ...replacements) => {
      unmet.add(filter);
      build.onLoad({ filter }, ({ path }) => {
        unmet.delete(filter);
        return { contents: changed(readFileSync(path, 'utf8'), path, ...replacements), loader: 'js' };
      });
    };
    // A file that lies elsewhere than it did changes nothing but how long everything takes: nobody would notice.
    build.onEnd(() => {
      if (unmet.size > 0) throw new Error(`ink-by-rows: no file matches ${[...unmet].join(', ')} any more.`);
    });
    load(
      /ink\/build\/output\.js$/,
      ['import ', `import { rowsOf } from ${JSON.stringify(rowsModule)};\nimport `],
      ['    get() {', '    get() {\n        return rowsOf(this) ?? this.compose();\n    }\n    compose() {'],
    );
    load(
      /ink\/build\/sanitize-ansi\.js$/,
      ['import ', `import { isPainted } from ${JSON.stringify(rowsModule)};\nimport `],
      ['const sanitizeAnsi = (text) => {', 'const sanitizeAnsi = (text) => {\n    if (isPainted(text)) return text;'],
    );
    // What is left of a changed row is found character by character, unless every character is a code unit of one cell.
    load(
      /ink\/build\/line-update\.js$/,
      ['import ', `import { SIMPLE_ROW } from ${JSON.stringify(rowsModule)};\nimport `],
      ['const printableAscii = /^[ -~]*$/u;', 'const printableAscii = SIMPLE_ROW;'],
    );
    // Ink keeps the measures of 4096 texts and the texts with them. Here a text is a whole frame, and each is a new one:
    // 16 MB an hour at 100 x 30, until there are 8192 of them.
    load(/ink\/build\/measure-text\.js$/, ['maxSize: 4096', 'maxSize: 8']);
    load(
      /node_modules\/string-width\/index\.js$/,
      ['import ', `import { quickly } from ${JSON.stringify(rowsModule)};\nimport `],
      ['export default function stringWidth', 'export default quickly(stringWidth);\nfunction stringWidth'],
    );
  },
};
