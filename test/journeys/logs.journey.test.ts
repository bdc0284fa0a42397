/** The log screen during a switch: what the old pods say, then the new ones and the poolers, with nothing asked of the operator. */
import { afterEach, expect, test } from 'vitest';
import { startCluster } from './cluster.ts';
import { approveUntil, confirm } from './operator.ts';
import { newHome, Terminal } from './terminal.ts';

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
}, 60_000);

test('the logs of a switch are followed while the screen is open, and filtered', { timeout: 120_000 }, async () => {
  const home = newHome();
  undo.push(home.remove);
  const nova = await startCluster(home.path);
  undo.push(() => nova.stop());
  const terminal = new Terminal(['run', '--kubeconfig', nova.kubeconfig, '--time-scale', '60'], { home: home.path });
  undo.push(() => terminal.kill('SIGKILL'));

  await approveUntil(terminal, /Enter show the first change/);
  await terminal.keys('l');
  await terminal.see(/Nothing to follow: no pooler runs yet/);
  await terminal.keys('escape');
  await approveUntil(terminal, /◇ Migrate identity-service/);
  await terminal.keys('l');
  await terminal.see(/identity-ser\S+ +INFO +connected to postgres:5432/);

  await terminal.keys('escape');
  await confirm(terminal, 'y');
  await terminal.keys('l');
  // The new pod's own words, without a key pressed meanwhile; and the poolers', to whom it came.
  await terminal.see(/identity-ser\S+ +INFO +connected to pgbouncer:6432/);
  await terminal.keys('/', ...'login', 'enter');
  const filtered = await terminal.see(
    (screen) => /[1-9]\d* lines? with "login"/.test(screen) && /^ pgbouncer/m.test(screen),
  );
  const rows = filtered.split('\n').filter((row) => /^ (pgbouncer|identity)/.test(row));
  expect(rows.every((row) => /^ pgbouncer.*LOG/.test(row))).toBe(true);
});
