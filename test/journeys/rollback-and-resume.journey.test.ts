/**
 * One change window in which everything happens, on one cluster: left with q, a closed terminal, kill -9 in the middle of
 * a rollout, and in the end the decision to go back.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from './cluster.ts';
import { approveUntil, confirm } from './operator.ts';
import { newHome, Terminal } from './terminal.ts';

interface Deployment {
  readonly metadata: { readonly uid: string; readonly generation: number };
  readonly spec: { readonly template: unknown };
}
interface ReplicaSets {
  readonly items: readonly {
    readonly metadata: { readonly uid: string };
    readonly spec: { readonly replicas: number };
  }[];
}

const home = newHome();
let cluster: Cluster;
const open: Terminal[] = [];

beforeAll(async () => {
  cluster = await startCluster(home.path);
}, 120_000);

afterAll(async () => {
  for (const terminal of open) terminal.kill('SIGKILL');
  await cluster?.stop();
  home.remove();
}, 60_000);

function wizard(): Terminal {
  const terminal = new Terminal(['run', '--kubeconfig', cluster.kubeconfig, '--time-scale', '600'], {
    home: home.path,
  });
  open.push(terminal);
  return terminal;
}

/** A second wizard: the plain prompt which run, then the screen that compares. */
async function resume(): Promise<Terminal> {
  const terminal = wizard();
  await terminal.see('A run waits to be resumed');
  await terminal.keys('enter');
  const screen = await terminal.see(/journal says[\s\S]*cluster says/i);
  expect(screen).toMatch(/will do/i);
  return terminal;
}

const templateOf = async (name: string) =>
  (await cluster.json<Deployment>('get', 'deployment', name, '-o', 'json')).spec.template;
const activeReplicaSet = async (name: string) =>
  (await cluster.json<ReplicaSets>('get', 'replicasets', '-l', `app=${name}`, '-o', 'json')).items
    .filter((one) => one.spec.replicas > 0)
    .map((one) => one.metadata.uid);

test('q, a closed terminal, kill -9 in a rollout, resumes, and the way back to the byte', {
  timeout: 300_000,
}, async () => {
  const services = ['identity-service', 'notification-service', 'cdn-service'];
  const before = await Promise.all(services.map(templateOf));
  const replicaSets = await Promise.all(services.map(activeReplicaSet));

  const first = wizard();
  await first.see('Enter show the first change');
  await first.keys('enter');
  await first.see('Secret pgbouncer-userlist');
  await confirmLeave(first);
  expect((await first.over()).exitCode).toBe(3);
  const left = first.everything();
  expect(left).toMatch(/Parked: nothing is under way/);
  expect(left).toMatch(/pgb-wizard .*--run [0-9a-f]{8}|pgb-wizard run --run/);

  // A terminal that is closed in the middle of phase 1.
  const second = await resume();
  await confirm(second, 'y');
  await approveUntil(second, 'Deploy PgBouncer   guide 1.3');
  second.kill('SIGHUP');
  expect((await second.over()).exitCode).toBe(129);

  // And a machine that dies while the pods of cdn-service are being replaced.
  const third = await resume();
  await confirm(third, 'y');
  await approveUntil(third, /Migrate cdn-service {3}guide 2\.5/);
  const generation = (await cluster.json<Deployment>('get', 'deployment', 'cdn-service', '-o', 'json')).metadata
    .generation;
  await third.keys('y');
  await third.see('[Enter] does it');
  await third.keys('enter');
  await patched('cdn-service', generation);
  third.kill('SIGKILL');
  await third.over();

  const fourth = await resume();
  expect(fourth.screen()).toContain('cdn-service');
  await confirm(fourth, 'y');
  const decision = await approveUntil(fourth, /soak is over|left of 30 m/);
  expect(decision).toContain('direct connections');
  // Each service was rolled once: the kill did not lead to a second patch.
  const after = await cluster.json<Deployment>('get', 'deployment', 'cdn-service', '-o', 'json');
  expect(after.metadata.generation).toBe(generation + 1);

  // The decision is to go back.
  await fourth.keys('b');
  const choices = await fourth.see('phase 2');
  const row = choices
    .split('\n')
    .filter((line) => /^\s*(❯\s*)?(identity|notification|cdn)-service|phase 2/.test(line.trim()));
  expect(row.length).toBeGreaterThan(0);
  await fourth.keys('down', 'down', 'down');
  await confirm(fourth, 'enter');
  await fourth.see(/y approve/);
  await confirm(fourth, 'y');
  await fourth.see('Rolled back', 90_000);
  await fourth.keys('enter');
  expect((await fourth.over()).exitCode).toBe(6);
  expect(fourth.everything()).toMatch(/3 rolled.back/);

  expect(await Promise.all(services.map(templateOf))).toEqual(before);
  expect(await Promise.all(services.map(activeReplicaSet))).toEqual(replicaSets);
});

async function confirmLeave(terminal: Terminal): Promise<void> {
  await terminal.keys('q');
  await terminal.see('Leave the wizard?');
  await terminal.keys('enter');
}

/** Waits until the API server has taken the patch: a new generation of the workload. */
async function patched(name: string, generation: number): Promise<void> {
  for (;;) {
    const now = await cluster.json<Deployment>('get', 'deployment', name, '-o', 'json');
    if (now.metadata.generation > generation) return;
  }
}
