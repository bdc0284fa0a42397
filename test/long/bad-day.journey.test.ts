/** What a machine and a cluster do to a run in the middle of it: jumping clocks, sleep, a disk that breaks, crashes in a soak. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JournalLine } from '../../src/engine/run/events.ts';
import { journalOf, type Lab, NAMESPACE, openLab, runsIn, SERVICES, type Session } from '../crash/lab.ts';
import { type Disk, openDisk } from '../faults/disk.ts';
import { skewFile } from '../faults/weather.ts';

let lab: Lab;
/** As the lab's plan, with a soak of an hour (six seconds here): long enough for something to happen in it. */
let longSoak: string;
const disks: Disk[] = [];
/** Homes of runs that were not taken back yet. */
const left: string[] = [];
beforeAll(async () => {
  lab = await openLab();
  const plan = JSON.parse(readFileSync(lab.plan, 'utf8'));
  plan.phases[0].soak = '1h';
  longSoak = join(lab.newHome(), 'plan.json');
  writeFileSync(longSoak, JSON.stringify(plan));
});
beforeEach(async () => {
  lab.cluster.api.faults.clear();
  // What a test that failed left behind is no other test's matter.
  for (const home of left.splice(0)) for (const runId of runsIn(home)) await lab.wizard(home, back(runId));
  await lab.sweep();
  lab.mark();
});
afterAll(async () => {
  for (const disk of disks) disk.close();
  await lab?.close();
});

const quick = ['--no-input', '-o', 'json', '--time-scale', '600'];
const start = (plan = lab.plan) => ['run', ...quick, '--plan', plan];
const resume = (runId: string) => ['run', ...quick, '--run', runId];
const back = (runId: string) => ['rollback', '--all', '--no-input', '-o', 'json', '--run', runId];

const linesOf = (home: string) => {
  const [runId] = runsIn(home);
  const lines = runId === undefined ? [] : journalOf(home, runId);
  if (typeof lines === 'string') throw new Error(lines);
  return lines;
};

/** Settles when the journal says so; looks while the session runs. */
async function journaled(home: string, session: Promise<Session>, type: string, id: string): Promise<void> {
  let over: Session | undefined;
  void session.then((ended) => {
    over = ended;
  });
  const named = (event: JournalLine['event']) => ('id' in event ? event.id : 'key' in event ? event.key : undefined);
  while (!linesOf(home).some(({ event }) => event.type === type && named(event) === id)) {
    if (over) throw new Error(`it ended (${over.code}) before ${type} ${id}: ${over.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Running {
  readonly home: string;
  readonly session: Promise<Session>;
  readonly pid: () => number;
}

function running(home: string, args: readonly string[]): Running {
  let pid = 0;
  left.push(home);
  const session = lab.wizard(home, args, {
    limitMs: 240_000,
    env: {
      NODE_OPTIONS: `--import=${pathToFileURL(resolve('test/faults/skewed-clock.mjs'))}`,
      CLOCK_SKEW_FILE: skewFile(home),
    },
    onStart: (started) => {
      pid = started;
    },
  });
  return { home, session, pid: () => pid };
}

function setClock({ home, pid }: Running, skewMs: number): void {
  writeFileSync(skewFile(home), `${skewMs}`);
  process.kill(pid(), 'SIGUSR2');
}

const ended = (session: Session, code: number) =>
  expect(`${session.code} ${session.code === code ? '' : session.stderr}`).toBe(`${code} `);
const rolledOnce = () => {
  for (const service of SERVICES) {
    expect(lab.templates.filter((change) => change.workload === service)).toHaveLength(1);
  }
};
async function takeBack(home: string): Promise<void> {
  lab.mark();
  ended(await lab.wizard(home, back(runsIn(home)[0]!)), 6);
  left.splice(0);
}

test('a clock that is put two hours ahead in a soak shortens it by nothing', async () => {
  const run = running(lab.newHome(), start(longSoak));
  await journaled(run.home, run.session, 'fact', 'soakUntil.p2');
  setClock(run, 2 * 3_600_000);
  const session = await run.session;
  ended(session, 0);
  expect(session.stderr).toMatch(
    /the clock went ahead by 7\d\d\d s in which nobody looked; the soak ends that much later/,
  );
  const at = (id: string, type: string) =>
    Date.parse(linesOf(run.home).findLast(({ event }) => event.type === type && 'id' in event && event.id === id)!.at);
  const soaked = at('p2.decide', 'step.finished') - at('p2.decide', 'step.started');
  expect(soaked).toBeGreaterThan(3 * 3_600_000 - 60_000);
  rolledOnce();
  await takeBack(run.home);
});

test('a clock that is put two hours back takes nothing back, and keeps nobody waiting', async () => {
  const run = running(lab.newHome(), start(longSoak));
  await journaled(run.home, run.session, 'fact', 'soakUntil.p2');
  setClock(run, -2 * 3_600_000);
  ended(await run.session, 0);
  const times = linesOf(run.home).map((line) => Date.parse(line.at));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  rolledOnce();
  await takeBack(run.home);
});

test('a sleep of forty seconds in a rollout: the lock has run out, nobody took it, the run goes on', async () => {
  const run = running(lab.newHome(), start());
  await journaled(run.home, run.session, 'step.started', 'p2.notification-service.migrate');
  process.kill(run.pid(), 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 40_000));
  process.kill(run.pid(), 'SIGCONT');
  ended(await run.session, 0);
  rolledOnce();
  await takeBack(run.home);
});

test('a disk that turns read-only under the journal: what can not be written down is not done', async (context) => {
  const home = lab.newHome();
  const disk = openDisk(`${home}.img`, join(home, 'state'));
  if (!disk) return context.skip('this account may not mount a disk of its own');
  disks.push(disk);
  const run = running(home, start());
  await journaled(home, run.session, 'step.started', 'p2.notification-service.migrate');
  disk.break();
  const broken = await run.session;
  expect(broken.code, broken.stderr).not.toBe(0);
  expect(broken.code).not.toBeNull();
  expect(broken.stdout + broken.stderr).toMatch(/read-only|reports an error/);
  expect(broken.stdout + broken.stderr).not.toMatch(/an error in pgb-wizard|node:internal/);
  const moved = lab.templates.length;
  disk.mend();
  // Whatever was changed has its intent on the disk that was mended.
  const intents = linesOf(home).filter(
    ({ event }) => event.type === 'call.intent' && event.verb === 'patch' && event.direction === 'forward',
  );
  expect(intents.length).toBeGreaterThanOrEqual(moved);
  ended(await lab.wizard(home, resume(runsIn(home)[0]!)), 0);
  rolledOnce();
  await takeBack(home);
});

test.each(['pgbouncer-', 'postgres'])(
  '%s crashes in the middle of a soak: the gates say so or see it heal',
  async (which) => {
    const run = running(lab.newHome(), start(longSoak));
    await journaled(run.home, run.session, 'fact', 'soakUntil.p2');
    for (const agent of lab.cluster.kubelet.agents()) {
      if (agent.namespace === NAMESPACE && agent.name.startsWith(which)) agent.crash();
    }
    const session = await run.session;
    if (session.code !== 0) {
      // Stopped by a gate or a checklist that names it, never by a bug; the way back is open.
      expect([3, 5]).toContain(session.code);
      expect(session.stderr).toMatch(/cause: .*(pool|PostgreSQL|connection|upstream|measure|quer)/);
      expect(session.stderr).not.toMatch(/an error in pgb-wizard/);
    }
    const moved = lab.templates.length;
    await takeBack(run.home);
    expect(lab.templates).toHaveLength(moved);
  },
);
