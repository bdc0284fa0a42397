/** The screen in a real terminal: what only a pty shows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type IPty, spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { inkByRows, withoutDevtools } from '../../scripts/build/plugins.mjs';

const dir = mkdtempSync(join(tmpdir(), 'pgb-wizard-screen-'));
const program = join(dir, 'preview.mjs');

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('./testing/preview.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    banner: { js: "import{createRequire as r}from'node:module';const require=r(import.meta.url);" },
    // As the product is built: frames go the short way through Ink.
    plugins: [withoutDevtools, inkByRows],
    logLevel: 'error',
  });
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const running = new Set<IPty>();
afterEach(() => {
  for (const pty of running) pty.kill('SIGKILL');
  running.clear();
});

function start(command: string, args: readonly string[], cols = 100, rows = 30) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== 'CI' && name !== 'NO_COLOR'));
  const pty = spawn(command, [...args], {
    name: 'xterm-256color',
    cols,
    rows,
    env: { ...env, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', PS1: '$ ' },
  });
  running.add(pty);
  const term = new xterm.Terminal({ cols, rows, allowProposedApi: true, scrollback: 500 });
  let raw = '';
  pty.onData((data) => {
    raw += data;
    term.write(data);
  });
  term.onData((data) => pty.write(data));
  let exit: { exitCode: number; signal?: number } | undefined;
  pty.onExit((event) => {
    running.delete(pty);
    exit = event;
  });
  const rowsOf = () =>
    Array.from(
      { length: term.rows },
      (_, y) => term.buffer.active.getLine(term.buffer.active.viewportY + y)?.translateToString(true) ?? '',
    );
  const see = (text: string | RegExp) =>
    vi.waitFor(() => expect(rowsOf().join('\n')).toMatch(text), { timeout: 10_000, interval: 20 });
  const over = () =>
    vi.waitFor(
      () => {
        expect(exit).toBeDefined();
        return exit!;
      },
      { timeout: 10_000, interval: 10 },
    );
  return { pty, term, rowsOf, see, over, raw: () => raw };
}

const wizard = (situation = 'migrate', cols?: number, rows?: number) =>
  start(process.execPath, [program, situation], cols, rows);

test('a frame fills the terminal to its last row', async () => {
  const { see, rowsOf, term } = wizard('migrate', 80, 24);
  await see('Migrate notification-service');
  expect(term.buffer.active.type).toBe('alternate');
  await vi.waitFor(() => expect(rowsOf()[23]).toMatch(/q leave, resumable$/));
  expect(rowsOf()[0]).toMatch(/^ pgb-wizard {2}prod-eu-1 \/ nova/);
});

test('leaving gives the terminal back and leaves the summary in the scrollback', async () => {
  const { pty, see, over, term, rowsOf, raw } = wizard();
  await see('Migrate notification-service');
  pty.write('q');
  await see(/Leave the wizard[\s\S]*\[Enter\] does it/);
  pty.write('\r');
  expect((await over()).exitCode).toBe(0);
  await vi.waitFor(() => expect(rowsOf().join('\n')).toContain('left by leave, sent [{"kind":"leave"}]'));
  expect(rowsOf().join('\n')).toContain('Parked: nothing is under way');
  expect(term.buffer.active.type).toBe('normal');
  expect(raw().lastIndexOf('\u001B[?25h')).toBeGreaterThan(raw().lastIndexOf('\u001B[?25l'));
});

test('resizing 200 times leaves no ghosts', async () => {
  const { pty, term, see, rowsOf } = wizard();
  await see('Migrate notification-service');
  for (let n = 0; n < 200; n++) {
    const cols = 60 + ((n * 37) % 140);
    const rows = 20 + ((n * 13) % 40);
    pty.resize(cols, rows);
    term.resize(cols, rows);
    if (n % 10 === 0) await new Promise(setImmediate);
  }
  pty.resize(80, 24);
  term.resize(80, 24);
  await vi.waitFor(() => expect(rowsOf()[23]).toMatch(/q leave, resumable$/), { timeout: 10_000 });
  await vi.waitFor(
    () => {
      const all = rowsOf();
      expect(all.filter((row) => row.includes('pgb-wizard'))).toHaveLength(1);
      expect(all.filter((row) => row.includes('PostgreSQL 56 of 200'))).toHaveLength(1);
      expect(all.filter((row) => row.startsWith(' waiting for'))).toHaveLength(1);
    },
    { timeout: 10_000 },
  );
});

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const)('%s restores the terminal and is told to the caller', async (signal, code) => {
  const { pty, see, over, term } = wizard();
  await see('Migrate notification-service');
  pty.kill(signal);
  expect((await over()).exitCode).toBe(code);
  await vi.waitFor(() => expect(term.buffer.active.type).toBe('normal'));
});

test('Ctrl+Z gives the shell its terminal, fg brings the screen and its keys back', async () => {
  const { pty, see, term } = start('bash', ['--norc', '--noprofile', '-i']);
  await see(/\$ $/m);
  pty.write(`${process.execPath} ${program} migrate\r`);
  await see('Migrate notification-service');
  pty.write('\u001A');
  await see('Stopped');
  expect(term.buffer.active.type).toBe('normal');
  pty.write('echo shell $((40+2))\r');
  await see('shell 42');
  pty.write('fg\r');
  await see('Migrate notification-service');
  pty.write('?');
  await see('no single key changes anything');
  pty.write('\u0003');
  await see('Leave the wizard');
  pty.write('\u0003');
  await see('left by leave');
});

test('a terminal that goes away ends the process at once with 129', async () => {
  // A helper owns the pty, so that closing it is a real hangup and the exit code is still seen.
  const helper = [
    'import os, pty, sys, time, select',
    'pid, fd = pty.fork()',
    'if pid == 0: os.execv(sys.argv[1], sys.argv[1:])',
    'seen = b""',
    'end = time.time() + 8',
    'while b"Migrate" not in seen and time.time() < end:',
    '    if select.select([fd], [], [], 0.1)[0]: seen += os.read(fd, 65536)',
    'os.close(fd)',
    'began = time.time()',
    'done, status = os.waitpid(pid, 0)',
    'print("exit", os.waitstatus_to_exitcode(status), "fast" if time.time() - began < 1 else "slow", flush=True)',
  ].join('\n');
  const { see, over } = start('python3', ['-c', helper, process.execPath, program, 'migrate']);
  await see('exit 129 fast');
  await over();
});
