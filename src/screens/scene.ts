/** What a key finds, and what it leaves: the ground that press.ts and intents.ts stand on. */
import type { Intent, RunSnapshot } from '../engine/run/model.ts';
import type { Keymap } from './keys.ts';
import { openPrompt, type Prompt } from './prompt.ts';
import type { UiState } from './screen.ts';

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

export const stay = (ui: UiState): Pressed => ({ ui, intents: [] });
export const say = (ui: UiState, text: string, tone: 'info' | 'warn' = 'warn'): Pressed =>
  stay({ ...ui, notice: { text, tone } });
export const ask = (ui: UiState, prompt: Omit<Prompt, 'stage' | 'text'>, by = ''): Pressed =>
  stay({ ...ui, notice: undefined, prompt: openPrompt(prompt, by) });
