import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import type { DueEvent } from '../screens/due.ts';
import { notifier } from './notify.ts';

const folder = mkdtempSync(join(tmpdir(), 'pgb-wizard-notify-'));
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DUE: DueEvent = { id: 'ask-5', title: 'Continue with phase 3?', runId: '7f3a', namespace: 'nova' };
const TEXT = 'pgb-wizard nova (run 7f3a): Continue with phase 3?';
const LIMITS = { commandMs: 300, webhookMs: 300 };

/** A program that does `code`, as a command line. */
const program = (code: string, ...args: string[]) => [process.execPath, '-e', code, '--', ...args];

async function listen(answer: RequestListener) {
  const server = createServer(answer);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T0/a-token-in-the-path`;
}

describe('a notify command', () => {
  test('gets what is due as its last argument, behind its own', async () => {
    const path = join(folder, 'arguments');
    const write = "require('fs').writeFileSync(process.argv[1], JSON.stringify(process.argv.slice(1)))";
    const notify = notifier({ command: program(write, path, '--urgent') });
    expect(await notify?.(DUE)).toBeUndefined();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([path, '--urgent', TEXT]);
  });

  test('is stopped at its limit, with what it started', async () => {
    const path = join(folder, 'child');
    const endless = `const c = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
      require('fs').writeFileSync(process.argv[1], String(c.pid)); setInterval(() => {}, 1000)`;
    const notify = notifier({ command: program(endless, path) }, { ...LIMITS, commandMs: 1500 });
    expect(await notify?.(DUE)).toBe('notification: node was stopped after 1.5 s');
    const pid = Number(readFileSync(path, 'utf8'));
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 5000, interval: 10 });
  });

  test('that fails, or is not there, is told without its arguments', async () => {
    const failing = notifier({ command: program('process.exit(3)', '--token=abc') });
    expect(await failing?.(DUE)).toBe('notification: node ended with 3');
    const missing = notifier({ command: ['/no/such/notifier', '--token=abc'] });
    expect(await missing?.(DUE)).toBe('notification: notifier cannot be started (ENOENT)');
  });

  test('gets no escape sequence of a hostile title', async () => {
    const path = join(folder, 'hostile');
    const write = "require('fs').writeFileSync(process.argv[1], process.argv[2])";
    await notifier({ command: program(write, path) })?.({ ...DUE, title: 'a\u001B]0;b\u0007\nc' });
    expect(readFileSync(path, 'utf8')).not.toMatch(/[\u0000-\u001f]/);
  });
});

describe('a webhook', () => {
  test('gets one POST with the text as JSON', async () => {
    const seen: unknown[] = [];
    const url = await listen((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        seen.push([request.method, request.headers['content-type'], JSON.parse(body)]);
        response.end('ok');
      });
    });
    expect(await notifier({ webhook: url })?.(DUE)).toBeUndefined();
    expect(seen).toEqual([['POST', 'application/json', { text: TEXT }]]);
  });

  test('that does not answer is given up at its limit', async () => {
    const url = await listen(() => undefined);
    expect(await notifier({ webhook: url }, LIMITS)?.(DUE)).toMatch(
      /^notification: 127\.0\.0\.1:\d+ did not answer within 0\.3 s$/,
    );
  });

  test('that refuses or is not there is told by its host only: its path is its password', async () => {
    const url = await listen((_, response) => response.writeHead(403).end());
    expect(await notifier({ webhook: url })?.(DUE)).toMatch(/^notification: 127\.0\.0\.1:\d+ answered 403$/);
    servers.splice(0)[0]?.close();
    const gone = notifier({ webhook: 'http://127.0.0.1:1/secret' });
    expect(await gone?.(DUE)).toMatch(/^notification: 127\.0\.0\.1:1 cannot be reached/);
    expect(await gone?.(DUE)).not.toContain('secret');
  });

  test('is not followed to somebody else', async () => {
    let asked = 0;
    const other = await listen((_, response) => {
      asked++;
      response.end();
    });
    const url = await listen((_, response) => response.writeHead(307, { location: other }).end());
    expect(await notifier({ webhook: url })?.(DUE)).toMatch(/answered 307$/);
    expect(asked).toBe(0);
  });
});

test('both are tried, and each failure is told', async () => {
  const notify = notifier({ command: ['/no/such/notifier'], webhook: 'http://127.0.0.1:1/' });
  expect(await notify?.(DUE)).toMatch(/notifier cannot be started.*; 127\.0\.0\.1:1 cannot be reached/);
});

test('nothing configured is nothing to call', () => {
  expect(notifier(undefined)).toBeUndefined();
  expect(notifier({})).toBeUndefined();
});
