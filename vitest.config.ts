import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Three projects: `fast` is pure code and runs in `npm run check`; `real` needs PostgreSQL and PgBouncer on the
// machine; `journeys` drive the built binary against the rehearsal cluster. `npm test` runs these three. `long` are journeys
// of minutes each: `npm run test:long`, of which the CI takes one file in turn.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['src/**/*.test.{ts,tsx}', 'test/**/*.fast.test.{ts,tsx}'],
          exclude: ['src/**/*.real.test.ts'],
          testTimeout: 10_000,
          // Vitest leaves one core free, which of two is half the machine.
          maxWorkers: availableParallelism(),
        },
      },
      {
        test: {
          name: 'real',
          include: ['src/**/*.real.test.ts', 'test/**/*.real.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'journeys',
          include: ['test/**/*.journey.test.ts'],
          exclude: ['test/long/**'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/*.journey.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
