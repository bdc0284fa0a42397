/** `npm run test:crash`: kills the wizard at `--sample` places and looks whether anything got lost. */
import { runSlices } from '../slices.ts';
import { runCrashMatrix } from './matrix.ts';

await runSlices({
  name: 'crash',
  defaults: { sample: 25 },
  run: runCrashMatrix,
  summary: ({ counts, covered, known }, seconds) => [
    `killed ${Object.entries(counts)
      .map(([kind, count]) => `${count} × ${kind}`)
      .join(', ')}; ${covered.length} different places of about ${known}; ${seconds} s`,
  ],
});
