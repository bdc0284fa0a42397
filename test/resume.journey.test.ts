/** Runs that were cut at places where a session begins anew with less than it had. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { journalOf, type Lab, openLab, runsIn } from './crash/lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());
beforeEach(async () => {
  await lab.sweep();
  lab.mark();
});

const quick = ['--no-input', '-o', 'json', '--time-scale', '600'];
const start = () => ['run', ...quick, '--plan', lab.plan];
const back = (runId: string) => ['rollback', '--all', '--no-input', '-o', 'json', '--run', runId];
const eventsOf = (home: string, runId: string) => {
  const lines = journalOf(home, runId);
  if (typeof lines === 'string') throw new Error(lines);
  return lines.map((line) => line.event);
};

test('cut before its last step: the consoles are asked as before, and the way back sees who is connected', async () => {
  const home = lab.newHome();
  const cut = await lab.wizard(home, start(), { killAt: 'append step.started post:1' });
  expect(cut.killedAt).toBeDefined();
  const [runId] = runsIn(home) as [string];
  const resumed = await lab.wizard(home, ['run', ...quick, '--run', runId]);
  expect(`${resumed.code} ${resumed.code === 0 ? '' : resumed.stderr}`).toBe('0 ');

  const rolledBack = await lab.wizard(home, back(runId));
  expect(`${rolledBack.code} ${rolledBack.code === 6 ? '' : rolledBack.stderr}`).toBe('6 ');
  const seen = eventsOf(home, runId).flatMap((event) =>
    event.type === 'step.evidence' && event.id.startsWith('rollback.') ? [event.evidence] : [],
  );
  const direct = seen.filter((one) => one.check === 'connected to PostgreSQL directly');
  expect(direct).toHaveLength(4);
});
