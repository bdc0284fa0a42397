/** What is asked before the screen, and the linear output from its first question to a way out. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from './cluster.ts';
import { newHome, PROGRAM, Terminal } from './terminal.ts';

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

function wizard(...args: string[]): Terminal {
  const terminal = new Terminal(['run', '--kubeconfig', cluster.kubeconfig, '--time-scale', '600', ...args], {
    home: home.path,
  });
  open.push(terminal);
  return terminal;
}

/** Every file of the operator's machine that a run may have written. */
const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name));

test('a namespace that does not exist is chosen from the list', { timeout: 90_000 }, async () => {
  const terminal = wizard('-n', 'nvoa');
  const asked = await terminal.see('Namespace of the services');
  expect(asked).toContain('there is no namespace "nvoa"');
  expect(asked).toMatch(/^\W*nova/m);
  while (!/❯ nova$/m.test(terminal.screen())) {
    const before = terminal.screen();
    await terminal.keys('down');
    await terminal.see((screen) => screen !== before);
  }
  await terminal.keys('enter');
  await terminal.see('Enter show the first change');
  await terminal.keys('q');
  await terminal.see('Leave the wizard?');
  await terminal.keys('enter');
  expect((await terminal.over()).exitCode).toBe(3);
});

test('a password that nobody has is asked for, and is seen nowhere', { timeout: 90_000 }, async () => {
  const secret = 'Never-To-Be-Seen-42';
  const path = `${home.path}/other-role.yaml`;
  const plan = execFileSync(process.execPath, [PROGRAM, 'plan', '-o', 'yaml'], { encoding: 'utf8' });
  writeFileSync(path, plan.replaceAll('nova_user', 'nova_reader'));
  let raw = '';
  const terminal = wizard('--fresh', '--plan', path).listen((data) => (raw += data));
  const asked = await terminal.see('Password of nova_reader:');
  expect(asked).toContain('No address of a service holds the password of nova_reader');
  // Too early is not there yet: an empty answer asks again.
  await terminal.keys('enter');
  await terminal.see('A password is needed');
  await terminal.keys(...secret);
  // The question is long: the stars may go on in the next row.
  const stars = (screen: string) => screen.replace(/\s/g, '').includes('*'.repeat(secret.length));
  await terminal.see(stars);
  // What some prompts show it with, and what a terminal might.
  await terminal.keys('\u0014', '\u0012');
  await terminal.see(stars);
  await terminal.keys('enter');
  // It is the wrong one, and nothing that is said about it holds it.
  await terminal.see('PostgreSQL refuses nova_reader');
  await terminal.keys('q');
  await terminal.see('Leave the wizard?');
  await terminal.keys('enter');
  expect((await terminal.over()).exitCode).toBe(3);
  expect(raw).not.toContain(secret);
  expect(raw.replace(/[^A-Za-z0-9-]/g, '')).not.toContain(secret);
  const found = filesUnder(home.path).filter((file) => readFileSync(file).includes(secret));
  expect(found).toEqual([]);
});

test('keys are remapped by a file, and a conflict is refused before anything starts', { timeout: 60_000 }, async () => {
  const path = `${home.path}/keys.yaml`;
  writeFileSync(path, 'keys:\n  leave: [h]\n');
  const refused = wizard('--fresh', '--keymap', path);
  expect((await refused.over()).exitCode).toBe(2);
  expect(refused.everything()).toMatch(/"h" means both/);
  writeFileSync(path, 'keys:\n  leave: Q\n');
  const terminal = wizard('--fresh', '--keymap', path);
  await terminal.see(/Q leave/);
  await terminal.keys('Q');
  await terminal.see('Leave the wizard?');
  await terminal.keys('enter');
  expect((await terminal.over()).exitCode).toBe(3);
});

test('the linear output is walked by numbers, without a redraw', { timeout: 120_000 }, async () => {
  const terminal = wizard('--fresh', '--accessible');
  // The menu of the newest question, and the number of the way on that is wanted.
  const choose = async (label: RegExp, answered: number) => {
    const seen = await terminal.see(() => (terminal.everything().match(label)?.length ?? 0) > answered, 60_000);
    const number = [...terminal.everything().matchAll(label)].at(-1)?.[1];
    expect(number, seen).toBeDefined();
    await terminal.keys(`${number}\r`);
    const asked = () => terminal.everything().match(/Type (yes|\S+) to do it/g)?.length ?? 0;
    await terminal.see(() => asked() > answered);
    await terminal.keys('yes\r');
    await terminal.see(() => (terminal.everything().match(/^Sent\./gm)?.length ?? 0) > answered);
  };
  await choose(/^(\d+)\. Approve$/gm, 0);
  await choose(/^(\d+)\. Approve$/gm, 1);
  await choose(/^(\d+)\. Leave; the run is parked/gm, 2);
  expect((await terminal.over()).exitCode).toBe(3);
  const all = terminal.everything();
  expect(all).toMatch(/By hand: kubectl/);
  expect(all).toMatch(/Not as the guide says:/);
  expect(all).toMatch(/Parked/);
  expect(all).toMatch(/^[\x20-\x7e\n]*$/);
});
