import { runBundled } from './run-bundled.mjs';

await runBundled('test/soak/main.ts');
