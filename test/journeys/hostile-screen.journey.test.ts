/**
 * Hostile text on a real terminal: names, events, logs, statements of sessions and a pooler's own complaints hold escape
 * sequences, clipboard writes, bidirectional overrides, markup and a line of 1 MB. Every byte that is written to the pty
 * is looked at, not only what a terminal would show.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, NAMESPACE, openLab, runsIn } from '../crash/lab.ts';
import { ACTS, LINES, MARK, NAME, OSC52 } from '../hostile.ts';
import { type HostileApi, openHostileApi } from '../hostile-api.ts';
import { speakHostile } from '../hostile-pods.ts';
import { approveUntil, confirm } from './operator.ts';
import { Terminal } from './terminal.ts';

const PASSWORD = 'a plain one';
let lab: Lab;
let api: HostileApi;
const sessions: pg.Client[] = [];
const open: Terminal[] = [];

beforeAll(async () => {
  lab = await openLab({ password: PASSWORD, faults: ['crashloop:notification-service'] });
  const { store } = lab.cluster;
  speakHostile(lab.cluster, /^(notification-service|pgbouncer)/, /^(notification|pgbouncer)/, `Failed${OSC52}`);
  api = await openHostileApi(lab.cluster.kubeconfigPath, join(lab.newHome(), 'kubeconfig'));
  // Somebody with such a name wrote one of ours.
  const identity = structuredClone(store.get('deployments.apps', NAMESPACE, 'identity-service')!);
  identity.metadata.labels = { ...identity.metadata.labels, touched: 'yes' };
  store.update('deployments.apps', identity, { manager: NAME });
  await session(store.get('pods', NAMESPACE, 'postgres')?.status?.podIP, 5432, 'nova', (client) =>
    client.query(`begin; listen "${MARK}"; select 1 /* ${LINES[0]} ${LINES[1]} ${LINES[2]} */`),
  );
}, 120_000);

afterAll(async () => {
  for (const terminal of open) terminal.kill('SIGKILL');
  for (const client of sessions) await client.end().catch(() => undefined);
  await api?.close();
  await lab?.close();
});

/** Opens a session and leaves it open; a refusal is what some of them are for. */
async function session(
  host: string | undefined,
  port: number,
  database: string,
  then?: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  const client = new pg.Client({
    host: host ?? '',
    port,
    database,
    user: 'nova_user',
    password: PASSWORD,
    application_name: NAME,
  });
  client.on('error', () => undefined);
  sessions.push(client);
  try {
    await client.connect();
    await then?.(client);
  } catch (error) {
    if (then) throw error;
  }
}

/** What Ink and the screen write of themselves: colours, moves, erasures, modes that are switched, the bell of a decision. */
const OURS = /\u001b\[(?:[0-9;]*[mABCDEFGHJKST]|\?(?:25|1049|2004|2026|1004|7)[hl]|>?[0-9;]*[cu]|\?u)|\u001b[78=>]/g;
const withoutOurs = (raw: string) => raw.replace(OURS, '').replaceAll('\u0007', '').replaceAll('\r', '');

test('no byte of it acts on the terminal, on any screen, and the exports are text', { timeout: 240_000 }, async () => {
  const home = lab.newHome();
  mkdirSync(join(home, 'state'), { mode: 0o700 });
  let raw = '';
  const terminal = new Terminal(['run', '--kubeconfig', api.kubeconfig, '--plan', lab.plan, '--time-scale', '600'], {
    home,
    onOutput: (data) => {
      raw += data;
    },
  });
  open.push(terminal);
  const seen = new Set<string>();
  const look = async (key: string, name: string) => {
    const before = terminal.screen();
    await terminal.keys(key);
    await terminal.see((screen) => screen !== before);
    // The whole of it, page by page.
    for (let page = 0; page < 6; page++) {
      const screen = terminal.screen();
      if (screen.includes(MARK)) seen.add(name);
      for (const row of screen.split('\n')) expect(row.length, name).toBeLessThanOrEqual(100);
      await terminal.keys('space');
    }
    // A key right behind Escape would be another key.
    await terminal.keys('escape');
    await terminal.see((screen) => !/Esc back/.test(screen));
  };

  const waive = async () => {
    const title = /(FAILED|UNSURE|INCONCLUSIVE)[^\n]*/i.exec(terminal.screen())?.[0] ?? 'FAILED';
    await terminal.keys('x');
    await terminal.see(/Waive/);
    await terminal.keys(...'none of ours', 'enter');
    await terminal.see('[y/N]');
    await terminal.keys('y', 'enter');
    await terminal.see((screen) => !screen.includes(title));
  };

  await terminal.see(/Enter show the first change|retry/);
  if (/retry/.test(terminal.screen())) {
    // The preflight found what the session does; a human says that it does not matter here.
    if (terminal.screen().includes(MARK)) seen.add('preflight failure');
    await look('f', 'preflight');
    await waive();
  }
  await approveUntil(terminal, /guide 2\.1/, 120_000);
  await look('f', 'preflight');
  const pooler = lab.cluster.store.list('pods', NAMESPACE).find((pod) => pod.metadata.name.startsWith('pgbouncer-'));
  await session(pooler?.status?.podIP, 6432, NAME);
  await session(pooler?.status?.podIP, 6432, 'nova');
  await look('p', 'pools');
  await look('l', 'logs');
  await look('d', 'doctor');
  for (;;) {
    const failed = await approveUntil(terminal, /r retry/, 120_000, { phases: true });
    if (failed.includes(MARK)) seen.add('failure');
    if (/notification-service/.test(failed)) break;
    // The gates read what the pooler says, and it says hostile things.
    await waive();
  }
  for (const [key, name] of [
    ['l', 'logs'],
    ['d', 'doctor'],
    ['s', 'services'],
    ['e', 'record'],
    ['i', 'checklist'],
    ['w', 'plan'],
  ] as const) {
    await look(key, name);
  }
  await terminal.keys('b');
  await terminal.see(/notification-service[\s\S]*phase/);
  await confirm(terminal, 'enter');
  await terminal.see(/y approve/);
  await confirm(terminal, 'y');
  await terminal.see((screen) => /r retry/.test(screen) && /back on PostgreSQL|rolled back/i.test(screen), 60_000);
  await terminal.keys('q');
  await terminal.see('Leave the wizard?');
  await terminal.keys('enter');
  await terminal.over();

  // It did get to the screens, or nothing is proved.
  expect([...seen]).toEqual(expect.arrayContaining(['failure', 'preflight', 'record']));
  expect(raw).not.toContain('\u001b]');
  expect(raw).not.toContain('\u001b[38;5;199');
  const rest = withoutOurs(raw);
  const found = ACTS.exec(rest);
  expect(found && JSON.stringify(rest.slice(Math.max(0, found.index - 80), found.index + 40))).toBeNull();

  const exported = await lab.wizard(home, ['export', '--run', runsIn(home)[0]!, '--to', join(home, 'out')]);
  expect(exported.code, exported.stderr).toBe(0);
  for (const name of readdirSync(join(home, 'out'))) {
    const text = readFileSync(join(home, 'out', name), 'utf8');
    const acts = ACTS.exec(name.endsWith('.csv') ? text.replaceAll('\r\n', '\n') : text);
    expect(acts && `${name}: ${JSON.stringify(text.slice(Math.max(0, acts.index - 60), acts.index + 20))}`).toBeNull();
    if (name.endsWith('.html')) expect(text).not.toMatch(/<script>alert|<b>/);
    if (name.endsWith('.csv')) expect(text).not.toMatch(/(^|[,;\t"])\s*[=@]/m);
    if (name.endsWith('.md')) expect(text).not.toMatch(/<script>|\]\(javascript:|<b>/);
  }
});

test('a lock whose holder is no name is shown, and harms nobody', async () => {
  const { store } = lab.cluster;
  const lease = structuredClone(store.get('leases.coordination.k8s.io', NAMESPACE, 'pgb-wizard')!);
  lease.spec.holderIdentity = `${NAME}#${NAME}#1`;
  lease.metadata.annotations = { 'pgb-wizard.dev/run': NAME, 'pgb-wizard.dev/title': String(LINES[2]) };
  store.update('leases.coordination.k8s.io', lease, { manager: NAME });
  let raw = '';
  const terminal = new Terminal(['lock', 'show', '--kubeconfig', api.kubeconfig, '-n', NAMESPACE], {
    home: lab.newHome(),
    onOutput: (data) => {
      raw += data;
    },
  });
  open.push(terminal);
  await terminal.over();
  expect(raw).toContain(MARK);
  expect(ACTS.exec(withoutOurs(raw))).toBeNull();
});
