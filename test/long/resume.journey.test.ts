/** Runs that were cut at places where a session begins anew with less than it had, and ends that say what they are. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventsOf, type Lab, NAMESPACE, openLab, runsIn, type Session, until } from '../crash/lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());
/** Homes whose run is still in the cluster. */
const left: { home: string; runId: string }[] = [];
beforeEach(async () => {
  for (const { home, runId } of left.splice(0)) await lab.wizard(home, back(runId));
  await lab.sweep();
  lab.mark();
});

const quick = ['--no-input', '-o', 'json', '--time-scale', '600'];
const start = () => ['run', ...quick, '--plan', lab.plan];
const back = (runId: string) => ['rollback', '--all', '--no-input', '-o', 'json', '--run', runId];
test('cut before its last step: the consoles are asked as before, and the way back sees who is connected', async () => {
  const home = lab.newHome();
  const cut = await lab.wizard(home, start(), { killAt: 'append step.started post:1' });
  expect(cut.killedAt).toBeDefined();
  const [runId] = runsIn(home) as [string];
  const resumed = await lab.wizard(home, ['run', ...quick, '--run', runId]);
  ended(resumed, 0);
  ended(await lab.wizard(home, back(runId)), 6);
  const seen = eventsOf(home, runId).flatMap((event) =>
    event.type === 'step.evidence' && event.id.startsWith('rollback.') ? [event.evidence] : [],
  );
  const direct = seen.filter((one) => one.check === 'connected to PostgreSQL directly');
  expect(direct).toHaveLength(4);
});

const journalFile = (home: string, runId: string) => join(home, 'state', 'runs', runId, 'events.jsonl');
const ended = (session: Session, code: number) =>
  expect(`${session.code} ${session.code === code ? '' : session.stderr}`).toBe(`${code} `);

/** Killed with SIGKILL when it is about to write that. */
async function cutAt(killAt: string): Promise<{ home: string; runId: string }> {
  const home = lab.newHome();
  const cut = await lab.wizard(home, start(), { killAt });
  expect(cut.killedAt, cut.stderr).toBeDefined();
  const run = { home, runId: runsIn(home)[0]! };
  left.push(run);
  return run;
}

test('a decision is not asked for again on another machine, though no change followed it', async () => {
  const { home, runId } = await cutAt('append step.finished p2.decide:1');
  expect(eventsOf(home, runId).filter((event) => event.type === 'decided')).toHaveLength(1);
  const other = lab.newHome();
  const resumed = await lab.wizard(other, ['run', ...quick, '--run', runId], { env: { USER: 'bob' } });
  ended(resumed, 0);
  left.splice(0, 1, { home: other, runId });
  const events = eventsOf(other, runId);
  expect(events.filter((event) => event.type === 'decided' && event.phase === 'p2')).toHaveLength(1);
  expect(events.filter((event) => event.type === 'asked' && event.stepId === 'p2.decide')).toEqual([]);
});

test('a journal that lacks its last events says so, and the cluster is asked', async () => {
  const { home, runId } = await cutAt('append step.started p2.decide:1');
  const path = journalFile(home, runId);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  writeFileSync(path, `${lines.slice(0, -12).join('\n')}\n`);
  const resumed = await lab.wizard(home, ['run', ...quick, '--run', runId]);
  ended(resumed, 0);
  expect(resumed.stderr).toMatch(/the journal has \d+ events but had \d+: its last \d+ are missing/);
});

test('a damaged journal is put aside, and the run goes on, or back, from the copy of the cluster', async () => {
  const { home, runId } = await cutAt('append step.started p2.notification-service.migrate:1');
  const path = journalFile(home, runId);
  const damage = () => {
    const bytes = readFileSync(path);
    bytes[200] = bytes[200]! ^ 1;
    writeFileSync(path, bytes);
  };
  damage();
  const parked = await lab.wizard(home, ['run', ...quick, '--run', runId, '--stop-after', 'p2']);
  ended(parked, 3);
  expect(parked.stderr).toMatch(/note: line \d+ of the journal .*; going on from the cluster's copy/);
  expect(parked.stderr).toMatch(/was put aside as .*overtaken/);
  damage();
  const rolledBack = await lab.wizard(home, back(runId));
  ended(rolledBack, 6);
  expect(rolledBack.stderr).toMatch(/note: .*going on from the cluster's copy/);
  expect(readdirSync(join(home, 'state', 'runs', runId)).filter((name) => /overtaken/.test(name))).toHaveLength(2);
});

test('a run that was rolled back is not begun again without a human, who is told what to do', async () => {
  const { home, runId } = await cutAt('append step.started p2.notification-service.migrate:1');
  ended(await lab.wizard(home, back(runId)), 6);
  const before = lab.templates.length;
  const again = await lab.wizard(home, ['run', ...quick, '--run', runId]);
  ended(again, 6);
  expect(again.stderr).toMatch(/was rolled back, and without a terminal .*--run .*--fresh/);
  expect(lab.templates).toHaveLength(before);
});

test('a lock that is lost in the middle of a batch ends with the code of a lock', async () => {
  const home = lab.newHome();
  const { store } = lab.cluster;
  const off = lab.cluster.api.observe(({ method, url }) => {
    if (method !== 'PATCH' || !/\/deployments\/cdn-service/.test(url) || url.includes('dryRun')) return;
    off();
    const lease = structuredClone(store.get('leases.coordination.k8s.io', NAMESPACE, 'pgb-wizard')!);
    lease.spec.holderIdentity = 'mallory@elsewhere#00000000#0';
    store.update('leases.coordination.k8s.io', lease, { manager: 'test' });
  });
  const lost = await lab.wizard(home, start());
  left.push({ home, runId: runsIn(home)[0]! });
  const lease = structuredClone(store.get('leases.coordination.k8s.io', NAMESPACE, 'pgb-wizard')!);
  lease.spec.holderIdentity = '';
  store.update('leases.coordination.k8s.io', lease, { manager: 'test' });
  ended(lost, 7);
  expect(lost.stderr).toMatch(/lock/);
  expect(lost.stderr).toContain('go on with');
});

test('a window that closes in the middle of a batch ends with the code of a window', async () => {
  const home = lab.newHome();
  const plan = JSON.parse(readFileSync(lab.plan, 'utf8'));
  const hour = 3_600_000;
  plan.window = { start: new Date(Date.now() - hour).toISOString(), end: new Date(Date.now() + hour).toISOString() };
  const file = join(home, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  writeFileSync(join(home, 'skew'), `${2 * hour}`);
  let pid = 0;
  const session = lab.wizard(home, ['run', ...quick, '--plan', file], {
    env: {
      NODE_OPTIONS: `--import=${pathToFileURL(resolve('test/faults/skewed-clock.mjs'))}`,
      CLOCK_SKEW_FILE: join(home, 'skew'),
    },
    onStart: (started) => {
      pid = started;
    },
  });
  const begun = () =>
    runsIn(home).some((id) => eventsOf(home, id).some((e) => 'id' in e && e.id === 'p3.batch.migrate'));
  await Promise.race([until(begun), session]);
  process.kill(pid, 'SIGUSR2');
  const closed = await session;
  left.push({ home, runId: runsIn(home)[0]! });
  ended(closed, 8);
  expect(closed.stderr).toMatch(/outside of the change window/);
});
