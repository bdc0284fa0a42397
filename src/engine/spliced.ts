/** A text with some of its stretches replaced, by their places in the original. */
export interface Splice {
  readonly start: number;
  /** Exclusive; `start` for an insertion. */
  readonly end: number;
  readonly text: string;
}

/** Splices do not overlap; those at one place stand in the order of the list. */
export function spliced(text: string, splices: readonly Splice[]): string {
  let out = '';
  let from = 0;
  for (const { start, end, text: now } of splices.toSorted((a, b) => a.start - b.start)) {
    out += text.slice(from, start) + now;
    from = end;
  }
  return out + text.slice(from);
}
