/**
 * A text that must not be printed and is too long for the scrubber: its passwords are remembered one by one where they
 * are parsed, the whole of it (a pod template, patches) would only slow every line down.
 */
import { inspect } from 'node:util';
import { MASK } from '../secret.ts';

export class Sealed {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself: for the originals Secret, and nowhere else. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}
