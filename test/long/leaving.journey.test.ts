/**
 * Leaving a run whose API server has fallen silent: nobody is kept at the terminal, what was sent is in the journal as
 * what it is, and a resume asks the cluster.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { journalOf, type Lab, NAMESPACE, openLab, runsIn, SERVICES, type Session, until } from '../crash/lab.ts';
import { openWire, type Wire } from '../wire.ts';

/** What was promised, and what it takes a loaded machine to start and end a process. */
const LEAVE_MS = 3_500;

let lab: Lab;
let wire: Wire;
beforeAll(async () => {
  lab = await openLab();
  wire = await openWire(lab.cluster.kubeconfigPath, join(lab.newHome(), 'kubeconfig'));
});
beforeEach(async () => {
  lab.cluster.api.faults.clear();
  wire.speak();
  await lab.sweep();
  lab.mark();
});
afterAll(async () => {
  await wire?.close();
  await lab?.close();
});

const quick = ['--no-input', '-o', 'json', '--time-scale', '600'];
const start = () => ['run', ...quick, '--plan', lab.plan];
const back = (runId: string) => ['rollback', '--all', '--no-input', '-o', 'json', '--run', runId];

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';
const EXIT = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

interface Left extends Session {
  readonly leftInMs: number;
}

/** Starts the wizard, waits for the moment, lets the wire fall silent, and sends the signal once it has had to wait. */
async function leave(home: string, args: readonly string[], moment: Promise<void>, signal: Signal): Promise<Left> {
  let pid = 0;
  const session = lab.wizard(home, args, {
    env: { KUBECONFIG: wire.kubeconfig },
    onStart: (started) => {
      pid = started;
    },
  });
  await Promise.race([
    moment,
    session.then((ended) => Promise.reject(new Error(`it ended before (${ended.code}): ${ended.stderr}`))),
  ]);
  wire.silence();
  // The program has to be in its wait, not on its way there; what it waits for will never come.
  await new Promise((resolve) => setTimeout(resolve, 400));
  const began = performance.now();
  process.kill(pid, signal);
  const ended = await session;
  return { ...ended, leftInMs: performance.now() - began };
}

/** Settles when the API server has carried out such a request; the answer does not get through any more. */
function carriedOut(method: RegExp, url: RegExp): Promise<void> {
  return new Promise((resolve) => {
    const off = lab.cluster.api.observe((request) => {
      if (!method.test(request.method) || !url.test(request.url) || request.url.includes('dryRun')) return;
      off();
      wire.silence();
      resolve();
    });
  });
}

/** Settles when the API server holds such a request; it carries it out so many ms later. */
async function heldBack(method: string, path: string, milliseconds: number): Promise<void> {
  const { faults } = lab.cluster.api;
  const id = faults.add({ method, path, action: { type: 'delay', milliseconds } });
  await until(() => !faults.list().some((rule) => rule.id === id));
}

const outcomes = (home: string, runId: string) => {
  const lines = journalOf(home, runId);
  if (typeof lines === 'string') throw new Error(lines);
  return lines.flatMap(({ event }) => (event.type === 'call.outcome' ? [event.result] : []));
};

const expectLeft = (left: Left, signal: Signal) => {
  expect(`${left.code} ${left.code === EXIT[signal] ? '' : left.stderr}`).toBe(`${EXIT[signal]} `);
  expect(left.leftInMs).toBeLessThan(LEAVE_MS);
};

async function goesOn(home: string, runId: string): Promise<void> {
  wire.speak();
  const resumed = await lab.wizard(home, ['run', ...quick, '--run', runId]);
  expect(`${resumed.code} ${resumed.code === 0 ? '' : resumed.stderr}`).toBe('0 ');
  for (const service of SERVICES) {
    expect(lab.templates.filter((change) => change.workload === service)).toHaveLength(1);
  }
  lab.mark();
  const rolledBack = await lab.wizard(home, back(runId));
  expect(`${rolledBack.code} ${rolledBack.code === 6 ? '' : rolledBack.stderr}`).toBe('6 ');
}

test('the answer to a patch never comes: its outcome is unknown, and the resume sees that it was made', async () => {
  const home = lab.newHome();
  const left = await leave(home, start(), carriedOut(/PATCH/, /\/deployments\/identity-service/), 'SIGTERM');
  expectLeft(left, 'SIGTERM');
  const [runId] = runsIn(home) as [string];
  expect(outcomes(home, runId).at(-1)).toBe('unknown');
  expect(left.stderr).toMatch(/leaving: patch Deployment\/identity-service is on its way/);
  expect(left.stderr).toContain(`--run ${runId}`);
  await goesOn(home, runId);
});

test('a patch that is left in the hands of the API server lands once, or not at all', async () => {
  const home = lab.newHome();
  const held = heldBack('PATCH', '/deployments/notification-service\\?(?!.*dryRun)', 5_000);
  const left = await leave(home, start(), held, 'SIGINT');
  expectLeft(left, 'SIGINT');
  const [runId] = runsIn(home) as [string];
  expect(outcomes(home, runId).at(-1)).toBe('unknown');
  expect(lab.templates.map((change) => change.workload)).toEqual(['identity-service']);
  await goesOn(home, runId);
});

test('a rollout that is followed is left at once', async () => {
  const home = lab.newHome();
  const moment = carriedOut(/PATCH/, /\/deployments\/cdn-service/).then(() => undefined);
  // One of two that move side by side: the other one's patch is under way too.
  const left = await leave(home, start(), moment, 'SIGHUP');
  expectLeft(left, 'SIGHUP');
  await goesOn(home, runsIn(home)[0]!);
});

test('the ledger, written before a change, does not hold anybody either; what was not sent is not claimed', async () => {
  const home = lab.newHome();
  const moment = until(() => lab.templates.some((change) => change.workload === 'identity-service')).then(() =>
    carriedOut(/PUT/, /\/configmaps\/pgb-wizard-run-/),
  );
  const left = await leave(home, start(), moment, 'SIGTERM');
  expectLeft(left, 'SIGTERM');
  const [runId] = runsIn(home) as [string];
  expect(outcomes(home, runId).at(-1)).toBe('refused');
  await goesOn(home, runId);
});

test('a rollback is left like everything else, and gone on with', async () => {
  const home = lab.newHome();
  const done = await lab.wizard(home, start());
  expect(`${done.code} ${done.code === 0 ? '' : done.stderr}`).toBe('0 ');
  const [runId] = runsIn(home) as [string];
  lab.mark();
  const left = await leave(home, back(runId), carriedOut(/PATCH/, /\/deployments\/cdn-service/), 'SIGTERM');
  expectLeft(left, 'SIGTERM');
  wire.speak();
  const resumed = await lab.wizard(home, ['run', ...quick, '--run', runId]);
  expect(`${resumed.code} ${resumed.code === 6 ? '' : resumed.stderr}`).toBe('6 ');
  for (const service of SERVICES) {
    expect(lab.templates.filter((change) => change.workload === service)).toHaveLength(1);
  }
});

test('connecting to a silent address is given up, and nothing is left behind', async () => {
  const home = lab.newHome();
  wire.silence();
  const before = wire.swallowed;
  const left = await leave(
    home,
    start(),
    until(() => wire.swallowed > before),
    'SIGTERM',
  );
  expectLeft(left, 'SIGTERM');
  expect(runsIn(home)).toEqual([]);
});

test('the lock was taken and nobody heard of it: the next start on this machine does not wait for it', async () => {
  const home = lab.newHome();
  const left = await leave(home, start(), carriedOut(/POST|PUT/, /\/leases/), 'SIGINT');
  expectLeft(left, 'SIGINT');
  expect(runsIn(home)).toEqual([]);
  expect(existsSync(join(home, 'state', 'claims'))).toBe(true);
  const holder = lab.cluster.store.get('leases.coordination.k8s.io', NAMESPACE, 'pgb-wizard')?.spec.holderIdentity;
  expect(holder).toContain('#');
  wire.speak();
  const again = await lab.wizard(home, [...start(), '--stop-after', 'preflight']);
  expect(`${again.code} ${again.code === 3 ? '' : again.stderr}`).toBe('3 ');
  expect(again.ms).toBeLessThan(20_000);
});
