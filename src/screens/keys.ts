/** What a key means where: the operator's keymap, the place one is at, conflicts, and how keys are written. */
import { isHeld } from '../components/states.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import { ACTIONS, type Action, type ActionId, type Place } from './actions.ts';
import { isWelcome, type UiState, VIEWS } from './screen.ts';

/** Keys of every action, defaults replaced by the operator's own. */
export type Keymap = Readonly<Record<ActionId, readonly string[]>>;

/** `overrides` maps action ids to keys; unknown actions and conflicts are refused with a sentence. */
export function keymapOf(overrides: Readonly<Record<string, readonly string[]>> = {}): {
  keymap: Keymap;
  problems: string[];
} {
  const problems: string[] = [];
  const entries = new Map<ActionId, readonly string[]>(ACTIONS.map((action) => [action.id, action.keys]));
  for (const [id, keys] of Object.entries(overrides)) {
    if (!entries.has(id as ActionId)) problems.push(`there is no action "${id}"`);
    else if (keys.length === 0) problems.push(`the action "${id}" needs at least one key`);
    else entries.set(id as ActionId, keys);
  }
  // Leaving must always be possible, whatever was remapped.
  const keymap = { ...Object.fromEntries(entries), interrupt: ['ctrl+c'] } as unknown as Keymap;
  problems.push(...conflictsOf(keymap));
  return { keymap, problems };
}

const PLACES: readonly Place[] = [
  ...VIEWS,
  'end',
  'start',
  'welcome',
  'ask.confirm',
  'ask.decide',
  'ask.failure',
  'ask.rollback',
  'ask.reconcile',
];

export function actionsAt(place: Place): Action[] {
  return ACTIONS.filter((action) => action.where === undefined || action.where.includes(place));
}

/** One sentence for every key that would mean two things in one place. */
export function conflictsOf(keymap: Keymap): string[] {
  const problems: string[] = [];
  for (const place of PLACES) {
    const owner = new Map<string, ActionId>();
    for (const action of actionsAt(place)) {
      for (const key of keymap[action.id]) {
        const other = owner.get(key);
        if (other !== undefined) problems.push(`"${key}" means both ${other} and ${action.id} on ${place}`);
        owner.set(key, action.id);
      }
    }
  }
  return problems;
}

/** Where the operator is, as keys see it. */
export function placeOf(ui: Pick<UiState, 'view' | 'welcomed'>, snapshot: RunSnapshot | undefined): Place {
  if (ui.view !== 'home') return ui.view;
  if (snapshot === undefined) return 'start';
  if (isWelcome(ui, snapshot)) return 'welcome';
  if (snapshot.ask !== undefined) return `ask.${snapshot.ask.kind}`;
  return snapshot.status === 'ended' ? 'end' : 'home';
}

export function actionFor(key: string, place: Place, keymap: Keymap): Action | undefined {
  return actionsAt(place).find((action) => keymap[action.id].includes(key));
}

/** What this key means in other places: its press deserves an answer too. */
export function actionsElsewhere(key: string, keymap: Keymap): Action[] {
  return ACTIONS.filter((action) => action.where !== undefined && keymap[action.id].includes(key));
}

const PLACE_WORDS: Readonly<Partial<Record<Place, string>>> = {
  'ask.confirm': 'at a change',
  'ask.decide': 'at a decision',
  'ask.failure': 'after a failure',
  'ask.rollback': 'at a rollback',
  'ask.reconcile': 'on resume',
  logs: 'in the log',
  record: 'at the record',
  rollback: 'choosing a rollback',
  welcome: 'at the start',
  end: 'at the end',
};

/** `only at a change, at a rollback or on resume`; one row of the smallest terminal holds it. */
export function onlyWhere(action: Action): string {
  const words = (action.where ?? []).flatMap((place) => PLACE_WORDS[place] ?? []);
  const last = words.pop();
  if (last === undefined) return 'only in another view';
  return `only ${words.length === 0 ? last : `${words.join(', ')} or ${last}`}`;
}

/** The label as the footer shows it now; `hold` changes its meaning with the run. */
export function labelOf(action: Action, snapshot: RunSnapshot | undefined, ui?: Pick<UiState, 'detail'>): string {
  if (action.id === 'open' && ui?.detail) return 'list';
  if (action.id === 'hold' && snapshot !== undefined && isHeld(snapshot)) return 'go on';
  if (action.id === 'leave' && snapshot?.status === 'ended') return 'leave';
  return action.label;
}

/** `Esc`, `Enter`, `Ctrl+C`, `↑`: a key as it is written for people. */
export function keyName(key: string): string {
  const names: Readonly<Record<string, string>> = {
    escape: 'Esc',
    enter: 'Enter',
    backspace: 'Backspace',
    up: '↑',
    down: '↓',
    pageup: 'PgUp',
    pagedown: 'PgDn',
    home: 'Home',
    end: 'End',
    space: 'Space',
    tab: 'Tab',
  };
  if (key.startsWith('ctrl+')) return `Ctrl+${key.slice(5).toUpperCase()}`;
  return names[key] ?? key;
}
