/**
 * A text that must not be printed and is too long for the scrubber: its passwords are remembered one by one where they
 * are parsed, the whole of it (a pod template, patches) would only slow every line down.
 */
import { Unprintable } from '../secret.ts';

export class Sealed extends Unprintable {
  readonly #text: string;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  /** The text itself: for the originals Secret, and nowhere else. */
  reveal(): string {
    return this.#text;
  }
}
