import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fakeHandle } from '../screens/testing/fake-handle.ts';
import { snapshotAt } from '../screens/testing/snapshot.ts';
import { askControl, type ControlServer, controlPath, serveControl } from './control.ts';

let folder: string;
let server: ControlServer | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgb-control-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function serve() {
  const handle = fakeHandle(snapshotAt('p1.deploy'));
  const served = await serveControl(folder, handle);
  if (!served.ok) throw new Error(served.error.message);
  server = served.value;
  return handle;
}

/** Sends raw bytes and answers what comes back. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(controlPath(folder));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    socket.on('close', () => resolve(answer));
    // A reset is how an endless request ends.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' ? resolve(answer) : reject(error),
    );
    socket.write(text);
  });
}

test('the socket is for its owner only', async () => {
  await serve();
  expect(statSync(controlPath(folder)).mode & 0o777).toBe(0o600);
});

test('a snapshot can be asked for', async () => {
  await serve();
  const asked = await askControl(folder, { query: 'snapshot' });
  expect(asked?.ok && asked.value.runId).toBe('7f3a');
});

test('an intent reaches the run', async () => {
  const handle = await serve();
  const intent = { kind: 'hold', reason: 'incident' } as const;
  expect((await askControl(folder, { who: 'bob@desk', intent }))?.ok).toBe(true);
  expect(handle.sent).toEqual([intent]);
});

test('a run that has ended takes no more intents', async () => {
  const handle = await serve();
  handle.show(snapshotAt('p1.deploy', { status: 'ended', outcome: 'done' }));
  const sent = await askControl(folder, { who: 'bob@desk', intent: { kind: 'leave' } });
  expect(sent).toMatchObject({ ok: false, error: { message: 'The run refused: the run has ended.' } });
  expect(handle.sent).toEqual([]);
});

test.each([
  'nonsense\n',
  '{"v":2,"query":"snapshot"}\n',
  '{"v":1,"who":"x","intent":{"kind":"format-disk"}}\n',
  '[]\n',
])('a request it does not understand is refused: %j', async (request) => {
  const handle = await serve();
  expect(JSON.parse(await raw(request))).toEqual({ ok: false, message: 'this request is not understood' });
  expect(handle.sent).toEqual([]);
});

test('an endless request is cut off', async () => {
  await serve();
  expect(await raw('x'.repeat(200_000))).toBe('');
});

test('without a process there is no answer, also when a dead one left its socket file', async () => {
  expect(await askControl(folder, { query: 'snapshot' })).toBeUndefined();
  writeFileSync(controlPath(folder), '');
  expect(await askControl(folder, { query: 'snapshot' })).toBeUndefined();
});

test('a folder with a long name gets its socket in the temporary folder', () => {
  const long = join('/', 'x'.repeat(120));
  expect(Buffer.byteLength(controlPath(long))).toBeLessThanOrEqual(100);
  expect(controlPath(long)).not.toBe(controlPath(`${long}y`));
});
