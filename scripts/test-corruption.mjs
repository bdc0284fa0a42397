import { runBundled } from './run-bundled.mjs';

await runBundled('test/corruption/main.ts');
