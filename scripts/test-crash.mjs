import { runBundled } from './run-bundled.mjs';

await runBundled('test/crash/main.ts');
