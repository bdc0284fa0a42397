/** `npm run test:races`: `--sample` races of two wizards for one namespace. */
import { runSlices } from '../slices.ts';
import { type RaceResult, runRaces } from './race.ts';

await runSlices({
  name: 'races',
  defaults: { sample: 200 },
  async run({ sample, seed, say, report }) {
    let before: RaceResult = { races: 0, doubled: 0, lost: 0, inTurn: 0, failures: [] };
    await runRaces({
      sample,
      seed,
      each(race, now) {
        report({
          tried: 1,
          lost: now.lost - before.lost,
          doubled: now.doubled - before.doubled,
          leaked: 0,
          counts: { 'one after the other': now.inTurn - before.inTurn },
          covered: [],
          known: 0,
          failures: now.failures.slice(before.failures.length),
          notes: [],
        });
        before = { ...now, failures: [...now.failures] };
        if (race % 20 === 0) say(`race ${race}: ${now.doubled} double writes, ${now.failures.length} failures`);
      },
    });
  },
  summary: ({ counts }, seconds) => [
    `${counts['one after the other'] ?? 0} of them came one after the other; ${seconds} s`,
  ],
});
