import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lineWidth } from '../components/line.ts';
import type { Intent, RunSnapshot } from '../engine/run/model.ts';
import { ACTIONS } from './actions.ts';
import { conflictsOf, keymapOf } from './keys.ts';
import { pasted, press } from './press.ts';
import type { Pressed, Scene } from './scene.ts';
import { FIRST_UI, type UiState, VIEWS } from './screen.ts';
import { SITUATIONS, type Situation } from './testing/situations.ts';
import { bigSnapshot, withStep } from './testing/snapshot.ts';
import { DEFAULT_KEYMAP, still } from './testing/still.ts';

const sceneOf = (snapshot: RunSnapshot | undefined, limits = new Map<string, number>()): Scene => ({
  snapshot,
  keymap: DEFAULT_KEYMAP,
  now: snapshot === undefined ? 0 : Date.parse(snapshot.now),
  sinceMs: 0,
  page: 20,
  limits,
});

/** Presses the keys one after the other; the last result, and all that was sent. */
function type(snapshot: RunSnapshot | undefined, keys: readonly string[], ui: UiState = FIRST_UI) {
  const sent: Intent[] = [];
  let last: Pressed = { ui, intents: [] };
  for (const key of keys) {
    last = press(last.ui, key, sceneOf(snapshot));
    sent.push(...last.intents);
  }
  return { ui: last.ui, sent, effect: last.effect };
}

const CHANGES = (intent: Intent): boolean =>
  !(
    intent.kind === 'export' ||
    (intent.kind === 'answer' && intent.answer.kind === 'rollback' && intent.answer.action === 'cancel')
  );

describe('confirming', () => {
  test('approving a change wants Enter after the key, whether the key was said once or twice', () => {
    const snapshot = SITUATIONS.confirm();
    expect(type(snapshot, ['y']).sent).toEqual([]);
    expect(type(snapshot, ['y', 'y']).sent).toEqual([]);
    expect(type(snapshot, ['y', 'enter']).sent).toHaveLength(1);
    expect(type(snapshot, ['y', 'y', 'enter']).sent).toEqual([
      { kind: 'answer', askId: 'ask-3', answer: { kind: 'confirm', action: 'approve' } },
    ]);
  });

  test.each([['n'], ['escape'], ['x'], ['space'], ['down']])('after the key, %s means no', (key) => {
    const after = type(SITUATIONS.confirm(), ['y', key]);
    expect(after.sent).toEqual([]);
    expect(after.ui.prompt).toBeUndefined();
    expect(after.ui.notice?.text).toContain('nothing was sent');
  });

  test('a rollback is approved by its typed name only', () => {
    const snapshot = SITUATIONS.rollbackAsk();
    const name = [...'prod-eu-1/nova'];
    expect(type(snapshot, ['y', ...'prod-eu-1', 'enter']).sent).toEqual([]);
    expect(type(snapshot, ['y', ...name, 'enter']).sent).toEqual([
      { kind: 'answer', askId: 'ask-7', answer: { kind: 'rollback', action: 'approve' } },
    ]);
  });

  test('continuing before the soak is over is an override with a reason', () => {
    const snapshot = SITUATIONS.decide();
    expect(type(snapshot, ['c', 'enter']).ui.notice?.text).toContain('a reason is needed');
    expect(type(snapshot, ['c', ...'window ends', 'enter', 'y', 'enter']).sent).toEqual([
      {
        kind: 'answer',
        askId: 'ask-5',
        answer: { kind: 'decide', action: 'continue', reason: 'window ends' },
      },
    ]);
  });

  test('a row of a list fills the screen and scrolls there; Escape goes back to the list first', () => {
    const open = type(SITUATIONS.migrate(), ['w', 'down', 'enter']);
    expect(open.ui).toMatchObject({ view: 'plan', detail: true, selected: { plan: expect.any(Number) } });
    expect(open.sent).toEqual([]);
    const row = open.ui.selected.plan;
    const scrolled = type(SITUATIONS.migrate(), ['w', 'down', 'enter', 'down', 'escape']);
    expect(scrolled.ui).toMatchObject({ view: 'plan', detail: false, selected: { plan: row } });
    expect(type(SITUATIONS.migrate(), ['w', 'enter', 'escape', 'escape']).ui.view).toBe('home');
  });

  test('an extension says how long it is, in the unit of the soak', () => {
    const snapshot = SITUATIONS.decide();
    const ask = snapshot.ask?.kind === 'decide' ? snapshot.ask : undefined;
    const short = { ...snapshot, ask: { ...ask!, soakMs: 15_000 } };
    expect(type(short, ['x']).ui.prompt?.detail).toEqual(['By 15 s.']);
  });

  test('continuing is no override once the soak is over and every gate passes', () => {
    const due = SITUATIONS.decideDue();
    const unknown = {
      ...due,
      ask:
        due.ask?.kind === 'decide'
          ? { ...due.ask, gates: due.ask.gates.map((gate) => ({ ...gate, verdict: 'inconclusive' as const })) }
          : due.ask,
    };
    expect(type(due, ['c', 'y', 'enter']).sent).toHaveLength(1);
    // One gate could not be measured: a human says why that is good enough.
    expect(type(unknown, ['c', 'y', 'enter']).sent).toEqual([]);
  });

  test('what a decision was asked on must still be so when it is answered', () => {
    const due = SITUATIONS.decideDue();
    const ask = due.ask?.kind === 'decide' ? due.ask : undefined;
    const passing = { ...due, ask: { ...ask!, gates: ask!.gates.slice(0, 3) } };
    const failing = {
      ...due,
      ask: { ...ask!, gates: ask!.gates.slice(0, 3).map((gate) => ({ ...gate, verdict: 'fail' as const })) },
    };
    const open = type(passing, ['c']);
    expect(open.ui.prompt?.detail[0]).toContain('Every gate passes');
    const after = press(open.ui, 'enter', sceneOf(failing));
    expect(after.intents).toEqual([]);
    expect(after.ui.prompt).toBeUndefined();
    expect(after.ui.notice?.text).toContain('meanwhile a gate fails');
    // The soak ends under the hands of somebody who types why not to wait for it.
    const soaking = { ...SITUATIONS.decide(), ask: { ...ask!, gates: ask!.gates.slice(0, 3) } };
    const before = { ...sceneOf(soaking), now: Date.parse(ask!.soakUntil) - 1000 };
    const early = [...'c', ...'because'].reduce<Pressed>((state, key) => press(state.ui, key, before), {
      ui: FIRST_UI,
      intents: [],
    });
    expect(early.ui.prompt?.title).toContain('the soak is not over');
    const late = press(early.ui, '!', { ...before, now: Date.parse(ask!.soakUntil) + 1000 });
    expect(late.ui.prompt?.text).toBe('because!');
    expect(late.ui.prompt?.title).not.toContain('soak');
  });

  test('the phase of an open decision is rolled back by answering the decision', () => {
    const snapshot = SITUATIONS.decide();
    const picked = type(snapshot, ['b', 'down', 'down', 'down', 'enter', 'y', 'enter']);
    expect(picked.sent).toEqual([{ kind: 'answer', askId: 'ask-5', answer: { kind: 'decide', action: 'rollback' } }]);
  });

  test('a failed service is rolled back by answering the failure', () => {
    expect(type(SITUATIONS.failure(), ['b', 'enter', 'y', 'enter']).sent).toEqual([
      { kind: 'answer', askId: 'ask-9', answer: { kind: 'failure', action: 'rollback-service' } },
    ]);
  });

  test('a prompt dies with its question', () => {
    const open = type(SITUATIONS.confirm(), ['y', 'y']);
    const after = press(open.ui, 'enter', sceneOf(SITUATIONS.confirmTyped()));
    expect(after.intents).toEqual([]);
    expect(after.ui.prompt).toBeUndefined();
    expect(after.ui.notice?.text).toContain('no longer open');
  });

  test('pasted text fills a field and never confirms', () => {
    const snapshot = SITUATIONS.rollbackAsk();
    const open = type(snapshot, ['y']);
    const after = pasted(open.ui, 'prod-eu-1/nova\r\n', sceneOf(snapshot));
    expect(after.intents).toEqual([]);
    expect(after.ui.prompt?.text).toBe('prod-eu-1/nova ');
    expect(after.ui.notice?.text).toContain('press Enter');
    const loose = pasted(FIRST_UI, 'y\r'.repeat(5000), sceneOf(SITUATIONS.confirm()));
    expect(loose.intents).toEqual([]);
    expect(loose.ui).toEqual(FIRST_UI);
  });
});

describe('leaving', () => {
  test('q asks, y and Enter leave', () => {
    expect(type(SITUATIONS.migrate(), ['q']).sent).toEqual([]);
    expect(type(SITUATIONS.migrate(), ['q', 'y', 'enter']).sent).toEqual([{ kind: 'leave' }]);
  });

  test('Ctrl+C twice leaves at once, still parked', () => {
    const after = type(SITUATIONS.migrate(), ['ctrl+c', 'ctrl+c']);
    expect(after.sent).toEqual([{ kind: 'leave' }]);
    expect(after.effect).toBe('leave-now');
  });

  test('before there is a run, and after it has ended, q simply closes', () => {
    expect(type(undefined, ['q']).effect).toBe('leave-now');
    expect(type(SITUATIONS.done(), ['q']).effect).toBe('close');
  });
});

describe('keys that cannot be used now', () => {
  test('say why', () => {
    expect(type(SITUATIONS.deploy(), ['b']).ui.notice?.text).toBe('b roll back: not now, no service has been moved');
    expect(type(SITUATIONS.rollingBack(), ['h']).ui.notice?.text).toContain('a rollback is not held half-way');
    expect(type(SITUATIONS.migrate(), ['c']).ui.notice?.text).toContain('only at a decision');
  });
});

test('a service that the run went on without is not approved with its phase', () => {
  const waived = withStep(SITUATIONS.confirm(), 'p2.cdn-service.migrate', { state: 'waived' });
  const services = waived.services.map((one) =>
    one.name === 'cdn-service' ? { ...one, state: 'rolled-back' as const } : one,
  );
  expect(type(SITUATIONS.confirm(), ['a']).ui.prompt?.detail[0]).toMatch(/^notification-service, cdn-service: /);
  expect(type({ ...waived, services }, ['a']).ui.notice?.text).toContain('no other service follows');
});

describe('the registry', () => {
  test('has no key with two meanings in one place', () => {
    expect(conflictsOf(DEFAULT_KEYMAP)).toEqual([]);
  });

  test('keys can be remapped, conflicts and unknown actions are named', () => {
    const { keymap, problems } = keymapOf({ leave: ['Q'], rollback: ['h'], nonsense: ['x'] });
    expect(keymap.leave).toEqual(['Q']);
    expect(problems).toContain('there is no action "nonsense"');
    expect(problems).toContain('"h" means both hold and rollback on home');
    expect(keymapOf({ interrupt: ['z'] }).keymap.interrupt).toEqual(['ctrl+c']);
  });
});

/** Ten thousand keys, one seed: what changes anything was confirmed by y + Enter or by the typed name + Enter. */
test('no sequence of keys changes anything without two confirmations', () => {
  const keys = [
    ...new Set([
      ...ACTIONS.flatMap((action) => action.keys),
      'y',
      'y',
      'y',
      'enter',
      'enter',
      'a',
      '1',
      '/',
      'tab',
      'delete',
      'ctrl+u',
      'left',
    ]),
  ];
  let seed = 20261123;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed % below;
  };
  const situations = Object.keys(SITUATIONS) as Situation[];
  let changes = 0;
  for (let round = 0; round < 100; round++) {
    const snapshot = SITUATIONS[situations[round % situations.length] ?? 'migrate']();
    const scene = sceneOf(
      snapshot,
      new Map([
        ['logs', 20],
        ['help', 10],
      ]),
    );
    let ui = FIRST_UI;
    for (let n = 0; n < 200; n++) {
      const before = ui;
      // Now and then what an operator would type, so that the fields are passed too.
      const text =
        ui.prompt?.stage === 'typed' ? ui.prompt.typed : ui.prompt?.stage === 'reason' ? 'a reason' : undefined;
      if (text !== undefined && random(3) === 0) {
        const typed = pasted(ui, text, scene);
        expect(typed.intents).toEqual([]);
        ui = typed.ui;
        continue;
      }
      const wanted = ui.prompt?.stage === 'yes' ? 'y' : 'enter';
      const key = ui.prompt !== undefined && random(3) === 0 ? wanted : (keys[random(keys.length)] ?? 'enter');
      const after = press(ui, key, scene);
      ui = after.ui;
      for (const intent of after.intents.filter(CHANGES)) {
        changes += 1;
        if (after.intents.length !== 1) throw new Error('one key sent two intents');
        const leaving = intent.kind === 'leave' && key === 'ctrl+c' && before.prompt?.action.kind === 'leave';
        if (leaving) continue;
        expect(key).toBe('enter');
        expect(before.prompt).toBeDefined();
        // Blanks around a name come with a paste of it.
        if (before.prompt?.stage === 'typed') expect(before.prompt.text.trim()).toBe(before.prompt.typed);
        else expect(before.prompt?.stage).toBe('enter');
      }
      if (n % 40 === 0) expect(still({ snapshot, columns: 60, rows: 20, ui })).toHaveLength(20);
    }
  }
  // The fuzz is worth nothing if it never gets through a prompt.
  expect(changes).toBeGreaterThan(20);
}, 60_000);

test('no frame is taller or wider than its terminal, whatever the size, the view and the fleet', () => {
  const big = bigSnapshot(120, 5, 40);
  const wide = { ...SITUATIONS.migrate(), context: '集群-très-lông-コンテキスト'.repeat(3), operator: '👩‍💻 operator' };
  const snapshots = [...Object.values(SITUATIONS).map((make) => make()), big, wide, undefined];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 240 }),
      fc.integer({ min: 1, max: 70 }),
      fc.nat(snapshots.length - 1),
      fc.constantFrom(...VIEWS),
      fc.boolean(),
      (columns, rows, index, view, ascii) => {
        const lines = still({ snapshot: snapshots[index], columns, rows, ui: { view }, ascii });
        expect(lines.length).toBeLessThanOrEqual(rows);
        for (const line of lines) expect(lineWidth(line)).toBeLessThanOrEqual(columns);
      },
    ),
    { numRuns: 300, seed: 7 },
  );
});

describe('a word to a key that does nothing', () => {
  test('fits the smallest terminal whatever the key, the situation and the view', () => {
    const keys = [...new Set(ACTIONS.flatMap((action) => action.keys))];
    const words = new Set<string>();
    for (const make of Object.values(SITUATIONS)) {
      for (const view of ['home', 'logs', 'help', 'rollback', 'record'] as const) {
        for (const key of keys) {
          const { notice } = press({ ...FIRST_UI, view, welcomed: true }, key, sceneOf(make())).ui;
          if (notice !== undefined) words.add(notice.text);
        }
      }
    }
    expect([...words].filter((text) => text.length > 58)).toEqual([]);
    expect([...words]).toContain('b roll back: not now, no service has been moved');
    expect([...words]).toContain('c continue: only at a decision');
  });

  test('goes away after a while, and the newest message of the run has its row again', () => {
    const snapshot = {
      ...SITUATIONS.migrate(),
      messages: [{ at: '2026-11-23T10:00:00.000Z', level: 'info' as const, text: 'the newest message' }],
    };
    const { ui } = type(snapshot, ['c']);
    const row = (sinceMs: number) =>
      still({ snapshot, columns: 60, rows: 20, ui, sinceMs })
        .at(-2)
        ?.map((part) => part.text)
        .join('')
        .trim();
    expect(row(1000)).toBe('c continue: only at a decision');
    expect(row(13_000)).toBe('10:00 the newest message');
  });
});

test('a view opens on what is going on now, wherever it was left', () => {
  const snapshot = SITUATIONS.migrate();
  const { ui } = type(snapshot, ['w', 'g', 'escape', 'w']);
  expect(ui.selected.plan).toBeUndefined();
});
