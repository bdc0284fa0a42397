import { runBundled } from './run-bundled.mjs';

await runBundled('test/faults/main.ts');
