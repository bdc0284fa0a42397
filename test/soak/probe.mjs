// Loaded before the wizard (node --import): at each SIGUSR2 it collects the garbage and notes what is left, and what keeps the
// process alive, as a line of the file that SOAK_PROBE names.
import { appendFileSync, readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
process.on('SIGUSR2', () => {
  gc();
  gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const files = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
  appendFileSync(
    process.env.SOAK_PROBE,
    `${JSON.stringify({ at: performance.now(), heap: heapUsed + external, rss, files, resources })}\n`,
  );
});
