/** From an action to the question that asks for its confirmation; nothing is sent from here but a refusal. */
import { limitWords } from '../components/format.ts';
import { isHeld } from '../components/states.ts';
import type { Ask, RollbackScope, RunSnapshot } from '../engine/run/model.ts';
import type { Action } from './actions.ts';
import type { Prompt } from './prompt.ts';
import { ask, type Pressed, type Scene, say, stay } from './scene.ts';
import { rollbackScopes, servicesAhead, type UiState } from './screen.ts';

export function leave(ui: UiState, snapshot: RunSnapshot | undefined): Pressed {
  if (snapshot === undefined) return { ui: { ...ui, leaving: true }, intents: [], effect: 'leave-now' };
  if (snapshot.status === 'ended') return { ui, intents: [], effect: 'close' };
  return ask(ui, {
    title: 'Leave the wizard?',
    detail: ['The run is parked where it is and can be resumed; nothing is undone.'],
    action: { kind: 'leave' },
  });
}

export function hold(ui: UiState, snapshot: RunSnapshot | undefined): Pressed {
  if (snapshot !== undefined && isHeld(snapshot)) {
    return ask(ui, {
      title: 'Go on?',
      detail: [`On hold: ${snapshot.heldFor ?? 'no reason given'}`],
      action: { kind: 'unhold' },
    });
  }
  return ask(ui, {
    title: 'Hold the run?',
    detail: ['What is under way is finished; nothing new is begun until you let it go on.'],
    reason: 'required',
    // At a decision too: it stays open, with its gates, and is not answered by it.
    action: { kind: 'hold' },
  });
}

export function refuse(ui: UiState, open: Ask | undefined): Pressed {
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

export function chooseRollback(ui: UiState, scene: Scene): Pressed {
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
      detail: [
        'Next you see what is put back, and type the name; only then anything changes.',
        ...(answered === undefined ? ['The run ends with it; what else is pooled stays pooled.'] : []),
      ],
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

export function reconcileBack(open: Extract<Ask, { kind: 'reconcile' }>): Omit<Prompt, 'stage' | 'text'> {
  return {
    title: 'Roll everything back instead of going on?',
    detail: ['Every service gets its original value back.'],
    ...(open.typed === undefined ? {} : { typed: open.typed }),
    action: { kind: 'answer', askId: open.id, answer: { kind: 'reconcile', action: 'rollback-all' } },
  };
}

export function answer(ui: UiState, action: Action, open: Ask, scene: Scene): Pressed {
  if (action.id === 'approve' && open.kind === 'confirm') {
    return ask(ui, {
      title: open.title.endsWith('?') ? open.title : `${open.title}: make this change?`,
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
      title: open.title.endsWith('?') ? open.title : `${open.title}?`,
      detail: [open.preview.summary],
      typed: open.typed,
      action: { kind: 'answer', askId: open.id, answer: { kind: 'rollback', action: 'approve' } },
    });
  }
  if (action.id === 'approve' && open.kind === 'reconcile') {
    return ask(ui, {
      title: 'Go on as shown?',
      detail: [open.rows.length > 0 ? 'Each row is done as its last column says.' : 'The run goes on where it stood.'],
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
      detail: ['The step stays failed in the record, with your name and reason beside it.'],
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

export const continueWords = (override: string | undefined): Pick<Prompt, 'title' | 'detail'> =>
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
