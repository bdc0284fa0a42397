/** Resume and rollback from a machine that has nothing but a kubeconfig, and two machines that want the same run. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { journalOf, type Lab, openLab, runsIn, SERVICES } from './crash/lab.ts';
import { withoutIntent } from './crash/matrix.ts';

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
const last = (home: string) => runsIn(home)[0]!;

/** A run that was killed on one machine after its first service moved. */
async function killedRun(): Promise<{ home: string; runId: string }> {
  const home = lab.newHome();
  const session = await lab.wizard(home, start(), { killAt: 'append step.started p2.notification-service.migrate:1' });
  expect(session.killedAt).toBeDefined();
  return { home, runId: last(home) };
}

test('a dead run is offered, taken over after half a minute of silence, and ends well on another machine', async () => {
  const { home, runId } = await killedRun();
  const other = lab.newHome();
  const env = { USER: 'bob' };

  // Its lock is not a minute old: for all that can be told from here it may be alive, and nobody starts beside it.
  const beside = await lab.wizard(other, start(), { env });
  expect(beside.code).toBe(7);

  const resumed = await lab.wizard(other, ['run', ...quick, '--run', runId], { env });
  expect(`${resumed.code} ${resumed.code === 0 ? '' : resumed.stderr}`).toBe('0 ');
  expect(resumed.ms).toBeGreaterThan(25_000);
  const lines = journalOf(other, runId);
  if (typeof lines === 'string') throw new Error(lines);
  expect(lines[0]!.event.type).toBe('run.started');
  const kept = lines.find(({ event }) => event.type === 'fact' && event.key === 'rebuiltFrom');
  const lost = journalOf(home, runId);
  if (typeof lost === 'string') throw new Error(lost);
  // The head that the rebuilt journal names is a line of the lost one.
  if (kept?.event.type !== 'fact') throw new Error('it does not say what it was rebuilt from');
  expect(lost.map((line) => line.hash)).toContain((kept.event.value as { head: string }).head);
  for (const service of SERVICES) {
    expect(lab.templates.filter((change) => change.workload === service)).toHaveLength(1);
  }
  expect(withoutIntent(lab, [...lost, ...lines])).toEqual([]);

  // The first machine comes back: it sees that it was overtaken, keeps its journal, and takes everything back.
  const back = await lab.wizard(home, ['rollback', '--all', '--no-input', '-o', 'json', '--run', runId]);
  expect(`${back.code} ${back.code === 6 ? '' : back.stderr}`).toBe('6 ');
  const files = readdirSync(join(home, 'state', 'runs', runId));
  expect(files.some((name) => name.startsWith('events.jsonl.overtaken-'))).toBe(true);
});

test('a parked run is named with its commands, and rolled back from another machine', async () => {
  const original = lab.state();
  const home = lab.newHome();
  const parked = await lab.wizard(home, [...start(), '--stop-after', 'p2.identity-service.health']);
  expect(parked.code).toBe(3);
  const runId = last(home);
  const other = lab.newHome();
  const refused = await lab.wizard(other, start());
  expect(refused.code).toBe(2);
  expect(refused.stdout).toContain(runId);
  expect(refused.stdout).toContain(`run --run ${runId}`);
  expect(existsSync(join(other, 'state', 'runs', runId))).toBe(false);

  // What the cluster keeps is read without taking anything over.
  const status = await lab.wizard(other, ['status', '-n', 'nova', '-o', 'json']);
  expect(status.code).toBe(0);
  const told = JSON.parse(status.stdout);
  expect(told).toMatchObject({ runId, outcome: 'parked', live: false, copy: { updatedAt: expect.any(String) } });
  expect(
    Object.fromEntries(told.services.map((one: { name: string; state: string }) => [one.name, one.state])),
  ).toEqual(Object.fromEntries(SERVICES.map((name) => [name, name === 'identity-service' ? 'pooled' : 'direct'])));
  expect(existsSync(join(other, 'state', 'runs', runId))).toBe(false);

  const back = await lab.wizard(other, ['rollback', '--all', '--no-input', '-o', 'json', '--run', runId]);
  expect(`${back.code} ${back.code === 6 ? '' : back.stderr}`).toBe('6 ');
  expect(lab.state().templates).toEqual(original.templates);
  expect(lab.state().replicaSets).toEqual(original.replicaSets);
});
