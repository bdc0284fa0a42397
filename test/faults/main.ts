/** `npm run test:faults`: the wizard under `--sample` faults of the cluster, and of the machine it runs on. */
import { runSlices } from '../slices.ts';
import { runFaultMatrix } from './matrix.ts';

await runSlices({
  name: 'faults',
  defaults: { sample: 60 },
  run: runFaultMatrix,
  summary: ({ counts, covered, known }, seconds) => [
    ...Object.entries(counts)
      .filter(([name]) => name.startsWith('fault '))
      .sort()
      .map(([name, count]) => `${String(count).padStart(6)}  ${name.slice(6)}`),
    `${covered.length} of ${known} combinations of a call and a fault; ${counts.sessions ?? 0} sessions, ${counts['ended well under faults'] ?? 0} ended well under faults, the others parked or failed in good order and were gone on with; ${seconds} s`,
  ],
});
