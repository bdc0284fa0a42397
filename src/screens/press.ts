/** Keys to intents: a pure function of what is shown and what was pressed. */
import type { RunSnapshot } from '../engine/run/model.ts';
import type { Action, Place } from './actions.ts';
import { answer, chooseRollback, continueWords, hold, leave, overrideOf, reconcileBack, refuse } from './intents.ts';
import { actionFor, actionsElsewhere, keyName, onlyWhere, placeOf } from './keys.ts';
import { type Prompt, pressInPrompt, typeInto } from './prompt.ts';
import { ask, type Pressed, type Scene, say, stay } from './scene.ts';
import { isWelcome, rollbackScopes, type UiState, type ViewId } from './screen.ts';

/** How long a word to a key stays; then the run's newest message has its row again. */
const NOTICE_MS = 12_000;

/** A word that no key asked for, on the row of notices for as long as one to a key. `askId`: the ask it belongs to, or ''. */
export function withNotice(ui: UiState, text: string, askId: string, sinceMs: number): UiState {
  return { ...ui, notice: { text, tone: 'warn', at: askId, until: sinceMs + NOTICE_MS } };
}

/** One key. Several characters in one chunk are text, see `pasted`. */
export function press(before: UiState, key: string, scene: Scene): Pressed {
  const pressed = pressOne(before, key, scene);
  const { notice } = pressed.ui;
  if (notice === undefined || notice === before.notice) return pressed;
  const stamp = { at: scene.snapshot?.ask?.id ?? '', until: scene.sinceMs + NOTICE_MS };
  return { ...pressed, ui: { ...pressed.ui, notice: { ...notice, ...stamp } } };
}

function pressOne(before: UiState, key: string, scene: Scene): Pressed {
  const ui = withoutStalePrompt(before, scene);
  if (ui.leaving && (key === 'ctrl+c' || key === 'q')) return { ui, intents: [], effect: 'leave-now' };
  if (ui.prompt !== undefined) return pressPrompt(ui, ui.prompt, key);
  if (ui.filtering !== undefined) return pressFilter(ui, ui.filtering, key);
  const cleared: UiState = ui.notice === undefined ? ui : { ...ui, notice: undefined };
  // A prompt that vanished under the fingers must not hand its keys to the screen below.
  if (before.prompt !== undefined) return say(cleared, ui.notice?.text ?? 'nothing was sent');
  const place = placeOf(cleared, scene.snapshot);
  const action = actionFor(key, place, scene.keymap);
  if (action === undefined) {
    const others = actionsElsewhere(key, scene.keymap);
    const [other] = others;
    if (other === undefined || other.id === 'back') return stay(cleared);
    if (others.length > 1) {
      const help = keyName(scene.keymap.help[0] ?? '');
      return say(cleared, `${keyName(key)} has no meaning here; ${help} shows the keys`);
    }
    return say(cleared, `${keyName(key)} ${other.label}: ${onlyWhere(other)}`);
  }
  const why = action.unavailable?.(scene.snapshot);
  if (why !== undefined) return say(cleared, `${keyName(key)} ${action.label}: not now, ${why}`);
  return act(cleared, action, place, scene);
}

/** A chunk of text: it fills an open field, it scrolls when every character does, and nothing else. */
export function pasted(before: UiState, text: string, scene: Scene): Pressed {
  const ui = withoutStalePrompt(before, scene);
  if (ui.prompt !== undefined) {
    const typed: UiState = { ...ui, prompt: typeInto(ui.prompt, text) };
    // A line feed in a paste, or an Enter that came in one piece with the letters before it.
    return /[\r\n]/.test(text) ? say(typed, 'what is pasted confirms nothing: press Enter') : stay(typed);
  }
  if (ui.filtering !== undefined)
    return stay({ ...ui, filtering: (ui.filtering + text.replace(/\p{C}/gu, '')).slice(0, 200) });
  const keys = [...text];
  const place = placeOf(ui, scene.snapshot);
  const scrolls = keys.every((key) => ['up', 'down'].includes(actionFor(key, place, scene.keymap)?.id ?? ''));
  if (!scrolls || keys.length > 50) return stay(ui);
  return keys.reduce<Pressed>((state, key) => press(state.ui, key, scene), stay(ui));
}

/**
 * A prompt about an ask that is no longer open must not be answered, and no more one whose ground has moved: gates and the
 * soak go on while a human types, and "every gate passes" must be true when Enter is pressed.
 */
export function withoutStalePrompt(ui: UiState, { snapshot, now }: Pick<Scene, 'snapshot' | 'now'>): UiState {
  const { prompt } = ui;
  if (prompt?.action.kind !== 'answer') return ui;
  const open = snapshot?.ask;
  if (prompt.action.askId !== open?.id) return promptGone(ui, 'that question is no longer open; nothing was sent');
  if (prompt.premise === undefined || open.kind !== 'decide') return ui;
  const override = overrideOf(open, now);
  if (override !== undefined && override !== prompt.premise)
    return promptGone(ui, `nothing was sent: meanwhile ${override}`);
  // What got better is only said anew: a reason that is half typed stays, and goes into the record.
  return { ...ui, prompt: { ...prompt, ...continueWords(override) } };
}

const promptGone = (ui: UiState, text: string): UiState => ({
  ...ui,
  prompt: undefined,
  notice: { text, tone: 'warn' },
});

function pressPrompt(ui: UiState, prompt: Prompt, key: string): Pressed {
  // The second Ctrl+C on the question whether to leave is the answer.
  if (key === 'ctrl+c') {
    return prompt.action.kind === 'leave'
      ? { ui: { ...ui, prompt: undefined, leaving: true }, intents: [{ kind: 'leave' }], effect: 'leave-now' }
      : say({ ...ui, prompt: undefined }, 'nothing was sent', 'info');
  }
  const step = pressInPrompt(prompt, key);
  if (step.kind === 'open') {
    return stay({
      ...ui,
      prompt: step.prompt,
      notice: step.notice === undefined ? undefined : { text: step.notice, tone: 'warn' },
    });
  }
  const closed: UiState = { ...ui, prompt: undefined };
  if (step.kind === 'cancelled') return say(closed, step.notice, 'info');
  const sentWords = 'sent; the run answers here';
  return {
    ui: {
      ...closed,
      view: prompt.action.kind === 'leave' ? ui.view : 'home',
      leaving: prompt.action.kind === 'leave' || ui.leaving,
      notice: { text: prompt.action.kind === 'leave' ? 'leaving: the run parks itself' : sentWords, tone: 'info' },
    },
    intents: [step.intent],
  };
}

function pressFilter(ui: UiState, text: string, key: string): Pressed {
  if (key === 'enter')
    return stay({ ...ui, filtering: undefined, logFilter: text, scroll: without(ui.scroll, 'logs') });
  if (key === 'escape') return stay({ ...ui, filtering: undefined });
  if (key === 'backspace' || key === 'delete') return stay({ ...ui, filtering: [...text].slice(0, -1).join('') });
  if (key === 'ctrl+u') return stay({ ...ui, filtering: '' });
  const char = key === 'space' ? ' ' : key;
  return stay([...char].length === 1 && text.length < 200 ? { ...ui, filtering: text + char } : ui);
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}

/** What scrolls or selects where: the open ask has a scroll of its own. */
function scrollKey(ui: UiState, snapshot: RunSnapshot | undefined): string {
  if (ui.view === 'home' && isWelcome(ui, snapshot)) return 'welcome';
  if (ui.detail && ui.view !== 'home') return `${ui.view}.detail`;
  return ui.view === 'home' && snapshot?.ask !== undefined ? snapshot.ask.id : ui.view;
}

const SELECTING: readonly ViewId[] = ['services', 'plan', 'rollback'];

function move(ui: UiState, by: number | 'top' | 'bottom', scene: Scene): Pressed {
  const key = scrollKey(ui, scene.snapshot);
  if (SELECTING.includes(ui.view) && !ui.detail && scene.snapshot !== undefined) {
    const last = Math.max(0, countOf(ui.view, scene.snapshot) - 1);
    const from = Math.min(ui.selected[key] ?? firstSelected(ui.view, scene.snapshot), last);
    const to = by === 'top' ? 0 : by === 'bottom' ? last : Math.min(last, Math.max(0, from + by));
    return stay({ ...ui, selected: { ...ui.selected, [key]: to } });
  }
  if (by === 'bottom' && key === 'logs') return stay({ ...ui, scroll: without(ui.scroll, key) });
  const limit = scene.limits.get(key) ?? 0;
  const from = Math.min(ui.scroll[key] ?? (key === 'logs' ? limit : 0), limit);
  const to = by === 'top' ? 0 : by === 'bottom' ? limit : Math.min(limit, Math.max(0, from + by));
  const stops = key === 'logs' && ui.scroll.logs === undefined && scene.snapshot !== undefined;
  return stay({
    ...ui,
    scroll: { ...ui.scroll, [key]: to },
    ...(stops ? { logStopped: scene.snapshot.logLines } : {}),
  });
}

function countOf(view: ViewId, snapshot: RunSnapshot): number {
  if (view === 'services') return snapshot.services.length;
  if (view === 'plan') return snapshot.steps.length;
  return rollbackScopes(snapshot).length;
}

/** Lists open on what is going on now. */
export function firstSelected(view: ViewId, snapshot: RunSnapshot): number {
  const current = snapshot.steps.find((step) => step.id === snapshot.currentStep);
  if (view === 'plan')
    return Math.max(
      0,
      snapshot.steps.findIndex((step) => step.id === current?.id),
    );
  if (view === 'services')
    return Math.max(
      0,
      snapshot.services.findIndex((service) => service.name === current?.service),
    );
  return 0;
}

/** A view opens on what is going on now, wherever one left it. */
function toggle(ui: UiState, view: ViewId): Pressed {
  if (ui.view === view) return stay({ ...ui, view: 'home' });
  return stay({ ...ui, view, detail: false, selected: without(ui.selected, view), scroll: without(ui.scroll, view) });
}

function act(ui: UiState, action: Action, place: Place, scene: Scene): Pressed {
  const open = scene.snapshot?.ask;
  switch (action.id) {
    case 'up':
      return move(ui, -1, scene);
    case 'down':
      return move(ui, 1, scene);
    case 'pageUp':
      return move(ui, -Math.max(1, scene.page - 1), scene);
    case 'pageDown':
      return move(ui, Math.max(1, scene.page - 1), scene);
    case 'top':
    case 'bottom':
      return move(ui, action.id, scene);
    case 'back':
      return stay(ui.detail ? { ...ui, detail: false } : { ...ui, view: 'home' });
    case 'open':
      return stay({
        ...ui,
        detail: !ui.detail,
        scroll: without(ui.scroll, scrollKey({ ...ui, detail: true }, scene.snapshot)),
      });
    case 'services':
    case 'pools':
    case 'plan':
    case 'preflight':
    case 'checklist':
    case 'logs':
    case 'doctor':
    case 'record':
    case 'help':
      return toggle(ui, action.id);
    case 'rollback':
      return open?.kind === 'reconcile' && place === 'ask.reconcile'
        ? ask(ui, reconcileBack(open))
        : toggle(ui, 'rollback');
    case 'filter':
      return stay({ ...ui, filtering: ui.logFilter });
    case 'wrap':
      return stay({ ...ui, logWrap: !ui.logWrap });
    case 'export':
      return {
        ui: { ...ui, notice: { text: 'the record is being written', tone: 'info' } },
        intents: [{ kind: 'export' }],
      };
    case 'suspend':
      return { ui, intents: [], effect: 'suspend' };
    case 'redraw':
      return { ui, intents: [], effect: 'redraw' };
    case 'close':
      return { ui, intents: [], effect: 'close' };
    case 'begin':
      return stay({ ...ui, welcomed: true });
    case 'leave':
    case 'interrupt':
      return leave(ui, scene.snapshot);
    case 'hold':
      return hold(ui, scene.snapshot);
    case 'choose':
      return chooseRollback(ui, scene);
    case 'refuse':
      return refuse(ui, open);
    default:
      return open === undefined ? stay(ui) : answer(ui, action, open, scene);
  }
}
