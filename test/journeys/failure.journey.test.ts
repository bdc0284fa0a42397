/** A service that will not start after its switch: the cause on the screen, the way back, the same pods as before. */
import { afterEach, expect, test } from 'vitest';
import { kubectlOf, startCluster } from './cluster.ts';
import { approveUntil, confirm } from './operator.ts';
import { newHome, Terminal } from './terminal.ts';

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
}, 60_000);

interface Deployment {
  readonly spec: { readonly template: unknown };
}
interface ReplicaSets {
  readonly items: readonly {
    readonly metadata: { readonly uid: string };
    readonly spec: { readonly replicas: number };
    readonly status: { readonly readyReplicas?: number };
  }[];
}

test('a crash loop is found, named and rolled back to the same ReplicaSet', { timeout: 180_000 }, async () => {
  const home = newHome();
  undo.push(home.remove);
  const cluster = await startCluster(home.path, ['--fault', 'crashloop:notification-service']);
  undo.push(() => cluster.stop());
  const { json } = kubectlOf(cluster.kubeconfig);
  const template = async () =>
    (await json<Deployment>('get', 'deployment', 'notification-service', '-o', 'json')).spec.template;
  const active = async () =>
    (await json<ReplicaSets>('get', 'replicasets', '-l', 'app=notification-service', '-o', 'json')).items
      .filter((one) => one.spec.replicas > 0)
      .map((one) => [one.metadata.uid, one.status.readyReplicas]);
  const before = { template: await template(), active: await active() };

  const terminal = new Terminal(['run', '--kubeconfig', cluster.kubeconfig, '--time-scale', '600'], {
    home: home.path,
  });
  undo.push(() => terminal.kill('SIGKILL'));
  const failed = await approveUntil(terminal, /r retry|retry/, 120_000, { phases: true });
  expect(failed).toMatch(/CrashLoopBackOff|keeps exiting|exit(s|ed)? with|crash/i);
  expect(failed).toContain('notification-service');

  // The smallest scope is selected: this service alone.
  await terminal.keys('b');
  await terminal.see(/notification-service[\s\S]*phase 2/);
  await confirm(terminal, 'enter');
  await terminal.see(/y approve/);
  await confirm(terminal, 'y');
  await terminal.see((screen) => /r retry/.test(screen) && /back on PostgreSQL|rolled back/i.test(screen), 60_000);
  expect(await template()).toEqual(before.template);
  expect(await active()).toEqual(before.active);

  await terminal.keys('q');
  await terminal.see('Leave the wizard?');
  await terminal.keys('enter');
  const { exitCode } = await terminal.over();
  expect([3, 5]).toContain(exitCode);
  expect(terminal.everything()).toMatch(/1 rolled.back/);
});
