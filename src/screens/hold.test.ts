import { expect, test } from 'vitest';
import { textOf } from '../components/line.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import { choicesOf } from './accessible-choices.ts';
import { press } from './press.ts';
import { FIRST_UI, servicesAhead } from './screen.ts';
import { SITUATIONS, type Situation } from './testing/situations.ts';
import { DEFAULT_KEYMAP, still } from './testing/still.ts';

const held = (situation: Situation): RunSnapshot => ({ ...SITUATIONS[situation](), heldFor: 'look at the graphs' });

const frame = (snapshot: RunSnapshot): string =>
  still({ snapshot, columns: 60, rows: 20 })
    .map((line) => textOf(line).trimEnd())
    .join('\n');

const pressed = (snapshot: RunSnapshot, key: string) =>
  press(FIRST_UI, key, {
    snapshot,
    keymap: DEFAULT_KEYMAP,
    now: Date.parse(snapshot.now),
    sinceMs: 0,
    page: 12,
    limits: new Map(),
  });

test.each(['confirm', 'decide', 'failure'] as const)(
  'a hold while something is asked is seen, and lifted (%s)',
  (situation) => {
    expect(frame(SITUATIONS[situation]())).not.toContain('ON HOLD');
    expect(frame(held(situation))).toContain('ON HOLD');
    expect(pressed(held(situation), 'h').ui.prompt?.action).toEqual({ kind: 'unhold' });
  },
);

test('a hold at a decision holds the run and answers nothing', () => {
  expect(pressed(SITUATIONS.decide(), 'h').ui.prompt?.action).toEqual({ kind: 'hold' });
});

test('what would be asked again after the hold is not approved during it', () => {
  expect(frame(held('confirm'))).toContain('On hold: look at the graphs');
  const { ui } = pressed(held('confirm'), 'y');
  expect(ui.prompt).toBeUndefined();
  expect(ui.notice?.text).toContain('the run is on hold');
  const labels = choicesOf(held('confirm'), 0).map((choice) => choice.label);
  expect(labels).not.toContain('Approve');
  expect(labels).toContain('Lift the hold');
});

test('an approval of the phase names nobody who was left out of it', () => {
  const snapshot = SITUATIONS.confirm();
  const names = servicesAhead(snapshot, 'p2.notification-service.migrate');
  expect(names).toContain('cdn-service');
  const steps = snapshot.steps.map((step) =>
    step.id === 'p2.cdn-service.migrate' ? { ...step, state: 'waived' as const } : step,
  );
  expect(servicesAhead({ ...snapshot, steps }, 'p2.notification-service.migrate')).toEqual(
    names.filter((name) => name !== 'cdn-service'),
  );
});
