import { afterEach, describe, expect, test, vi } from 'vitest';
import { ok, wizardError } from '../engine/result.ts';
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';
import { renderEndSummary, showWizard, type WizardOptions, type WizardResult } from './main.tsx';
import { countingTerminal } from './testing/bench.ts';
import { fakeHandle } from './testing/fake-handle.ts';
import { pools } from './testing/measured.ts';
import { SITUATIONS } from './testing/situations.ts';

const ESCAPES = /\u001B\[[0-9;?]*[a-zA-Z]/g;
const open: Promise<WizardResult>[] = [];

/** A screen on a terminal that remembers what was written to it. */
function show(handle: WizardOptions['handle'], more: Partial<WizardOptions> = {}) {
  const terminal = countingTerminal(100, 30);
  const result = showWizard({
    handle,
    color: 'never',
    ascii: false,
    stdout: terminal.stdout,
    stdin: terminal.stdin,
    env: {},
    start: { context: 'prod-eu-1', namespace: 'nova' },
    ...more,
  });
  open.push(result);
  const seen = () => terminal.text().replace(ESCAPES, '');
  const see = (text: string) => vi.waitFor(() => expect(seen()).toContain(text), { timeout: 5000, interval: 10 });
  const keys = async (...all: string[]) => {
    for (const key of all) {
      const before = terminal.bytes();
      terminal.type(key);
      await vi.waitFor(() => expect(terminal.bytes()).toBeGreaterThan(before), { timeout: 5000, interval: 5 });
    }
  };
  return { terminal, result, seen, see, keys };
}

afterEach(async () => {
  // Whatever a test leaves on the screen would hold its signal handlers.
  await Promise.all(open.splice(0));
});

const parked = (snapshot: RunSnapshot): RunSnapshot => ({
  ...snapshot,
  status: 'ended',
  outcome: 'parked',
  waitingFor: undefined,
});

describe('the screen', () => {
  test('shows where it connects before there is a run, then the run', async () => {
    const handle = fakeHandle(SITUATIONS.migrate());
    let load: (value: ReturnType<typeof ok<RunHandle>>) => void = () => undefined;
    const screen = show(new Promise((resolve) => (load = resolve)));
    await screen.see('connecting');
    await screen.see('prod-eu-1 / nova');
    load(ok(handle));
    await screen.see('Migrate notification-service');
    handle.show(parked(SITUATIONS.migrate()));
    expect(await screen.result).toMatchObject({ leftBy: 'leave', summarised: true });
  });

  test('leaves the alternate screen and prints the summary when the run was left by q, y, Enter', async () => {
    const handle = fakeHandle(SITUATIONS.migrate());
    const screen = show(handle);
    await screen.see('Migrate notification-service');
    await screen.keys('q', 'y', '\r');
    expect(handle.sent).toEqual([{ kind: 'leave' }]);
    handle.show(parked(SITUATIONS.migrate()));
    expect((await screen.result).leftBy).toBe('leave');
    const text = screen.terminal.text();
    const left = text.lastIndexOf('\u001B[?1049l');
    expect(left).toBeGreaterThan(0);
    expect(text.slice(left)).toContain('\u001B[?25h');
    expect(text.slice(left)).toContain('Parked: nothing is under way');
  });

  test('has the logs followed while they are on the screen, and no longer', async () => {
    const handle = fakeHandle(SITUATIONS.migrate());
    const screen = show(handle);
    await screen.see('Migrate notification-service');
    expect(handle.readers()).toBe(0);
    await screen.keys('l');
    await vi.waitFor(() => expect(handle.readers()).toBe(1));
    await screen.keys('\u001B');
    await vi.waitFor(() => expect(handle.readers()).toBe(0));
    await screen.keys('l');
    await vi.waitFor(() => expect(handle.readers()).toBe(1));
    handle.show(parked(SITUATIONS.migrate()));
    await screen.result;
    await vi.waitFor(() => expect(handle.readers()).toBe(0));
  });

  test('a log that one scrolled back in stands still, and says how much is newer', async () => {
    const before = SITUATIONS.migrate();
    const handle = fakeHandle(before);
    const screen = show(handle);
    await screen.see('Migrate notification-service');
    await screen.keys('l', '\u001B[A');
    await screen.see('stopped');
    const fresh = Array.from({ length: 600 }, (_, n) => ({ source: 'cart-1', text: `fresh ${n}` }));
    handle.show({ ...before, logLines: [...before.logLines, ...fresh].slice(-500) });
    await screen.see('(500 newer)');
    expect(screen.seen()).not.toContain('fresh');
    await screen.keys('\u001B[F');
    await screen.see('fresh 599');
    handle.show(parked(before));
    await screen.result;
  });

  test('stays on the end of a run until a key closes it', async () => {
    const handle = fakeHandle(SITUATIONS.migrate());
    const screen = show(handle);
    await screen.see('Migrate notification-service');
    handle.show(SITUATIONS.done());
    await screen.see('Done: every service');
    screen.terminal.type('\r');
    expect(await screen.result).toMatchObject({ leftBy: 'end', snapshot: { outcome: 'done' } });
  });

  test('a run that could not be opened leaves with an error and no summary', async () => {
    const screen = show(Promise.resolve({ ok: false, error: wizardError('context-unknown', 'no such context') }));
    expect(await screen.result).toMatchObject({ leftBy: 'error', snapshot: undefined, summarised: false });
    expect(screen.terminal.text()).toContain('\u001B[?1049l');
  });

  test('an aborted signal asks the run to park, waits for it, and leaves', async () => {
    const handle = fakeHandle(SITUATIONS.migrate());
    const stop = new AbortController();
    const screen = show(handle, { signal: stop.signal });
    await screen.see('Migrate notification-service');
    stop.abort();
    expect(handle.sent).toEqual([{ kind: 'leave' }]);
    handle.show(parked(SITUATIONS.migrate()));
    expect(await screen.result).toMatchObject({ leftBy: 'signal', signal: 'SIGTERM' });
  });

  test('without colour no colour, weight or inversion is written', async () => {
    const handle = fakeHandle(SITUATIONS.decideFail());
    const screen = show(handle, { color: 'auto', env: { NO_COLOR: '1' } });
    await screen.see('Continue with phase 4?');
    handle.show(parked(SITUATIONS.migrate()));
    await screen.result;
    expect(screen.terminal.text()).not.toMatch(/\u001B\[[0-9;]*m/);
  });

  test('a dumb terminal gets lines and no escape sequence, whatever else it promises', async () => {
    const handle = fakeHandle(SITUATIONS.confirm());
    const screen = show(handle, { color: 'auto', env: { TERM: 'dumb', LANG: 'C.UTF-8' } });
    await screen.see('1. Approve');
    handle.show(parked(SITUATIONS.migrate()));
    expect(await screen.result).toMatchObject({ leftBy: 'leave', summarised: true });
    expect(screen.terminal.text()).toMatch(/^[\x20-\x7e\n]*$/);
  });

  test('a locale without UTF-8 gets ASCII, in colour', async () => {
    const handle = fakeHandle(SITUATIONS.decideFail());
    const screen = show(handle, { ascii: undefined, color: 'auto', env: { LANG: 'C', TERM: 'xterm' } });
    await screen.see('x clients waiting');
    handle.show(parked(SITUATIONS.migrate()));
    await screen.result;
    expect(screen.seen()).toMatch(/^[\x20-\x7e\r\n\u0007]*$/);
    expect(screen.terminal.text()).toMatch(/\u001B\[[0-9;]*m/);
  });

  test('rings once for a decision that is due and not for one whose soak still runs', async () => {
    const handle = fakeHandle(SITUATIONS.decide());
    const told: string[] = [];
    const screen = show(handle, {
      notify: async ({ id }) => {
        told.push(id);
        return undefined;
      },
    });
    await screen.see('the soak is not over');
    expect(told).toEqual([]);
    handle.show(SITUATIONS.decideDue());
    await screen.see('continuing is safe');
    handle.show({ ...SITUATIONS.decideDue() });
    handle.show(parked(SITUATIONS.migrate()));
    await screen.result;
    expect(told).toEqual(['ask-5']);
    expect(screen.terminal.text().split('\u0007')).toHaveLength(2);
  });

  test('a notification that fails is told on the screen, and nothing else comes of it', async () => {
    const handle = fakeHandle(SITUATIONS.failure());
    const screen = show(handle, { notify: async () => 'notification: notify-send ended with 3' });
    await screen.see('notification: notify-send ended with 3');
    expect(handle.sent).toEqual([]);
    handle.show(parked(SITUATIONS.migrate()));
    expect((await screen.result).leftBy).toBe('leave');
  });

  test('gates that come and go ring once', async () => {
    const handle = fakeHandle(SITUATIONS.decideFail());
    const screen = show(handle);
    await screen.see('a gate fails: roll back');
    const { ask } = SITUATIONS.decideFail();
    if (ask?.kind !== 'decide') throw new Error('not a decision');
    handle.show({ ...SITUATIONS.decideFail(), ask: { ...ask, recommendation: 'wait' } });
    await screen.see('the soak is not over: wait');
    handle.show(SITUATIONS.decideFail());
    await vi.waitFor(() => expect(screen.seen().split('a gate fails: roll back').length).toBeGreaterThan(2));
    handle.show(parked(SITUATIONS.migrate()));
    await screen.result;
    expect(screen.terminal.text().split('\u0007')).toHaveLength(2);
  });

  test('no key works on a terminal that is too small to show what it does, but Ctrl+C', async () => {
    const handle = fakeHandle(SITUATIONS.confirm());
    const screen = show(handle);
    await screen.see('Switch notification-service');
    Object.assign(screen.terminal.stdout, { columns: 39, rows: 11 });
    screen.terminal.stdout.emit('resize');
    await screen.see('you are asked');
    for (const key of ['y', '\r', 'q', '\r']) screen.terminal.type(key);
    Object.assign(screen.terminal.stdout, { columns: 100, rows: 30 });
    screen.terminal.stdout.emit('resize');
    await screen.see('the same by hand');
    expect(screen.seen()).not.toContain('Leave the wizard?');
    expect(handle.sent).toEqual([]);
    Object.assign(screen.terminal.stdout, { columns: 39, rows: 11 });
    screen.terminal.stdout.emit('resize');
    for (const key of ['\u0003', '\u0003']) screen.terminal.type(key);
    await vi.waitFor(() => expect(handle.sent).toEqual([{ kind: 'leave' }]));
    handle.show(parked(SITUATIONS.migrate()));
    await screen.result;
  });

  test('a paste of 10 KB that looks like answers sends nothing', async () => {
    const handle = fakeHandle(SITUATIONS.confirm());
    const screen = show(handle);
    await screen.see('Switch notification-service');
    screen.terminal.type(`\u001B[200~${'yy\r'.repeat(3500)}\u001B[201~`);
    screen.terminal.type('yy\r'.repeat(1500));
    await screen.keys('?');
    expect(handle.sent).toEqual([]);
    handle.show(parked(SITUATIONS.migrate()));
    await screen.result;
  });

  test('200 changes of the size leave one whole frame of the last size', async () => {
    const handle = fakeHandle(SITUATIONS.migrate());
    const screen = show(handle);
    await screen.see('Migrate notification-service');
    for (let n = 0; n < 200; n++) {
      Object.assign(screen.terminal.stdout, { columns: 40 + ((n * 37) % 160), rows: 12 + ((n * 13) % 48) });
      screen.terminal.stdout.emit('resize');
    }
    Object.assign(screen.terminal.stdout, { columns: 80, rows: 24 });
    screen.terminal.stdout.emit('resize');
    await screen.see('1/1 updated');
    handle.show(parked(SITUATIONS.migrate()));
    expect((await screen.result).leftBy).toBe('leave');
  }, 60_000);
});

test('an unchanged dashboard writes less than 1.5 KB and at most four frames a second', async () => {
  const handle = fakeHandle(SITUATIONS.migrate());
  const screen = show(handle, { color: 'auto' });
  await screen.see('Migrate notification-service');
  const before = screen.terminal.bytes();
  // Every frame is written between the marks of a synchronised update.
  const frames = () => screen.terminal.text().split('\u001B[?2026h').length - 1;
  const framesBefore = frames();
  const seconds = 2;
  const end = Date.now() + seconds * 1000;
  let shown = 0;
  // New snapshots with new samples come far more often than they may be drawn.
  await vi.waitFor(
    () => {
      // A number that changes each time, so that each snapshot would be a frame of its own.
      shown += 1;
      handle.show({ ...SITUATIONS.migrate(), pools: pools({ waiting: shown % 9 }) });
      expect(Date.now()).toBeGreaterThan(end);
    },
    { timeout: 5000, interval: 50 },
  );
  expect((screen.terminal.bytes() - before) / seconds).toBeLessThan(1500);
  expect(frames() - framesBefore).toBeGreaterThan(2);
  // One may have begun before, and one ended after.
  expect(frames() - framesBefore).toBeLessThanOrEqual(4 * seconds + 2);
  handle.show(parked(SITUATIONS.migrate()));
  await screen.result;
});

test('an end that is not everywhere does not say so', () => {
  const done = SITUATIONS.done();
  const services = done.services.map((one, index) => ({
    ...one,
    state: index === 0 ? ('switching' as const) : ('pooled' as const),
  }));
  const [first] = renderEndSummary({ ...done, services }, { width: 100 }).split('\n');
  expect(first).toContain(
    `Done, but not everywhere: ${services.length - 1} of ${services.length} services are proved to use PgBouncer`,
  );
  expect(renderEndSummary({ ...done, services: services.slice(1) }, { width: 100 })).toContain('Done: every service');
});

test('the way back is named unless its cluster ends with the rehearsal', () => {
  const served = { ...SITUATIONS.done(), rehearsal: true };
  expect(renderEndSummary(served, { width: 100 })).toContain('pgb-wizard rollback');
  const own = renderEndSummary(served, { width: 100, start: { rehearsal: true } });
  expect(own).not.toContain('pgb-wizard rollback');
  expect(own).toContain('pgb-wizard init');
});

test('one service that went back is not all of them, and a rehearsal is begun again by its own command', () => {
  const done = SITUATIONS.done();
  const services = done.services.map((one, index) => ({
    ...one,
    state: index < 1 ? ('rolled-back' as const) : one.state,
  }));
  const ended = { ...done, services, outcome: 'rolled-back' as const };
  const [first] = renderEndSummary(ended, { width: 100 }).split('\n');
  expect(first).toContain('Rolled back: 1 service; 15 stay pooled');
  expect(renderEndSummary(ended, { width: 100 })).toContain('`pgb-wizard --fresh`');
  expect(renderEndSummary(ended, { width: 100, start: { rehearsal: true } })).toContain(
    '`pgb-wizard rehearse --fresh`',
  );
});

test('the end summary is plain text of at most the given width', () => {
  const text = renderEndSummary(SITUATIONS.done(), { width: 72 });
  expect(text).toMatchInlineSnapshot(`
    " ✔ Done: every service of the plan reaches PostgreSQL through PgBouncer
       where     prod-eu-1 / nova
       run       7f3a by alice@bastion, 41 m 12 s
       services  16 pooled
                 ✔ 1 Deploy PgBouncer        5/5 done
                 ✔ 2 Pilot services          3/3 done
                 ✔ 3 Core services           4/4 done
                 ✔ 4 Critical services       9/9 done
                 ✔ 5 Verify and clean up     3/3 done
       record    pgb-wizard-7f3a (record.md, report.html, record.json)
       next      after 48 h, lower the pools of the applications
                 themselves: the numbers are in record.md under the
                 follow-up
       way back  pgb-wizard rollback --run 7f3a --service NAME (or --phase
                 p4, or --all)
       journal   ~/.local/state/pgb-wizard/runs/7f3a/events.jsonl, 214
                 events"
  `);
  for (const row of text.split('\n')) expect(row.length).toBeLessThanOrEqual(72);
});
