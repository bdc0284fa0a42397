/** A text of which several parts are replaced, whose places are those in the original. */
export interface Part {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly now: string;
}

export class SplicedText {
  readonly #whole: string;
  readonly #parts = new Map<number, Part>();

  constructor(whole: string) {
    this.#whole = whole;
  }

  /** Parts do not overlap; one that was put before is put again (a Secret that is mounted twice). */
  put(part: Part): void {
    this.#parts.set(part.start, part);
  }

  get text(): string {
    const parts = [...this.#parts.values()].sort((a, b) => a.start - b.start);
    const kept = parts.map((part, index) => this.#whole.slice(parts[index - 1]?.end ?? 0, part.start) + part.now);
    return kept.join('') + this.#whole.slice(parts.at(-1)?.end ?? 0);
  }
}
