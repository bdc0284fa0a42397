/**
 * Bad input through the built program: one clear message on standard error that says what to do, the exit code of the
 * contract, nothing on standard output (or one envelope), nothing left behind.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { startCluster } from '../src/rehearsal/cluster.ts';

const door = fileURLToPath(new URL('../bin/pgb-wizard.js', import.meta.url));
let home: string;
let cluster: Awaited<ReturnType<typeof startCluster>>;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'pgb-bad-input-'));
  cluster = await startCluster({ services: 16 });
});
afterAll(async () => {
  await cluster?.close();
  rmSync(home, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The program without a terminal, in an empty home of its own. */
function run(...args: string[]): Promise<Ended> {
  const state = join(home, 'state');
  rmSync(state, { recursive: true, force: true });
  const { KUBECONFIG: _, CI: __, ...outside } = process.env;
  const child = spawn(process.execPath, [door, ...args], {
    cwd: home,
    env: { ...outside, HOME: home, PGB_WIZARD_HOME: state },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

/** One error, no stack, no escape codes, and a next step. */
function expectClear(ended: Ended, code: number, ...parts: string[]) {
  expect(ended.err.match(/^error: /gm), ended.err).toHaveLength(1);
  expect(ended.err).not.toMatch(/\n\s+at |\u001b\[|\[object|undefined/);
  expect(ended.err).toMatch(/^ {2}next {2}/m);
  for (const part of parts) expect(ended.err).toContain(part);
  expect(ended.code).toBe(code);
}

const headless = () => ['run', '--no-input', '--kubeconfig', cluster.kubeconfigPath];

/** Nothing was deployed and no service was touched. */
function expectUntouched() {
  const names = cluster.store.list('deployments.apps', 'nova').map((one) => one.metadata.name);
  expect(names).not.toContain('pgbouncer');
  expect(cluster.store.list('deployments.apps', 'nova').every((one) => one.metadata.generation === 1)).toBe(true);
}

describe('the cluster', () => {
  test('an unknown context', async () => {
    const ended = await run(...headless(), '--context', 'prod-eu-2');
    expectClear(ended, 2, 'no context "prod-eu-2"', 'It knows: rehearsal', '--context');
    expect(ended.out).toBe('');
  });

  test('no kubeconfig at all', async () => {
    expectClear(await run('run', '--no-input'), 2, 'there is no kubeconfig', 'pgb-wizard rehearse');
  });

  test('a server that nobody answers for', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const path = join(home, 'unreachable');
    writeFileSync(path, kubeconfigOf(`https://127.0.0.1:${port}`));
    expectClear(await run('run', '--no-input', '--kubeconfig', path), 1, `127.0.0.1:${port}`);
  });

  test('a missing namespace, also for a program', async () => {
    const ended = await run(...headless(), '-n', 'nvoa', '-o', 'json');
    expectClear(ended, 2, 'no namespace "nvoa"');
    expect(JSON.parse(ended.out)).toMatchObject({
      schema: 'pgb-wizard/v1',
      command: 'run',
      exitCode: 2,
      error: { code: 'namespace-missing' },
    });
    expectUntouched();
  });

  test('a time scale on a cluster that is no rehearsal is refused before anything else', async () => {
    const path = join(home, 'silent');
    writeFileSync(path, kubeconfigOf('https://127.0.0.1:1'));
    const ended = await run('run', '--no-input', '--time-scale', '60', '--kubeconfig', path);
    expectClear(ended, 1);
  });
});

describe('the plan', () => {
  test('a misspelt service names the one that was meant, and nothing is changed', async () => {
    const path = join(home, 'plan.yaml');
    writeFileSync(path, planWith('identiy-service'));
    const ended = await run(...headless(), '--plan', path);
    expect(ended.err).toContain('identiy-service');
    expect(ended.err).toContain('did you mean identity-service?');
    expect(ended.code).not.toBe(0);
    expectUntouched();
  });

  test('a wrong field says where it is', async () => {
    const path = join(home, 'wrong.yaml');
    writeFileSync(path, planWith('identity-service').replace('soak:', 'saok:'));
    expectClear(await run('config', 'validate', '--plan', path), 2, 'wrong.yaml', 'saok');
  });

  test('a file that is not there', async () => {
    expectClear(await run(...headless(), '--plan', join(home, 'none.yaml')), 2, 'none.yaml', '--plan');
  });
});

describe('answers and places', () => {
  test('no terminal and no --no-input names the flag', async () => {
    for (const args of [[], ['run'], ['rehearse']]) expectClear(await run(...args), 2, '--no-input');
  });

  test('a port in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const ended = await run('rehearse', '--no-input', '--port', String(port));
      expectClear(ended, 1, String(port));
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('a fault nobody knows', async () => {
    expectClear(await run('rehearse', '--no-input', '--fault', 'crashlop:auth-service'), 2, 'crashlop', 'crashloop');
  });

  test('a run nobody knows', async () => {
    expectClear(await run(...headless(), '--run', 'deadbeef'), 2, 'deadbeef', 'pgb-wizard status');
  });

  test('a record that is none', async () => {
    const folder = join(home, 'record');
    mkdirSync(folder, { recursive: true });
    const ended = await run('verify', folder);
    expect(ended.code).toBe(10);
    expect(ended.err).toMatch(/^error: /);
  });

  test('no state is left behind by any of these', () => {
    expect(existsSync(join(home, 'state', 'runs'))).toBe(false);
  });
});

function kubeconfigOf(server: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: 'not-a-token' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'nova' } }],
    'current-context': 'c',
  });
}

function planWith(service: string): string {
  return stringify({
    apiVersion: 'pgb-wizard/v1',
    kind: 'MigrationPlan',
    name: 'test',
    namespace: 'nova',
    phases: [{ id: 'p2', title: 'Pilot', soak: '1m', services: [{ name: service }] }],
  });
}

test.skipIf(process.platform !== 'linux')('output that can not be written is no success', async () => {
  for (const args of ['plan', 'plan -o json', 'config schema', '--help']) {
    const child = spawn('/bin/sh', ['-c', `exec "$0" "$@" > /dev/full`, process.execPath, door, ...args.split(' ')], {
      cwd: home,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += String(chunk);
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(`${args}: ${code}`).toBe(`${args}: 1`);
    expect(err).toMatch(/standard output cannot be written: ENOSPC/);
  }
});
