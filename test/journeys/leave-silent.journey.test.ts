/** A cluster that falls silent in the middle of a rollout keeps nobody: q, SIGTERM and a closed terminal end the wizard at once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWire, type Wire } from '../wire.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { approveUntil, confirm } from './operator.ts';
import { newHome, Terminal } from './terminal.ts';

/** What was promised, and what it takes a loaded machine to end a process. */
const LEAVE_MS = 3_500;

const home = newHome();
let cluster: Cluster;
let wire: Wire;
const open: Terminal[] = [];

beforeAll(async () => {
  cluster = await startCluster(home.path);
  wire = await openWire(cluster.kubeconfig, `${home.path}/kubeconfig`);
}, 120_000);

afterAll(async () => {
  for (const terminal of open) terminal.kill('SIGKILL');
  await wire?.close();
  await cluster?.stop();
  home.remove();
}, 60_000);

function wizard(...args: string[]): Terminal {
  const terminal = new Terminal(['run', '--kubeconfig', wire.kubeconfig, ...args], { home: home.path });
  open.push(terminal);
  return terminal;
}

/** How long the program takes to end, ms; its exit code. */
async function leaves(terminal: Terminal, how: () => Promise<void> | void): Promise<{ ms: number; exitCode: number }> {
  const began = performance.now();
  await how();
  const { exitCode } = await terminal.over();
  return { ms: performance.now() - began, exitCode };
}

test('left with q, by SIGTERM and by a closed terminal while the API server says nothing', {
  timeout: 300_000,
}, async () => {
  // With q, in the middle of the rollout of the first service.
  const first = wizard('--time-scale', '600');
  await approveUntil(first, /Migrate identity-service {3}guide 2\.1/);
  await confirm(first, 'y');
  await first.see(/rollout[\s\S]*updated/i);
  wire.silence();
  const q = await leaves(first, async () => {
    await first.keys('q');
    await first.see('Leave the wizard?');
    await first.keys('enter');
  });
  expect(q).toMatchObject({ exitCode: 3 });
  expect(q.ms).toBeLessThan(LEAVE_MS);
  const runId = /--run ([0-9a-f]{8})/.exec(first.everything())?.[1];
  expect(runId, first.everything()).toBeDefined();

  // At the first question of the resume; the terminal is whole again afterwards.
  wire.speak();
  const second = wizard('--run', runId!);
  await second.see(/journal says[\s\S]*cluster says/i);
  wire.silence();
  const terminated = await leaves(second, () => second.kill('SIGTERM'));
  expect(terminated).toMatchObject({ exitCode: 143 });
  expect(terminated.ms).toBeLessThan(LEAVE_MS);

  // While it connects.
  const third = wizard('--run', runId!);
  await third.see(/connecting|Connecting|reading/);
  const hungUp = await leaves(third, () => third.kill('SIGHUP'));
  expect(hungUp).toMatchObject({ exitCode: 129 });
  expect(hungUp.ms).toBeLessThan(LEAVE_MS);
  const fourth = wizard('--run', runId!);
  await fourth.see(/connecting|Connecting|reading/);
  const early = await leaves(fourth, () => fourth.keys('q'));
  expect(early).toMatchObject({ exitCode: 3 });
  expect(early.ms).toBeLessThan(LEAVE_MS);

  // The cluster speaks again: what was begun is gone on with, and was made once.
  wire.speak();
  const generation = await cluster.json<{ metadata: { generation: number } }>(
    'get',
    'deployment',
    'identity-service',
    '-o',
    'json',
  );
  expect(generation.metadata.generation).toBe(2);
  const last = wizard('--run', runId!);
  await last.see(/journal says[\s\S]*cluster says/i);
  await confirm(last, 'y');
  await approveUntil(last, /Migrate notification-service {3}guide 2\.4/);
  last.kill('SIGKILL');
  await last.over();
});
