import { readFileSync } from 'node:fs';

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
