/** What the operator's own machine does to a run: a full or read-only disk, sleep, a lock that is taken meanwhile. And a request that lands late. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Lab, NAMESPACE, openLab, runsIn, SERVICES, until } from '../crash/lab.ts';
import { runRaces } from '../races/race.ts';

let lab: Lab;
const mounts: string[] = [];
beforeAll(async () => {
  lab = await openLab();
});
beforeEach(async () => {
  lab.cluster.api.faults.clear();
  await lab.sweep();
  lab.mark();
});
afterAll(async () => {
  for (const path of mounts) spawnSync('umount', ['-l', path]);
  await lab?.close();
});

const quick = ['--no-input', '-o', 'json', '--time-scale', '600'];
const start = () => ['run', ...quick, '--plan', lab.plan];
const back = (runId: string) => ['rollback', '--all', '--no-input', '-o', 'json', '--run', runId];
const mount = (options: string, path: string) =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]).status === 0;

/** A small disk under the state folder; undefined where this account may not mount one. */
function smallDisk(options: string): string | undefined {
  const home = lab.newHome();
  const state = join(home, 'state');
  mkdirSync(state, { mode: 0o700 });
  if (!mount(options, state)) return undefined;
  mounts.push(state);
  return home;
}

test('a disk that fills up parks the run with its reason; with room again it goes on', async (context) => {
  const home = smallDisk('size=96k,mode=0700');
  if (!home) return context.skip();
  const full = await lab.wizard(home, start());
  expect(full.code, full.stderr).not.toBe(0);
  expect(full.signal).toBeNull();
  expect(full.stdout + full.stderr).toMatch(/disk is full|ENOSPC/);
  expect(full.stdout + full.stderr).not.toMatch(/an error in pgb-wizard|node:internal/);
  spawnSync('mount', ['-o', 'remount,size=64m', join(home, 'state')]);
  const resumed = await lab.wizard(home, ['run', ...quick]);
  expect(`${resumed.code} ${resumed.code === 0 ? '' : resumed.stderr}`).toBe('0 ');
  for (const service of SERVICES) {
    expect(lab.templates.filter((change) => change.workload === service)).toHaveLength(1);
  }
  expect((await lab.wizard(home, back(runsIn(home)[0]!))).code).toBe(6);
});

test('on a read-only disk nothing is begun', async (context) => {
  const home = smallDisk('size=96k,ro');
  if (!home) return context.skip();
  const refused = await lab.wizard(home, start());
  expect(refused.code).toBe(1);
  expect(refused.stdout + refused.stderr).toMatch(/read-only/);
  expect(lab.templates).toEqual([]);
});

test('a machine that sleeps goes on with its lock, and stops when the lock was broken meanwhile', async () => {
  const home = lab.newHome();
  let pid = 0;
  const atPatch = stopAt(/\/deployments\/notification-service/, () => pid);
  const session = lab.wizard(home, start(), {
    onStart: (started) => {
      pid = started;
    },
  });
  await atPatch;
  const holder = lab.cluster.store.get('leases.coordination.k8s.io', NAMESPACE, 'pgb-wizard')?.spec.holderIdentity;
  const breaking = ['lock', 'break', '--no-input', '--reason', 'the machine sleeps', '--holder', holder];
  const broken = await lab.wizard(lab.newHome(), breaking);
  const writes = lab.templates.length;
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  process.kill(pid, 'SIGCONT');
  const ended = await session;
  expect(`${broken.code} ${broken.code === 0 ? '' : broken.stderr}`).toBe('0 ');
  expect(ended.code, ended.stderr).toBe(7);
  expect(ended.stdout + ended.stderr).toMatch(/lock/);
  // At most the patch that was on its way when it fell asleep.
  expect(lab.templates.length - writes).toBeLessThanOrEqual(1);

  const resumed = await lab.wizard(home, ['run', ...quick]);
  expect(`${resumed.code} ${resumed.code === 0 ? '' : resumed.stderr}`).toBe('0 ');
  for (const service of SERVICES) {
    expect(lab.templates.filter((change) => change.workload === service)).toHaveLength(1);
  }
  expect((await lab.wizard(home, back(runsIn(home)[0]!))).code).toBe(6);
});

/** Stops the process (SIGSTOP, as a closed lid does) when the API server sees such a dry run. */
function stopAt(url: RegExp, pid: () => number): Promise<void> {
  return new Promise((resolve) => {
    const off = lab.cluster.api.observe((request) => {
      if (request.method !== 'PATCH' || !url.test(request.url) || request.url.includes('dryRun')) return;
      off();
      process.kill(pid(), 'SIGSTOP');
      resolve();
    });
  });
}

test('a patch that is still in the hands of the API server cannot land after the rollback', async () => {
  const original = lab.state();
  const home = lab.newHome();
  const { faults } = lab.cluster.api;
  const path = '/deployments/identity-service\\?(?!.*dryRun)';
  // The first try lands long after everything else; the ones after it never arrive.
  faults.add({ method: 'PATCH', path, action: { type: 'drop', when: 'late', milliseconds: 25_000 } });
  faults.add({ method: 'PATCH', path, nth: 2, times: 0, action: { type: 'drop', when: 'before' } });
  let landed: number | undefined;
  const off = lab.cluster.api.observe(({ url, body, code }) => {
    if (url.includes('/deployments/identity-service') && body.includes('"op":"replace"') && !url.includes('dryRun'))
      landed = code;
  });
  const parked = await lab.wizard(home, start());
  expect(parked.code, parked.stderr).not.toBe(0);
  expect(lab.templates).toEqual([]);
  faults.clear();

  const rolledBack = await lab.wizard(home, back(runsIn(home)[0]!));
  expect(`${rolledBack.code} ${rolledBack.code === 6 ? '' : rolledBack.stderr}`).toBe('6 ');
  expect(landed).toBeUndefined();
  await until(() => landed !== undefined);
  off();
  expect(landed).toBe(422);
  expect(lab.templates).toEqual([]);
  expect(lab.state().templates).toEqual(original.templates);
  expect(
    lab.cluster.store.get('deployments.apps', NAMESPACE, 'identity-service')?.metadata.annotations,
  ).not.toHaveProperty('pgb-wizard.dev/fence');
});

test('two wizards race for a namespace: exactly one writes', async () => {
  const result = await runRaces({ sample: 5, seed: 1 });
  expect(result.failures).toEqual([]);
  expect(result.doubled).toBe(0);
});
