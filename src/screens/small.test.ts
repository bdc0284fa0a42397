import { describe, expect, test } from 'vitest';
import { checklistLine } from '../components/checklist.ts';
import { rolloutBar } from '../components/evidence.ts';
import { gateLines } from '../components/gates.ts';
import { lineWidth, textOf } from '../components/line.ts';
import { UNICODE } from '../components/theme.ts';
import type { GateView, RunSnapshot } from '../engine/run/model.ts';
import { openPrompt } from './prompt.ts';
import { promptLines } from './prompt-box.ts';
import type { UiState } from './screen.ts';
import { SITUATIONS, type Situation } from './testing/situations.ts';
import { still } from './testing/still.ts';

const smallest = (situation: Situation, ui: Partial<UiState> = {}): string[] =>
  still({ snapshot: SITUATIONS[situation](), columns: 40, rows: 12, ui }).map((line) => textOf(line).trimEnd());

describe('on the smallest terminal', () => {
  test.each(['decide', 'decideDue', 'decideFail', 'decideExtended', 'failure'] as const)(
    'the way back is named: %s',
    (situation) => {
      expect(smallest(situation).at(-1)).toContain('b roll back');
    },
  );

  test('help and leaving keep their keys when they give up their words', () => {
    expect(smallest('decide').at(-1)).toMatch(/\? +q$/);
  });

  test('what chooses is named where something is to be chosen', () => {
    expect(smallest('batch', { view: 'rollback' }).at(-1)).toContain('Enter choose');
  });

  test('the question of a decision stays in one row', () => {
    const snapshot = SITUATIONS.decide();
    if (snapshot.ask?.kind !== 'decide') throw new Error('no decision');
    const gates = [...snapshot.ask.gates, ...snapshot.ask.gates, ...snapshot.ask.gates];
    const ask = { ...snapshot.ask, title: 'Continue after phase 2?', gates };
    const rows = still({ snapshot: { ...snapshot, ask }, columns: 40, rows: 12 }).map(textOf);
    expect(rows[1]).toMatch(/^ ◇ Continue after phase 2\? +↓ \d+\/\d+ *$/);
  });

  test('a prompt never hides its field, however much there is to say', () => {
    const prompt = openPrompt(
      {
        title: 'Continue although a gate could not be measured, and the soak is not over?',
        detail: ['one sentence that takes two rows of this terminal', 'and another one that takes two rows of it'],
        reason: 'required',
        action: { kind: 'hold' },
      },
      'enter',
    );
    const given = { ...prompt, given: 'the owner said so', stage: 'yes' as const };
    for (const one of [prompt, given]) {
      const rows = promptLines(one, 40, UNICODE, 8);
      expect(rows.length).toBeLessThanOrEqual(8);
      const text = rows.map(textOf).join('\n');
      expect(text).toContain(one.stage === 'yes' ? 'sends nothing' : 'then Enter');
      for (const row of rows) expect(lineWidth(row)).toBeLessThanOrEqual(40);
    }
  });
});

describe('the phases in one line', () => {
  const withRollback = (): RunSnapshot => {
    const snapshot = SITUATIONS.decide();
    const more = ['post', 'rollback'].map((id, index) => ({
      ...snapshot.phases[0]!,
      id,
      number: 6 + index,
      state: index === 0 ? ('todo' as const) : ('done' as const),
    }));
    return {
      ...snapshot,
      phases: [{ ...snapshot.phases[0]!, id: 'preflight', number: 0 }, ...snapshot.phases, ...more],
    };
  };

  test.each([40, 60, 79])('every phase is there on %i columns', (columns) => {
    const line = checklistLine(withRollback(), columns, UNICODE);
    expect(lineWidth(line)).toBeLessThanOrEqual(columns);
    for (let number = 0; number <= 7; number++) expect(textOf(line)).toMatch(new RegExp(`\\S${number}( |$)`));
    expect(textOf(line)).toMatch(/▶2 \d\/\d/);
  });
});

describe('gates', () => {
  const gate = (verdict: GateView['verdict'], observed: string): GateView => ({
    id: 'response-time',
    title: 'response time',
    verdict,
    observed,
    limit: 'at most 10 % above',
    history: [],
  });
  const told = 'slower from 20 ms; auth-service, baseline 0.5 ms';

  test('a value that passes loses its remarks, not its end', () => {
    const [row = []] = gateLines([gate('pass', `1.5 ms, ${told}`)], 40, UNICODE);
    expect(textOf(row)).toContain(' 1.5 ms ');
    expect(textOf(row)).not.toContain('…');
  });

  test('one that does not pass is told to its end, with its limit', () => {
    const text = gateLines([gate('fail', `31 ms, ${told}`)], 60, UNICODE)
      .map((row) => textOf(row).trim())
      .join(' ');
    expect(text).toContain(`31 ms, ${told}; limit: at most 10 % above`);
  });
});

test('a rollout is not over while an old pod is left, whatever a surge makes available', () => {
  const rollout = { updated: 3, available: 3, desired: 3, old: 1 } as Parameters<typeof rolloutBar>[0];
  expect(rolloutBar(rollout, 10, UNICODE)).toContain('░');
  expect(rolloutBar({ ...rollout, updated: 2, available: 4, old: 2 }, 10, UNICODE)).toContain('░');
  expect(rolloutBar({ ...rollout, old: 0 }, 10, UNICODE)).not.toContain('░');
});
