/** Keys to intents: a pure function of what is shown and what was pressed. */
import { limitWords } from '../components/format.ts';
import type { Ask, Intent, RollbackScope, RunSnapshot } from '../engine/run/model.ts';
import {
  type Action,
  actionFor,
  actionsElsewhere,
  type Keymap,
  keyName,
  onlyWhere,
  type Place,
  placeOf,
} from './keys.ts';
import { openPrompt, type Prompt, pressInPrompt, typeInto } from './prompt.ts';
import { isWelcome, rollbackScopes, servicesAhead, type UiState, type ViewId } from './screen.ts';

export interface Pressed {
  readonly ui: UiState;
  readonly intents: readonly Intent[];
  /** Work for the owner of the terminal. */
  readonly effect?: 'leave-now' | 'close' | 'suspend' | 'redraw';
}

export interface Scene {
  readonly snapshot: RunSnapshot | undefined;
  readonly keymap: Keymap;
  /** Run time, ms. */
  readonly now: number;
  /** Real ms since the screen was mounted. */
  readonly sinceMs: number;
  /** Rows of the body: a page. */
  readonly page: number;
  /** Last first row of every list on the screen, by scroll key. */
  readonly limits: ReadonlyMap<string, number>;
}

const stay = (ui: UiState): Pressed => ({ ui, intents: [] });
const say = (ui: UiState, text: string, tone: 'info' | 'warn' = 'warn'): Pressed =>
  stay({ ...ui, notice: { text, tone } });
const ask = (ui: UiState, prompt: Omit<Prompt, 'stage' | 'text'>, by = ''): Pressed =>
  stay({ ...ui, notice: undefined, prompt: openPrompt(prompt, by) });

/** How long a word to a key stays; then the run's newest message has its row again. */
const NOTICE_MS = 12_000;

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
  const why = action.unavailable?.(scene.snapshot, cleared);
  if (why !== undefined) return say(cleared, `${keyName(key)} ${action.label}: not now, ${why}`);
  return act(cleared, action, place, scene);
}

/** A chunk of text: it fills an open field, it scrolls when every character does, and nothing else. */
export function pasted(before: UiState, text: string, scene: Scene): Pressed {
  const ui = withoutStalePrompt(before, scene);
  if (ui.prompt !== undefined) return stay({ ...ui, prompt: typeInto(ui.prompt, text) });
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
  return ui.view === 'home' && snapshot?.ask !== undefined ? snapshot.ask.id : ui.view;
}

const SELECTING: readonly ViewId[] = ['services', 'plan', 'rollback'];

function move(ui: UiState, by: number | 'top' | 'bottom', scene: Scene): Pressed {
  const key = scrollKey(ui, scene.snapshot);
  if (SELECTING.includes(ui.view) && scene.snapshot !== undefined) {
    const last = Math.max(0, countOf(ui.view, scene.snapshot) - 1);
    const from = Math.min(ui.selected[key] ?? firstSelected(ui.view, scene.snapshot), last);
    const to = by === 'top' ? 0 : by === 'bottom' ? last : Math.min(last, Math.max(0, from + by));
    return stay({ ...ui, selected: { ...ui.selected, [key]: to } });
  }
  if (by === 'bottom' && key === 'logs') return stay({ ...ui, scroll: without(ui.scroll, key) });
  const limit = scene.limits.get(key) ?? 0;
  const from = Math.min(ui.scroll[key] ?? (key === 'logs' ? limit : 0), limit);
  const to = by === 'top' ? 0 : by === 'bottom' ? limit : Math.min(limit, Math.max(0, from + by));
  return stay({ ...ui, scroll: { ...ui.scroll, [key]: to } });
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
  return stay({ ...ui, view, selected: without(ui.selected, view), scroll: without(ui.scroll, view) });
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
      return stay({ ...ui, view: 'home' });
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
      return { ui: { ...ui, notice: { text: 'export asked for', tone: 'info' } }, intents: [{ kind: 'export' }] };
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

function leave(ui: UiState, snapshot: RunSnapshot | undefined): Pressed {
  if (snapshot === undefined) return { ui: { ...ui, leaving: true }, intents: [], effect: 'leave-now' };
  if (snapshot.status === 'ended') return { ui, intents: [], effect: 'close' };
  return ask(ui, {
    title: 'Leave the wizard?',
    detail: ['The run is parked where it is and can be resumed; nothing is undone.'],
    action: { kind: 'leave' },
  });
}

function hold(ui: UiState, snapshot: RunSnapshot | undefined): Pressed {
  if (snapshot?.status === 'held') {
    return ask(ui, {
      title: 'Go on?',
      detail: [`On hold: ${snapshot.heldFor ?? 'no reason given'}`],
      action: { kind: 'unhold' },
    });
  }
  const open = snapshot?.ask;
  return ask(ui, {
    title: 'Hold the run?',
    detail: ['What is under way is finished; nothing new is begun until you let it go on.'],
    reason: 'required',
    action:
      open?.kind === 'decide'
        ? { kind: 'answer', askId: open.id, answer: { kind: 'decide', action: 'hold' } }
        : { kind: 'hold' },
  });
}

function refuse(ui: UiState, open: Ask | undefined): Pressed {
  if (open?.kind === 'rollback') {
    return {
      ui: { ...ui, notice: { text: 'the rollback was cancelled; nothing was changed', tone: 'info' } },
      intents: [{ kind: 'answer', askId: open.id, answer: { kind: 'rollback', action: 'cancel' } }],
    };
  }
  return say(ui, 'nothing was sent; the run waits for you', 'info');
}

export function scopeWords(scope: RollbackScope): string {
  if (scope.kind === 'service') return scope.service;
  return scope.kind === 'phase' ? `phase ${scope.phase.replace(/^p/, '')}` : 'everything';
}

function chooseRollback(ui: UiState, scene: Scene): Pressed {
  const snapshot = scene.snapshot;
  const scopes = snapshot === undefined ? [] : rollbackScopes(snapshot);
  const scope = scopes[Math.min(ui.selected.rollback ?? 0, scopes.length - 1)];
  if (snapshot === undefined || scope === undefined) return say(ui, 'there is nothing to roll back');
  const open = snapshot.ask;
  const answered = open === undefined ? undefined : rollbackAnswer(open, scope);
  if (typeof answered === 'string') return say(ui, answered);
  return ask(
    ui,
    {
      title: `Roll back ${scopeWords(scope)}?`,
      detail: ['Next you see what is put back, and type the name; only then anything changes.'],
      action: answered ?? { kind: 'rollback', scope },
    },
    'enter',
  );
}

/** While an ask is open, a rollback is an answer to it where the ask knows such an answer. */
function rollbackAnswer(open: Ask, scope: RollbackScope): Prompt['action'] | string | undefined {
  if (open.kind === 'decide' && scope.kind === 'phase' && scope.phase === open.phase) {
    return { kind: 'answer', askId: open.id, answer: { kind: 'decide', action: 'rollback' } };
  }
  if (open.kind === 'failure') {
    const fits = scope.kind !== 'service' || scope.service === open.service;
    const action = `rollback-${scope.kind}` as const;
    if (
      fits &&
      open.options.includes(action) &&
      (scope.kind !== 'phase' || open.stepId.startsWith(`${scope.phase}.`))
    ) {
      return { kind: 'answer', askId: open.id, answer: { kind: 'failure', action } };
    }
  }
  if (open.kind === 'reconcile') return 'answer the resume question first';
  return undefined;
}

function reconcileBack(open: Extract<Ask, { kind: 'reconcile' }>): Omit<Prompt, 'stage' | 'text'> {
  return {
    title: 'Roll everything back instead of going on?',
    detail: ['Every service gets its original value back.'],
    ...(open.typed === undefined ? {} : { typed: open.typed }),
    action: { kind: 'answer', askId: open.id, answer: { kind: 'reconcile', action: 'rollback-all' } },
  };
}

function answer(ui: UiState, action: Action, open: Ask, scene: Scene): Pressed {
  if (action.id === 'approve' && open.kind === 'confirm') {
    return ask(ui, {
      title: open.title,
      detail: [open.preview.summary],
      ...(open.typed === undefined ? {} : { typed: open.typed }),
      action: { kind: 'answer', askId: open.id, answer: { kind: 'confirm', action: 'approve' } },
    });
  }
  if (action.id === 'approvePhase' && open.kind === 'confirm') {
    const names = servicesAhead(scene.snapshot, open.stepId);
    return ask(ui, {
      title: `Approve all of phase ${open.stepId.slice(1).split('.')[0]}?`,
      detail: [
        `${names.join(', ')}: each changed as previewed in 1.5, one after the other.`,
        'Failures, warnings, typed names and the decision still ask.',
      ],
      action: { kind: 'answer', askId: open.id, answer: { kind: 'confirm', action: 'approve', scope: 'phase' } },
    });
  }
  if (action.id === 'approve' && open.kind === 'rollback') {
    return ask(ui, {
      title: open.title,
      detail: [open.preview.summary],
      typed: open.typed,
      action: { kind: 'answer', askId: open.id, answer: { kind: 'rollback', action: 'approve' } },
    });
  }
  if (action.id === 'approve' && open.kind === 'reconcile') {
    return ask(ui, {
      title: 'Go on as shown?',
      detail: ['Each row is done as its last column says.'],
      ...(open.typed === undefined ? {} : { typed: open.typed }),
      action: { kind: 'answer', askId: open.id, answer: { kind: 'reconcile', action: 'continue' } },
    });
  }
  if (action.id === 'skip' && open.kind === 'confirm') {
    return ask(ui, {
      title: 'Skip this step?',
      detail: ['It is not done; the record says who skipped it and why.'],
      reason: 'required',
      action: { kind: 'answer', askId: open.id, answer: { kind: 'confirm', action: 'skip' } },
    });
  }
  if (action.id === 'retry' && open.kind === 'failure') {
    return ask(ui, {
      title: 'Try again?',
      detail: [open.title],
      action: { kind: 'answer', askId: open.id, answer: { kind: 'failure', action: 'retry' } },
    });
  }
  if (action.id === 'waive' && open.kind === 'failure') {
    return ask(ui, {
      title: 'Waive this failure?',
      detail: ['The step stays red in the record, with your name and reason beside it.'],
      reason: 'required',
      action: { kind: 'answer', askId: open.id, answer: { kind: 'failure', action: 'waive' } },
    });
  }
  if (open.kind === 'decide' && (action.id === 'continue' || action.id === 'extend'))
    return decide(ui, action.id, open, scene);
  return stay(ui);
}

/** Why continuing now would be an override; undefined when it would not. */
export function overrideOf(open: Extract<Ask, { kind: 'decide' }>, now: number): string | undefined {
  if (open.gates.some((gate) => gate.verdict === 'fail')) return 'a gate fails';
  if (Date.parse(open.soakUntil) > now) return 'the soak is not over';
  if (open.gates.some((gate) => gate.verdict === 'inconclusive')) return 'a gate could not be measured';
  return undefined;
}

const continueWords = (override: string | undefined): Pick<Prompt, 'title' | 'detail'> =>
  override === undefined
    ? { title: 'Continue?', detail: ['Every gate passes and the soak is over.'] }
    : { title: `Continue although ${override}?`, detail: ['This is an override; the record says who and why.'] };

function decide(
  ui: UiState,
  action: 'continue' | 'extend',
  open: Extract<Ask, { kind: 'decide' }>,
  scene: Scene,
): Pressed {
  if (action === 'extend') {
    return ask(ui, {
      title: 'Extend the soak?',
      detail: [`By ${limitWords(open.soakMs)}.`],
      reason: 'optional',
      action: { kind: 'answer', askId: open.id, answer: { kind: 'decide', action: 'extend', extendMs: open.soakMs } },
    });
  }
  const override = overrideOf(open, scene.now);
  return ask(ui, {
    ...continueWords(override),
    ...(override === undefined ? {} : { reason: 'required' as const }),
    premise: override ?? '',
    action: { kind: 'answer', askId: open.id, answer: { kind: 'decide', action: 'continue' } },
  });
}
