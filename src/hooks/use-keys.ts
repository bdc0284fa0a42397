import { type Key, useInput, usePaste } from 'ink';

export interface KeyHandlers {
  /** One key by name: a printable character is itself; `enter`, `escape`, `space`, `up`, `ctrl+c`. */
  readonly onKey: (key: string) => void;
  /** Several characters in one chunk, pasted or typed ahead: text, never a command. */
  readonly onText: (text: string) => void;
  readonly active: boolean;
}

const NAMED = [
  ['return', 'enter'],
  ['escape', 'escape'],
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  ['delete', 'delete'],
] as const satisfies readonly (readonly [keyof Key, string])[];

/** The name of a key press, or undefined when it is text of more than one character (or nothing). */
export function keyOf(input: string, key: Partial<Key>): string | undefined {
  for (const [flag, name] of NAMED) if (key[flag]) return name;
  if (key.ctrl && input.length === 1) return `ctrl+${input.toLowerCase()}`;
  if (key.ctrl || key.meta || key.super || key.hyper) return undefined;
  if (input === ' ') return 'space';
  // Enter can arrive as a line feed from a pty that maps it.
  if (input === '\n' || input === '\r') return 'enter';
  return [...input].length === 1 ? input : undefined;
}

/** Keys and pastes of the terminal. Bracketed pastes and multi-character chunks never reach `onKey`. */
export function useKeys({ onKey, onText, active }: KeyHandlers): void {
  useInput(
    (input, key) => {
      if (key.eventType === 'release') return;
      const name = keyOf(input, key);
      if (name !== undefined) onKey(name);
      else if (input.length > 1 && !key.ctrl && !key.meta) onText(input);
    },
    { isActive: active },
  );
  usePaste(onText, { isActive: active });
}
