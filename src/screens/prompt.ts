/**
 * The only way from a key to a mutation. A prompt collects a reason and a typed name where they are needed; what sends
 * it is Enter, after a different key (the action's own, `y`, or the typed name), so that no key held down and no key
 * struck twice does anything. Every other key leaves with nothing sent. Pasted text is text: it can fill a field, it can
 * never confirm.
 */
import type { Answer, Intent, RollbackScope } from '../engine/run/model.ts';

/** What is sent in the end; a reason that was asked for is put in. */
type PromptAction =
  | { readonly kind: 'answer'; readonly askId: string; readonly answer: Answer }
  | { readonly kind: 'rollback'; readonly scope: RollbackScope }
  | { readonly kind: 'hold' }
  | { readonly kind: 'unhold' }
  | { readonly kind: 'leave' };

export interface Prompt {
  /** A question. */
  readonly title: string;
  /** What will happen, a sentence or two. */
  readonly detail: readonly string[];
  /** Exactly this must be typed. */
  readonly typed?: string;
  readonly reason?: 'required' | 'optional';
  /** The field that is open: a reason, the typed name, `y`, or the Enter after `y`. */
  readonly stage: 'reason' | 'typed' | 'yes' | 'enter';
  readonly text: string;
  readonly given?: string;
  /** Of a decision: why continuing was an override when the question was put ('' when it was none). */
  readonly premise?: string;
  readonly action: PromptAction;
}

export type PromptStep =
  | { readonly kind: 'open'; readonly prompt: Prompt; readonly notice?: string }
  | { readonly kind: 'cancelled'; readonly notice: string }
  | { readonly kind: 'send'; readonly intent: Intent };

const TEXT_LIMIT = 500;

/** A prompt at its first open field. `by` is the key that opened it: when that was Enter, `y` has to come between. */
export function openPrompt(prompt: Omit<Prompt, 'stage' | 'text'>, by: string): Prompt {
  const last = by === 'enter' ? 'yes' : 'enter';
  const stage = prompt.reason !== undefined ? 'reason' : prompt.typed !== undefined ? 'typed' : last;
  return { ...prompt, stage, text: '' };
}

function sent(prompt: Prompt): Intent {
  const { action, given } = prompt;
  const reason = given === undefined || given === '' ? {} : { reason: given };
  switch (action.kind) {
    case 'answer': {
      const { answer } = action;
      return {
        kind: 'answer',
        askId: action.askId,
        answer: answer.kind === 'rollback' || answer.kind === 'reconcile' ? answer : { ...answer, ...reason },
      };
    }
    case 'hold':
      return { kind: 'hold', reason: given ?? '' };
    default:
      return action;
  }
}

function isText(prompt: Prompt): boolean {
  return prompt.stage === 'reason' || prompt.stage === 'typed';
}

/** Text that was typed or pasted: controls become nothing, line feeds blanks. */
export function typeInto(prompt: Prompt, text: string): Prompt {
  if (!isText(prompt)) return prompt;
  const clean = text.replace(/[\r\n\t]+/g, ' ').replace(/\p{C}/gu, '');
  return { ...prompt, text: (prompt.text + clean).slice(0, TEXT_LIMIT) };
}

/** One key in an open prompt. `key` as `use-keys` names it; a printable character is itself. */
export function pressInPrompt(prompt: Prompt, key: string): PromptStep {
  if (key === 'escape') return { kind: 'cancelled', notice: 'nothing was sent' };
  if (isText(prompt)) {
    if (key === 'enter') return nextField(prompt);
    if (key === 'backspace' || key === 'delete')
      return { kind: 'open', prompt: { ...prompt, text: [...prompt.text].slice(0, -1).join('') } };
    if (key === 'ctrl+u') return { kind: 'open', prompt: { ...prompt, text: '' } };
    if (key === 'space') return { kind: 'open', prompt: typeInto(prompt, ' ') };
    if ([...key].length === 1) return { kind: 'open', prompt: typeInto(prompt, key) };
    return { kind: 'open', prompt };
  }
  if (prompt.stage === 'yes') {
    if (key === 'y') return { kind: 'open', prompt: { ...prompt, stage: 'enter' } };
    return { kind: 'cancelled', notice: 'nothing was sent: the answer was no' };
  }
  if (key === 'enter') return { kind: 'send', intent: sent(prompt) };
  // Said twice is still said once.
  if (key === 'y') return { kind: 'open', prompt };
  return { kind: 'cancelled', notice: 'nothing was sent: Enter was not pressed' };
}

function nextField(prompt: Prompt): PromptStep {
  if (prompt.stage === 'reason') {
    const given = prompt.text.trim();
    if (prompt.reason === 'required' && given.length < 3) {
      return { kind: 'open', prompt, notice: 'a reason is needed, it goes into the record (Esc stops)' };
    }
    return {
      kind: 'open',
      prompt: { ...prompt, given, text: '', stage: prompt.typed === undefined ? 'yes' : 'typed' },
    };
  }
  // Over a slow line the last letters and Enter can arrive as one piece of text: then Enter is pressed once more.
  if (prompt.text.trim() === prompt.typed) return { kind: 'send', intent: sent(prompt) };
  return {
    kind: 'open',
    prompt: { ...prompt, text: '' },
    notice: `${prompt.text === '' ? 'type' : 'that is not'} ${prompt.typed} (Esc stops)`,
  };
}
