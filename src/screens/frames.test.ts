import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Line, lineWidth, textOf } from '../components/line.ts';
import { keysDoc } from './keys-doc.ts';
import { openPrompt } from './prompt.ts';
import { FIRST_UI, type UiState, type ViewId } from './screen.ts';
import { SITUATIONS, type Situation } from './testing/situations.ts';
import { type Still, still } from './testing/still.ts';

const SIZES = [
  [60, 20],
  [80, 24],
  [100, 30],
  [200, 60],
] as const;

/** Every screen, and the situation that shows most of it. */
const SCREENS: Readonly<Record<string, { situation: Situation | undefined; view?: ViewId; ui?: Partial<UiState> }>> = {
  start: { situation: undefined },
  'dashboard-deploy': { situation: 'deploy' },
  'dashboard-migrate': { situation: 'migrate' },
  'dashboard-batch': { situation: 'batch' },
  'dashboard-held': { situation: 'held' },
  'dashboard-stale': { situation: 'stale' },
  'dashboard-rehearsal': { situation: 'rehearsal' },
  preflight: { situation: 'preflight' },
  welcome: { situation: 'first', ui: { welcomed: false } },
  confirm: { situation: 'confirm' },
  'confirm-prepare': { situation: 'confirmPrepare' },
  'confirm-typed': { situation: 'confirmTyped' },
  decision: { situation: 'decide' },
  'decision-due': { situation: 'decideDue' },
  'decision-gate-fails': { situation: 'decideFail' },
  failure: { situation: 'failure' },
  'failure-back': { situation: 'failureBack' },
  'rollback-pick': { situation: 'batch', view: 'rollback' },
  'rollback-ask': { situation: 'rollbackAsk' },
  'rollback-progress': { situation: 'rollingBack' },
  reconcile: { situation: 'reconcile' },
  services: { situation: 'migrate', view: 'services' },
  plan: { situation: 'migrate', view: 'plan' },
  'plan-detail': { situation: 'migrate', view: 'plan', ui: { detail: true } },
  'service-detail': { situation: 'migrate', view: 'services', ui: { detail: true } },
  'decision-extended': { situation: 'decideExtended' },
  pools: { situation: 'waiting', view: 'pools' },
  doctor: { situation: 'waiting', view: 'doctor' },
  logs: { situation: 'migrate', view: 'logs' },
  'logs-filter': { situation: 'migrate', view: 'logs', ui: { logFilter: 'n=1', filtering: 'n=1' } },
  record: { situation: 'migrate', view: 'record' },
  checklist: { situation: 'migrate', view: 'checklist' },
  help: { situation: 'decide', view: 'help' },
  'ask-behind-a-view': { situation: 'decideDue', view: 'logs' },
  prompt: {
    situation: 'migrate',
    ui: {
      prompt: openPrompt(
        {
          title: 'Hold the run?',
          detail: ['What is under way is finished; nothing new is begun.'],
          reason: 'required',
          action: { kind: 'hold' },
        },
        'h',
      ),
    },
  },
  end: { situation: 'done' },
  'end-failed': { situation: 'failed' },
};

const inputOf = (name: string, columns: number, rows: number, ascii = false): Still => {
  const { situation, view = 'home', ui = {} } = SCREENS[name] ?? { situation: undefined };
  return {
    snapshot: situation === undefined ? undefined : SITUATIONS[situation](),
    columns,
    rows,
    ascii,
    ui: { ...FIRST_UI, view, ...ui },
    start: { context: 'prod-eu-1', namespace: 'nova', operator: 'alice@bastion' },
  };
};

/** Colour as words: `‹ok:✔›`, so that a review sees what each token is for. */
const inTones = (line: Line): string =>
  line
    .map((part) => (part.tone === undefined || part.text.trim() === '' ? part.text : `‹${part.tone}:${part.text}›`))
    .join('')
    .trimEnd();

const plain = (lines: readonly Line[]): string => lines.map((line) => textOf(line).trimEnd()).join('\n');

describe('every screen at four sizes, in ASCII and in colour', () => {
  test.each(Object.keys(SCREENS))('%s', async (name) => {
    const parts = SIZES.map(
      ([columns, rows]) => `=== ${columns}x${rows}\n${plain(still(inputOf(name, columns, rows)))}`,
    );
    parts.push(`=== 80x24 in ASCII\n${plain(still(inputOf(name, 80, 24, true)))}`);
    parts.push(
      `=== 100x30 in tones\n${still(inputOf(name, 100, 30))
        .map(inTones)
        .join('\n')}`,
    );
    await expect(`${parts.join('\n')}\n`).toMatchFileSnapshot(`testing/frames/${name}.txt`);
  });

  test.each(Object.keys(SCREENS))('%s fills the terminal exactly and holds only ASCII when it must', (name) => {
    for (const [columns, rows] of SIZES) {
      for (const ascii of [false, true]) {
        const lines = still(inputOf(name, columns, rows, ascii));
        expect(lines.length).toBe(rows);
        for (const line of lines) {
          expect(lineWidth(line)).toBe(columns);
          if (ascii) expect(textOf(line)).toMatch(/^[\x20-\x7e]*$/);
        }
      }
    }
  });
});

test('a terminal that is too small gets one line that says so', () => {
  expect(plain(still(inputOf('decision', 39, 20)))).toBe('you are asked · 39x20 is too small, 40…');
  expect(plain(still(inputOf('dashboard-migrate', 100, 11)))).toContain(
    'running · 100x11 is too small, 40x12 is needed · p2.notification-service.migrate',
  );
});

test('the waiting line is never empty while something runs', () => {
  for (const [name, make] of Object.entries(SITUATIONS)) {
    const snapshot = make();
    if (snapshot.status === 'ended') continue;
    const text = plain(still({ snapshot, columns: 100, rows: 30 }));
    expect(text, name).toMatch(/ waiting for \S+/);
  }
  const silent = { ...SITUATIONS.migrate(), waitingFor: undefined };
  expect(plain(still({ snapshot: silent, columns: 100, rows: 30 }))).toContain(
    'waiting for the engine, which does not say what it does',
  );
});

test('on the smallest common terminal no heading and no line of what is waited for is cut', () => {
  for (const [name, make] of Object.entries(SITUATIONS)) {
    const rows = plain(still({ snapshot: make(), columns: 60, rows: 20 })).split('\n');
    expect(rows[17], name).toMatch(/^ (waiting for|ended)/);
    expect(rows[17], name).not.toMatch(/[^-]… ·/);
    if (make().ask !== undefined) expect(rows[1], name).not.toContain('…');
  }
});

test('on the smallest terminal of all the way back is named where it is needed, and nothing runs together', () => {
  const smallest = (situation: Situation, view: ViewId = 'home') =>
    plain(still({ snapshot: SITUATIONS[situation](), columns: 40, rows: 12, ui: { view } })).split('\n');
  for (const situation of Object.keys(SITUATIONS) as Situation[]) {
    const [first = ''] = smallest(situation);
    expect(first, situation).toMatch(/ \S+ +\d\d:\d\d:\d\d *$/);
    expect(first, situation).toMatch(/(nova|…\S*) +\S/);
    expect(smallest(situation)[9], situation).not.toMatch(/\) ·/);
  }
  for (const situation of ['failure', 'decideFail'] as const)
    expect(smallest(situation).at(-1), situation).toContain('b roll back');
  expect(smallest('confirm').at(-1)).toContain('n no');
  expect(smallest('decide').join('\n')).toContain('is not over');
  for (const row of smallest('migrate', 'services').slice(1, 5)) expect(row).not.toMatch(/…$/);
});

test('a pooler that does not answer is marked without colour too, with how long it has been silent', () => {
  const text = plain(still({ snapshot: SITUATIONS.stale(), columns: 60, rows: 20 }));
  expect(text).toContain('1 of 2 DOWN 42 s');
  expect(text).toMatch(/^▲nova\/nova_user/m);
});

test('docs/keys.md is what the registry says', () => {
  expect(readFileSync(new URL('../../docs/keys.md', import.meta.url), 'utf8')).toBe(keysDoc());
});
