import { runBundled } from './run-bundled.mjs';

await runBundled('test/races/main.ts');
